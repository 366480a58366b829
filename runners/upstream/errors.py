"""UpstreamError: what a failed call to Fly, GitHub or Infisical means for the fleet, in one type.

The planner decides by class, not by upstream: five classes are enough to choose between forgetting, placing
elsewhere, waiting, asking the operator, and mending our own request. Each client maps what its upstream says
to one of them by a table of its own.
"""

from enum import StrEnum

# Statuses whose meaning is the same everywhere. A client that knows its upstream's texts knows better.
_NOT_FOUND = frozenset({404, 410})
_TRY_LATER = frozenset({408, 425, 429})
_REFUSED = frozenset({401, 403, 409, 412, 422, 423, 451})
_FIRST_ERROR = 400
_FIRST_SERVER_ERROR = 500

# One line of a log or a page; whatever is longer was not written to be read there.
_LINE_MAX = 1000


class ErrorClass(StrEnum):
    """What to do about a failed call."""

    NOT_FOUND = "not_found"
    """What was named is not there; for a removal that is success."""
    NO_CAPACITY = "no_capacity"
    """This place has no room now; another one may."""
    TRY_LATER = "try_later"
    """The same call may succeed later, unchanged."""
    REFUSED = "refused"
    """The upstream understood and said no: a permission, a limit, a conflict. Somebody has to act."""
    OUR_FAULT = "our_fault"
    """The request was wrong; repeating it cannot help."""


class UpstreamError(Exception):
    """A call to an upstream failed.

    ``str()`` is one line made of the fields; none of them may hold a secret or an answer's body.

    Attributes:
        upstream: ``fly``, ``github`` or ``infisical``.
        error_class: what to do about it.
        attempted: the call in plain words: ``create Machine x in app y``.
        why: the cause in plain words.
        status: the HTTP status, or None without one.
        answered: False when the outcome is unknown: the answer was lost or is ambiguous, so a mutating call
            may have happened. True when it was answered, or certainly never left this process.
        retry_at: Unix seconds before which trying again is pointless, or None when nobody can say.
        request_id: the upstream's id of the call, or "".
        next_step: what to do next, for the person who reads it.
    """

    def __init__(
        self,
        *,
        upstream: str,
        error_class: ErrorClass,
        attempted: str,
        why: str,
        status: int | None = None,
        answered: bool = True,
        retry_at: float | None = None,
        request_id: str = "",
        next_step: str = "",
    ) -> None:
        super().__init__(upstream, error_class, attempted, why)
        self.upstream = upstream
        self.error_class = error_class
        self.attempted = attempted
        self.why = why
        self.status = status
        self.answered = answered
        self.retry_at = retry_at
        self.request_id = request_id
        self.next_step = next_step

    def __str__(self) -> str:
        """All of it in one line."""
        return one_line(f"{self.told}; next: {self.next_step}" if self.next_step else self.told)

    @property
    def told(self) -> str:
        """All of it in one line, but for the next step, where that stands in a line of its own."""
        parts = [f"{self.upstream}: could not {self.attempted}: {self.why}"]
        if self.status is not None:
            parts.append(f"(HTTP {self.status})")
        parts.append(f"[{self.error_class}]")
        if not self.answered:
            parts.append("the outcome is unknown, it may have happened;")
        if self.retry_at is not None:
            parts.append(f"not before {self.retry_at:.0f};")
        if self.request_id:
            parts.append(f"request {self.request_id};")
        return one_line(" ".join(parts).rstrip(";"))


def one_line(text: str, limit: int = _LINE_MAX) -> str:
    """Return text fit for one line of a log: printable, without line breaks, bounded."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    folded = " ".join(printable.split())
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"


def class_of_status(status: int) -> ErrorClass | None:
    """Return the class that a bare HTTP status stands for, or None when it is not an error.

    Args:
        status: an HTTP status. No client here follows redirects, so one is our fault.
    """
    if status >= _FIRST_SERVER_ERROR or status in _TRY_LATER:
        return ErrorClass.TRY_LATER
    if status in _NOT_FOUND:
        return ErrorClass.NOT_FOUND
    if status in _REFUSED:
        return ErrorClass.REFUSED
    if status >= _FIRST_ERROR or status // 100 == 3:  # noqa: PLR2004 - 3xx
        return ErrorClass.OUR_FAULT
    return None
