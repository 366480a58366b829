"""What a restored database may still believe, and what not: its rows are promises of the past.

Since the copy was made each of its live Machines may have received a registration, run a job, and be about to
be started or asked again. So none of them gives or gets anything any more:

- Every live Machine counts as one that received a registration: it is never started again.
- Every live Runner without a claim counts as claimed, and what was sealed is gone: nobody is given it.
- The planner's lease and the sessions of browsers are over.

What is out there decides the rest, by the rules that hold anyway: a Runner that GitHub shows busy is busy,
one that never comes online is removed at GitHub first, which refuses while it runs a job, and what no row
knows is swept after two readings, unless it is busy.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, delete

from runners.model.reason import Reason
from runners.model.states import MachineState, RunnerState
from runners.store import deliveries, events, machines, runners, tokens
from runners.store.tables import lease, page_sessions, sealed

ACTOR = "restore"
_UNCLAIMED = (RunnerState.REQUESTED, RunnerState.LAUNCHING, RunnerState.BOOTING)


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What the rows promised and no longer do.

    Attributes:
        machines: live Machines that had not received a registration.
        runners: live Runners that had not claimed.
        tokens: API tokens revoked again, because the replaced database had them revoked.
    """

    machines: int
    runners: int
    tokens: int


def take_back(conn: Connection, now: float, revoked: dict[str, float], said: str) -> TakenBack:
    """Take back what the rows promise; safe to do twice.

    Args:
        conn: the restored database, at the newest revision.
        now: Unix seconds.
        revoked: by id, when an API token was revoked that the copy may hold as valid.
        said: what was restored, for the event.
    """
    unclaimed = [runner for runner in runners.live(conn) if runner.state in _UNCLAIMED]
    for runner in unclaimed:
        _move_runner(conn, runner.name, now)
    unbound = [machine for machine in machines.live(conn) if machine.state is not MachineState.BOUND]
    for machine in unbound:
        if machine.state is MachineState.STOPPED:
            _move_machine(conn, machine.name, MachineState.STARTING, now)
        _move_machine(conn, machine.name, MachineState.BOUND, now)
    for table in (sealed, page_sessions, lease):
        conn.execute(delete(table))
    deliveries.set_cursor(conn, deliveries.RESTORED, repr(now))
    ended = [each for each, at in sorted(revoked.items()) if tokens.revoke(conn, each, at)]
    taken = TakenBack(len(unbound), len(unclaimed), len(ended))
    events.append(
        conn,
        at=now,
        actor=ACTOR,
        verb="restored",
        target="fleet",
        reason=Reason.DATABASE_RESTORED,
        detail=(
            f"{said}; {taken.machines} Machines, {taken.runners} Runners and {taken.tokens} tokens taken back"
        ),
    )
    return taken


def _move_runner(conn: Connection, name: str, now: float) -> None:
    detail = "its registration may have been handed out since the backup"
    runners.move(
        conn,
        name,
        RunnerState.CLAIMED,
        at=now,
        actor=ACTOR,
        reason=Reason.DATABASE_RESTORED,
        detail=detail,
        claimed_at=now,
    )


def _move_machine(conn: Connection, name: str, to: MachineState, now: float) -> None:
    detail = "it may have received a registration since the backup"
    machines.move(conn, name, to, at=now, actor=ACTOR, reason=Reason.DATABASE_RESTORED, detail=detail)
