"""What each of Fly's errors means for the fleet: one table, complete, read by the provider.

The class decides what the planner does next; the next step is for the person who reads the event.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from fly.errors import (
    FlyBadAnswer,
    FlyConflict,
    FlyError,
    FlyForbidden,
    FlyHostDraining,
    FlyHostFull,
    FlyInvalid,
    FlyMachineLimit,
    FlyNameTaken,
    FlyNoCapacity,
    FlyNoSocket,
    FlyNotFound,
    FlyNotReady,
    FlyRateLimited,
    FlyServerError,
    FlyTimeout,
    FlyUnanswered,
    FlyUnauthorized,
    FlyUnexpected,
    FlyUnusable,
    FlyVolumeHostFull,
)
from runners.upstream.clock import Clock
from runners.upstream.errors import ErrorClass, UpstreamError
from runners.upstream.limits import retry_after
from runners.upstream.unanswered import unanswered

UPSTREAM = "fly"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What to do about one kind of error, why it happened, and who does what next."""

    error_class: ErrorClass
    why: str
    next_step: str


_ELSEWHERE = "another region or app of the pool is tried; give the pool more regions if this lasts"
_BY_ITSELF = "it is tried again by itself"
_LOOK_UP = "it is looked up by name before anything is repeated"
_TOKEN = "put a valid deploy token for the runner apps into FLY_API_TOKEN"  # noqa: S105 - advice, not a token

MEANINGS: Mapping[type[FlyError], Meaning] = {
    FlyNotFound: Meaning(
        ErrorClass.NOT_FOUND,
        "Fly knows no such app or Machine",
        "check the pool's apps and that the token covers them; for a Machine, it is gone",
    ),
    FlyNoCapacity: Meaning(ErrorClass.NO_CAPACITY, "no host there has room", _ELSEWHERE),
    FlyHostFull: Meaning(
        ErrorClass.NO_CAPACITY,
        "the Machine's own host has no room",
        "it is replaced by a new Machine elsewhere",
    ),
    FlyVolumeHostFull: Meaning(ErrorClass.NO_CAPACITY, "the volume's host has no room", _ELSEWHERE),
    FlyHostDraining: Meaning(
        ErrorClass.NO_CAPACITY,
        "the host takes no deploys at present",
        "it is replaced by a new Machine elsewhere",
    ),
    FlyRateLimited: Meaning(ErrorClass.TRY_LATER, "too many calls of this kind", _BY_ITSELF),
    FlyNotReady: Meaning(
        ErrorClass.TRY_LATER, "the Machine's present state does not allow it yet", _BY_ITSELF
    ),
    FlyConflict: Meaning(
        ErrorClass.TRY_LATER, "somebody else is changing the Machine", "it is read again, then tried again"
    ),
    FlyTimeout: Meaning(ErrorClass.TRY_LATER, "Fly gave up waiting for its own host", _LOOK_UP),
    FlyServerError: Meaning(ErrorClass.TRY_LATER, "Fly failed", _LOOK_UP),
    FlyBadAnswer: Meaning(
        ErrorClass.TRY_LATER, "Fly's answer cannot be read", "see whether Fly changed its API; " + _LOOK_UP
    ),
    FlyUnanswered: Meaning(ErrorClass.TRY_LATER, "no readable answer came", _LOOK_UP),
    FlyUnauthorized: Meaning(ErrorClass.REFUSED, "Fly does not accept the token", _TOKEN),
    FlyForbidden: Meaning(ErrorClass.REFUSED, "the token does not permit it", _TOKEN),
    FlyUnusable: Meaning(ErrorClass.REFUSED, "the token cannot be sent", _TOKEN),
    FlyNoSocket: Meaning(
        ErrorClass.REFUSED,
        "there is no such socket, so this is no Fly Machine",
        "run it on a Fly Machine, or prove who it is in another way",
    ),
    FlyMachineLimit: Meaning(
        ErrorClass.REFUSED,
        "the organization may not have more Machines",
        "ask Fly for a higher limit, or lower fleet.max_machines below it",
    ),
    FlyNameTaken: Meaning(
        ErrorClass.REFUSED, "another Machine has the name", "see who else creates Machines in this app"
    ),
    FlyInvalid: Meaning(
        ErrorClass.OUR_FAULT,
        "Fly calls the request wrong",
        "check the pool's regions, image and machine class; if they are right, fly-gha is wrong: report it",
    ),
    FlyUnexpected: Meaning(
        ErrorClass.OUR_FAULT,
        "Fly answered as it never did before",
        "check the base URL of Fly; if it is right, fly-gha is at fault: report it",
    ),
}


def as_upstream_error(error: FlyError, *, now: float, mutating: bool) -> UpstreamError:
    """Return what one of Fly's errors means.

    Args:
        error: from fly.client or fly.keys.
        now: Unix seconds; what a relative Retry-After counts from.
        mutating: whether the call was to change something; a failed reading leaves nothing in doubt.
    """
    if isinstance(error, FlyUnanswered) and isinstance(error.__cause__, httpx.TransportError):
        return unanswered(UPSTREAM, error.attempted, error.__cause__, mutating=mutating)
    meaning = MEANINGS[type(error)]
    return UpstreamError(
        upstream=UPSTREAM,
        error_class=meaning.error_class,
        attempted=error.attempted,
        why=f'{meaning.why}: "{error.text}"' if error.text else meaning.why,
        status=error.status,
        answered=not (mutating and error.ambiguous),
        retry_at=retry_after(error.retry_after, now),
        request_id=error.request_id,
        next_step=meaning.next_step if mutating or meaning.next_step != _LOOK_UP else _BY_ITSELF,
    )


@contextmanager
def in_our_words(clock: Clock, *, mutating: bool) -> Iterator[None]:
    """Raise what the calls inside mean instead of what Fly said; ``mutating`` as for as_upstream_error."""
    try:
        yield
    except FlyError as error:
        raise as_upstream_error(error, now=clock.now(), mutating=mutating) from error


def keys_unreadable(error: FlyError, *, now: float) -> UpstreamError:
    """Return what it means that the issuer's keys cannot be read: nobody is refused, all claims wait."""
    meant = as_upstream_error(error, now=now, mutating=False)
    return UpstreamError(
        upstream=UPSTREAM,
        error_class=ErrorClass.TRY_LATER,
        attempted=meant.attempted,
        why=meant.why if isinstance(error, FlyUnanswered) else error.text or "the issuer refused",
        status=meant.status,
        retry_at=meant.retry_at,
        next_step="claims wait until it answers; if this lasts, check fly.org_slug and fly.oidc_issuer",
    )
