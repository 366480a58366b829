"""What the routes that look things up by name share: not found with near names, cursors, page sizes."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from runners.api.problems import ApiProblem
from runners.model.reason import Reason
from runners.wire.times import unix_seconds

LIMIT_DEFAULT = 100
LIMIT_MAX = 500
# A page that hides what the caller may not see looks at no more rows than this before it answers.
SCANNED_MAX = 5000
BATCH = 500
DAY_S = 86_400.0

Limit = Annotated[int, Field(ge=1, le=LIMIT_MAX)]
ShortText = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
# A row's own handle, so that whoever shows only the first few rows of a page goes on after any of them.
NumberCursor = Annotated[str, Field(pattern=r"^\d{1,18}$")]
# RFC 3339 or Unix seconds; ``moment`` reads it.
Moment = Annotated[str, Field(max_length=40), AfterValidator(lambda text: (unix_seconds(text), text)[1])]


class Question(BaseModel):
    """Query parameters of one route: an unknown one is a mistake, not a wish to be ignored."""

    model_config = ConfigDict(extra="forbid")


def moment(text: Moment | None) -> float | None:
    """Unix seconds of a time that was asked for, None when none was."""
    return None if text is None else unix_seconds(text)


@dataclass(frozen=True, slots=True)
class Window:
    """A time that was asked about, in Unix seconds; ``until`` is left out of it, unless it is now."""

    since: float
    until: float
    to_now: bool


def window(since: Moment | None, until: Moment | None, now: float, *, days: int, attempted: str) -> Window:
    """The window of a question; without ``until`` it ends now, without ``since`` it is one day long.

    Raises:
        ApiProblem: 422, it ends before it begins, lies in the future, or is longer than ``days``.
    """
    asked, begin = moment(until), moment(since)
    end = now if asked is None else min(now, asked)
    begin = end - DAY_S if begin is None else begin
    if not begin < end or end - begin > days * DAY_S:
        raise invalid(
            f"the window must begin before it ends, and in the past, and be at most {days} days long",
            attempted,
            "correct since and until",
        )
    return Window(begin, end, to_now=end == now)


def not_found(kind: str, known: Iterable[str] = (), asked: str = "") -> ApiProblem:
    """404 for a named thing; one that the caller may not see is not found just like one that is not there.

    Args:
        kind: ``pool``, ``job``, ``runner``.
        known: names the caller may see, to offer the nearest of.
        asked: the name asked for; it is compared and never quoted.
    """
    near = get_close_matches(asked, sorted(known), n=3, cutoff=0.5) if asked else []
    step = f"did you mean {' or '.join(near)}?" if near else f"list what there is: GET /v1/{kind}s"
    return ApiProblem(
        404,
        Reason.NOT_FOUND,
        what=f"there is no such {kind}",
        why=f"this fleet has none of that name or id, or the token may not see it; old {kind}s are removed",
        attempted=f"look up a {kind}",
        next_step=step,
    )


def cursor_unknown(kind: str) -> ApiProblem:
    """422 for a cursor whose row has no place any more, or none that the caller may know.

    Args:
        kind: ``job``, ``runner``.
    """
    return ApiProblem(
        422,
        Reason.CURSOR_UNKNOWN,
        what="the page after this cursor cannot be told",
        why=f"the fleet knows no such {kind} any more, or the token may not see it; old {kind}s are removed",
        attempted=f"GET /v1/{kind}s",
        next_step="begin again with the first page, without a cursor",
    )


def invalid(why: str, attempted: str, next_step: str) -> ApiProblem:
    """422 for a question that is well-formed and makes no sense."""
    return ApiProblem(
        422,
        Reason.REQUEST_INVALID,
        what="the request was not understood",
        why=why,
        attempted=attempted,
        next_step=next_step,
    )
