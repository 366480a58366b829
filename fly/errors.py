"""What can go wrong with a call to Fly, as a tree of exceptions; which one it is, refusals.py decides."""

import re

_NAME_TAKEN = re.compile(r"machine ID (?P<id>[A-Za-z0-9]+) already exists with name", re.IGNORECASE)


class FlyError(Exception):
    """A call to Fly failed.

    Attributes:
        attempted: the call in plain words.
        status: the HTTP status, or None without an answer.
        code: the ``status`` field of Fly's answer, or "".
        text: Fly's own words, bounded and printable, or "".
        request_id: Fly's ``fly-request-id``, or "".
        retry_after: the Retry-After header as it came, or None.
    """

    ambiguous: bool = False
    """Whether a mutating call may have taken effect in spite of this error."""

    def __init__(
        self,
        attempted: str,
        *,
        status: int | None = None,
        code: str = "",
        text: str = "",
        request_id: str = "",
        retry_after: str | None = None,
    ) -> None:
        super().__init__(attempted, status, code, text)
        self.attempted = attempted
        self.status = status
        self.code = code
        self.text = text
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        """Status, code and Fly's words."""
        said = ", ".join(str(part) for part in (self.status, self.code, self.text) if part)
        return f"could not {self.attempted}: {said or type(self).__name__}"


class FlyUnanswered(FlyError):
    """No answer came; the cause is httpx's error (``__cause__``)."""

    ambiguous = True


class FlyBadAnswer(FlyError):
    """Fly said it was done, but the answer cannot be read."""

    ambiguous = True


class FlyUnusable(FlyError):
    """The configured token cannot be sent at all; nothing was."""


class FlyNoSocket(FlyError):
    """There is no socket of Fly's init here; nothing was sent."""


class FlyUnauthorized(FlyError):
    """401: Fly does not accept the token."""


class FlyForbidden(FlyError):
    """403: the token does not permit this."""


class FlyNotFound(FlyError):
    """404: no such app, Machine or volume."""


class FlyInvalid(FlyError):
    """400 or 422: the request itself is wrong."""


class FlyNameTaken(FlyError):
    """409: a live Machine of this app already has the name."""

    @property
    def machine_id(self) -> str:
        """The id of the Machine that has the name, or "" when Fly's text does not tell."""
        found = _NAME_TAKEN.search(self.text)
        return found["id"] if found else ""


class FlyNoCapacity(FlyError):
    """No host in the region (or of the app's placement) has room."""


class FlyHostFull(FlyError):
    """The one host this Machine lives on has no room: it starts elsewhere or later."""


class FlyVolumeHostFull(FlyError):
    """412: the host of the named volume has no room."""


class FlyHostDraining(FlyError):
    """The host takes no deploys at present."""


class FlyMachineLimit(FlyError):
    """The organization may not have more Machines."""


class FlyConflict(FlyError):
    """409: somebody else changed the Machine meanwhile, or holds its lease."""


class FlyNotReady(FlyError):
    """The Machine's present state does not allow this yet."""


class FlyRateLimited(FlyError):
    """Too many calls of this kind."""


class FlyTimeout(FlyError):
    """408: Fly itself waited too long for a host."""

    ambiguous = True


class FlyServerError(FlyError):
    """5xx."""

    ambiguous = True


class FlyUnexpected(FlyError):
    """An answer that nothing published or seen explains."""
