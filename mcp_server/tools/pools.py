"""What a pool's figures mean for whoever wants a runner of it: one state, and the Reason of it."""

from difflib import get_close_matches
from typing import Literal

from mcp_server.refused import Refused
from mcp_server.rule import Rule
from runners.wire.pool import PoolView
from runners.wire.status import FleetStatus
from runners.wire.why import HeldView

PoolState = Literal["open", "slowed", "full", "blocked", "drained", "paused"]
STATE_WORDS = (
    "open: takes jobs now; slowed: launches are paced, a job waits a little longer; full: at a cap, jobs "
    "wait for running ones to end; blocked: nothing is launched until the reason is gone; drained or "
    "paused: an operator stopped new work."
)
HANDLE = "fleet://pools/{pool}"

# The Reasons of held supply, as the dispatcher spells them (docs/reasons.md). What is in neither set blocks.
_HARMLESS = frozenset({"demand", "spare_wanted", "supply_on_its_way", "runner_idle", "not_planned_yet"})
_PACED = frozenset({"fly_create_budget", "github_write_budget", "not_dispatched"})
_CAPPED = frozenset({"pool_at_max", "fleet_at_max"})
_NEAR = 3
_BLOCKED = 3


def handle(pool: str) -> str:
    """The pool's handle."""
    return HANDLE.replace("{pool}", pool)


def judged(pool: PoolView, status: FleetStatus) -> tuple[PoolState, str | None]:
    """The pool's state and the Reason of it, the gravest first; no Reason for an open pool."""
    if status.paused:
        return "paused", "fleet_paused"
    if pool.drained:
        return "drained", "pool_drained"
    blocking = [each for each in pool.held if _weight(each) == _BLOCKED]
    if blocking:
        return "blocked", blocking[0].reason
    if pool.budget.left_usd is not None and pool.budget.left_usd <= 0:
        return "blocked", "pool_budget_spent"
    capped = [each for each in pool.held if each.reason in _CAPPED]
    if capped:
        return "full", capped[0].reason
    if pool.room == 0 and free_now(pool) == 0:
        return "full", "pool_at_max"
    paced = [each for each in pool.held if each.reason in _PACED]
    return ("slowed", paced[0].reason) if paced else ("open", None)


def free_now(pool: PoolView) -> int:
    """Runners that wait for a job, and spares that need no room under the cap."""
    return pool.runners.get("idle", 0) + pool.spares.ready + pool.spares.stopped


def tells(held: HeldView) -> bool:
    """Whether this entry says something of trouble."""
    return held.reason not in _HARMLESS


def supply(counts: dict[str, int]) -> dict[str, int]:
    """Rows by state, the zeros left out."""
    return {state: number for state, number in counts.items() if number}


def find_pool(status: FleetStatus, asked: str, attempted: str) -> PoolView:
    """The pool of that name, or the only one that serves a label of that name.

    Raises:
        Refused: NOT_FOUND; the nearest names of pools that the caller may see are offered.
    """
    for pool in status.pools:
        if pool.name == asked:
            return pool
    serving = [pool for pool in status.pools if asked.lower() in {each.lower() for each in pool.labels}]
    if serving:
        return serving[0]
    raise no_such_pool(status, asked, attempted)


def no_such_pool(status: FleetStatus, asked: str, attempted: str) -> Refused:
    """NOT_FOUND for a pool, with the nearest names and labels there are."""
    known = sorted({word for pool in status.pools for word in (pool.name, *pool.labels)})
    near = get_close_matches(asked, known, n=_NEAR, cutoff=0.5)
    step = f"did you mean {' or '.join(near)}?" if near else "list the pools with fleet_overview"
    return Refused(
        Rule.NOT_FOUND,
        cause="the fleet has no such pool, or the caller may not see it",
        attempted=attempted,
        missing="the name of a pool, or a label that one serves",
        next_step=step,
    )


def _weight(held: HeldView) -> int:
    if held.reason in _HARMLESS:
        return 0
    if held.reason in _PACED:
        return 1
    return 2 if held.reason in _CAPPED else _BLOCKED
