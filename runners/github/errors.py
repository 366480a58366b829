"""What GitHub's failures mean: one table from its answers, and from lost ones, to UpstreamError.

Two things a bare status does not tell. A 403 may be a rate limit (runners.upstream.limits reads which;
githubkit misses one form and fails on a ``retry-after`` that is a date). And a 5xx to a mutating call is not
an answer: GitHub may have registered the runner and lost its own reply (issues ubicloud#692, runs-on#30).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from runners.upstream.errors import ErrorClass, UpstreamError, class_of_status, one_line
from runners.upstream.limits import rate_limited_until
from runners.upstream.unanswered import unanswered

UPSTREAM: Final = "github"

_FIRST_SERVER_ERROR = 500
# ``organization_self_hosted_runners=write; administration=read``: sets of permissions, any of which would do.
_PERMISSIONS = re.compile(r"[a-z_]+=[a-z]+(?:[,;] ?[a-z_]+=[a-z]+){0,9}")
GRANT = (
    "grant it in the App's settings, under Permissions; then the account's owner must accept it under "
    "Installed GitHub Apps; a published token has it after the publisher's next pass"
)


@dataclass(frozen=True, slots=True)
class _Meaning:
    error_class: ErrorClass
    why: str
    next_step: str


_RATE_LIMITED = _Meaning(
    ErrorClass.TRY_LATER,
    "GitHub's rate limit for this installation is used up",
    "wait until then; lower github.writes_per_minute if it repeats",
)
_MOVED = _Meaning(
    ErrorClass.OUR_FAULT,
    "GitHub says it has moved",
    "use the new name of the organization or repository, or the right github.api_url",
)
_SERVER_ERROR = _Meaning(
    ErrorClass.TRY_LATER,
    "GitHub failed to answer",
    "wait; the next pass tries again. See githubstatus.com if it lasts",
)
_NOT_THE_API = "check that github.api_url is GitHub's REST API and that nothing between rewrites its answers"

_MEANINGS: Mapping[int, _Meaning] = {
    400: _Meaning(
        ErrorClass.OUR_FAULT,
        "GitHub could not read the request",
        "check names and labels of the pool, and github.api_version",
    ),
    401: _Meaning(
        ErrorClass.REFUSED,
        "GitHub does not accept the credential",
        "check that the token publisher runs, or that the App key and github.app_id belong together",
    ),
    403: _Meaning(
        ErrorClass.REFUSED,
        "GitHub forbids it to this credential",
        "give the App organization_self_hosted_runners:write (administration:write for a repository scope), "
        "actions:read and metadata:read, and check that its installation is not suspended",
    ),
    404: _Meaning(
        ErrorClass.NOT_FOUND,
        "GitHub does not know it, or hides it from this credential",
        "check the scope's spelling, that the App is installed there, and its permissions",
    ),
    409: _Meaning(ErrorClass.REFUSED, "it conflicts with what GitHub has", "look at what is there first"),
    422: _Meaning(
        ErrorClass.OUR_FAULT,
        "GitHub understood the request and rejects its content",
        "check names, labels and runner group of the pool",
    ),
    429: _RATE_LIMITED,
}


class NameTaken(UpstreamError):
    """A registration of that name exists already.

    Names are never reused, so this is nearly always our own mint whose answer was lost. Find the record by
    name, DELETE it, and mint under a new name; repeating the same name cannot work.
    """


def from_answer(response: httpx.Response, *, attempted: str, mutating: bool, now: float) -> UpstreamError:
    """Returns what an answer with an error status means.

    Args:
        response: the answer, its body read.
        attempted: the call in plain words.
        mutating: whether the call changes something at GitHub.
        now: Unix seconds, for ``retry_at``.
    """
    status = response.status_code
    limited_until = _limited_until(response, now)
    meaning = _meaning_of(status) if limited_until is None else _RATE_LIMITED
    if limited_until is None and status == httpx.codes.FORBIDDEN:
        meaning = _of_missing_permission(response) or meaning
    return UpstreamError(
        upstream=UPSTREAM,
        error_class=meaning.error_class,
        attempted=attempted,
        why=meaning.why,
        status=status,
        answered=not (mutating and status >= _FIRST_SERVER_ERROR),
        retry_at=limited_until,
        request_id=request_id(response),
        next_step=meaning.next_step,
    )


def without_answer(error: Exception, *, attempted: str, mutating: bool) -> UpstreamError | None:
    """Returns what a call without a usable answer means; None when the error is not the network's."""
    if isinstance(error, httpx.TransportError):
        return unanswered(UPSTREAM, attempted, error)
    if isinstance(error, httpx.InvalidURL):
        return our_fault(
            attempted, "the address cannot be built", "check github.api_url and the pool's scope"
        )
    if isinstance(error, httpx.HTTPError):  # an answer came, and httpx could not decode it
        return UpstreamError(
            upstream=UPSTREAM,
            error_class=ErrorClass.TRY_LATER,
            attempted=attempted,
            why=f"the answer cannot be read ({type(error).__name__})",
            answered=not mutating,
            next_step=_NOT_THE_API,
        )
    return None


