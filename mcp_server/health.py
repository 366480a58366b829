"""Health: ok, degraded (with what) or down, decided from what was seen; no clock, no I/O.

*Down* means that no call could be answered: nothing can be recorded, nobody can be told from anybody, or
there is neither a fleet view nor a way to get one. *Degraded* means that calls are answered and something is
wrong that an operator should know; a stale view says so in every answer, too.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from runners.upstream.breaker import BreakerState
from runners.wire.times import rfc3339

# Seconds. Tokens end and audit files turn by this clock; half a minute is more than any two synchronized
# clocks differ, and less than matters to either.
CLOCK_OFF_MAX_S = 30.0

_WORD = re.compile(r"[a-z0-9_]{1,64}")


class State(StrEnum):
    """How something is, the worst last."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


_WORST = tuple(State)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        state: how it is.
        detail: what is wrong, in words of ours; "" when nothing is.
    """

    name: str
    state: State = State.OK
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """How this server is.

    Attributes:
        checks: everything that was looked at, in a fixed order.
        as_of: Unix seconds.
    """

    checks: tuple[Check, ...]
    as_of: float

    @property
    def state(self) -> State:
        """The worst of them."""
        return max((check.state for check in self.checks), key=_WORST.index, default=State.OK)

    def as_json(self) -> dict[str, Any]:
        """What a probe is told."""
        return {
            "status": self.state.value,
            "as_of": rfc3339(self.as_of),
            "wrong": [check.name for check in self.checks if check.state is not State.OK],
            "checks": [
                {"name": check.name, "status": check.state.value, "detail": check.detail}
                for check in self.checks
            ],
        }


@dataclass(frozen=True, slots=True)
class TokensSign:
    """The token file.

    Attributes:
        readable: whether there is any reading of it.
        problem: what is wrong with it, or None.
    """

    readable: bool
    problem: str | None


@dataclass(frozen=True, slots=True)
class ViewSign:
    """The fleet view that would be shown.

    Attributes:
        age_s: its age, or None when there is none at this moment: nobody has asked, or it never came.
        stale: whether it is too old to rely on.
    """

    age_s: float | None
    stale: bool


@dataclass(frozen=True, slots=True)
class DispatcherSign:
    """What the dispatcher said about itself.

    Attributes:
        unreached: why it gave no usable answer, in words of ours; None when it did.
        not_ready: names of its own checks that failed.
        clock_off_s: by how much its clock is surely ahead of ours (behind: negative); 0 when nobody can tell.
    """

    unreached: str | None
    not_ready: Sequence[str] = ()
    clock_off_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Signs:
    """Everything that was seen.

    Attributes:
        audit: why nothing can be recorded, or None.
        tokens: None where there are no tokens, on standard input.
        own_token: what the dispatcher's token may do beyond reading, or None.
    """

    audit: str | None
    tokens: TokensSign | None
    view: ViewSign
    dispatcher: DispatcherSign
    breaker: BreakerState
    own_token: str | None = None


def judge(signs: Signs, now: float) -> Health:
    """How the server is, by what was seen."""
    checks = (
        _audit(signs.audit),
        *(() if signs.tokens is None else (_tokens(signs.tokens),)),
        _own_token(signs.own_token),
        _view(signs),
        _dispatcher(signs.dispatcher),
        _breaker(signs.breaker),
        _clock(signs.dispatcher),
    )
    return Health(checks, now)


def _audit(problem: str | None) -> Check:
    if problem is None:
        return Check("audit")
    return Check("audit", State.DOWN, f"no call can be recorded, so none is answered: {problem}")


def _tokens(sign: TokensSign) -> Check:
    if sign.problem is None:
        return Check("tokens")
    return Check("tokens", State.DEGRADED if sign.readable else State.DOWN, sign.problem)


def _own_token(problem: str | None) -> Check:
    if problem is None:
        return Check("own_token")
    return Check("own_token", State.DEGRADED, f"{problem}; give this server one that can only read")


def _view(signs: Signs) -> Check:
    age = signs.view.age_s
    if age is None:
        if signs.dispatcher.unreached is None and signs.breaker is not BreakerState.OPEN:
            return Check("view")
        return Check("view", State.DOWN, "there is no view of the fleet, and the dispatcher cannot be asked")
    if signs.view.stale:
        return Check("view", State.DEGRADED, f"the fleet was last seen {age:.0f} s ago; answers say stale")
    return Check("view")


def _dispatcher(sign: DispatcherSign) -> Check:
    if sign.unreached is not None:
        return Check("dispatcher", State.DEGRADED, sign.unreached)
    if sign.not_ready:
        # Its words are its own: only such as could be names of checks are passed on.
        names = ", ".join(name if _WORD.fullmatch(name) else "unknown" for name in sign.not_ready[:10])
        return Check("dispatcher", State.DEGRADED, f"the dispatcher is not ready: {names}")
    return Check("dispatcher")


def _breaker(state: BreakerState) -> Check:
    if state is BreakerState.CLOSED:
        return Check("breaker")
    words = {
        BreakerState.OPEN: "the dispatcher failed so often that it is not asked for a while",
        BreakerState.TRYING: "the dispatcher failed often; it is being tried again",
    }
    return Check("breaker", State.DEGRADED, words[state])


def _clock(sign: DispatcherSign) -> Check:
    if abs(sign.clock_off_s) <= CLOCK_OFF_MAX_S:
        return Check("clock")
    side = "behind" if sign.clock_off_s > 0 else "ahead of"
    detail = f"this server's clock is {abs(sign.clock_off_s):.0f} s {side} the dispatcher's"
    return Check("clock", State.DEGRADED, detail)