def unreadable(response: httpx.Response, detail: str, *, attempted: str, mutating: bool) -> UpstreamError:
    """Returns what an answer means whose status is fine and whose content is not.

    A mutating call has happened then, but what it made is unknown: that is a lost answer.
    """
    return UpstreamError(
        upstream=UPSTREAM,
        error_class=ErrorClass.TRY_LATER,
        attempted=attempted,
        why=f"the answer cannot be read: {detail}",
        status=response.status_code,
        answered=not mutating,
        request_id=request_id(response),
        next_step=_NOT_THE_API,
    )


def our_fault(attempted: str, why: str, next_step: str) -> UpstreamError:
    """Returns what a call means that is wrong before it is sent."""
    return UpstreamError(
        upstream=UPSTREAM,
        error_class=ErrorClass.OUR_FAULT,
        attempted=attempted,
        why=why,
        next_step=next_step,
    )


def name_taken(response: httpx.Response, *, attempted: str) -> NameTaken:
    """Returns the meaning of a 409 to a mint."""
    return NameTaken(
        upstream=UPSTREAM,
        error_class=ErrorClass.TRY_LATER,
        attempted=attempted,
        why="a runner of that name is registered already, most likely by a mint whose answer was lost",
        status=response.status_code,
        request_id=request_id(response),
        next_step="find the registration by name, DELETE it, and mint under a new name",
    )


def request_id(response: httpx.Response) -> str:
    """GitHub's own id of the call, which its support asks for."""
    return one_line(response.headers.get("x-github-request-id", ""), 100)


def _of_missing_permission(response: httpx.Response) -> _Meaning | None:
    """GitHub names what it would accept (x-accepted-github-permissions, GitHub's changelog of 2023-08-10)."""
    said = response.headers.get("x-accepted-github-permissions", "")
    if not _PERMISSIONS.fullmatch(said):
        return None
    return _Meaning(ErrorClass.REFUSED, f"this credential lacks a permission: GitHub asks for {said}", GRANT)


def _limited_until(response: httpx.Response, now: float) -> float | None:
    headers = response.headers.copy()
    headers.pop("content-encoding", None)  # httpx has decoded the body already
    return rate_limited_until(response.status_code, headers, response.content, now=now)


def _meaning_of(status: int) -> _Meaning:
    if known := _MEANINGS.get(status):
        return known
    if status >= _FIRST_SERVER_ERROR:
        return _SERVER_ERROR
    error_class = class_of_status(status)
    if error_class is None or httpx.codes.is_redirect(status):
        return _MOVED
    return _Meaning(error_class, "GitHub refused it", "look the status up in GitHub's REST documentation")
