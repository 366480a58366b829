"""Removal of what is finished and old. Rows that are live are never touched, however old they are.

One call removes a bounded number per table, so that webhooks and claims never wait long behind it; the
retention loop calls until a call removed nothing.
"""

from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, func, or_, select

from runners.model.states import JobState, MachineState, RunnerState
from runners.store import events as event_log
from runners.store import kept_answers, page_sessions
from runners.store.tables import deliveries, events, jobs, last_lines, machines, runners, seen_tokens

# Deleting this many rows takes a few milliseconds on either database.
BATCH = 500


@dataclass(frozen=True, slots=True)
class Purged:
    """How many rows of each kind one call removed."""

    jobs: int = 0
    runners: int = 0
    machines: int = 0
    events: int = 0
    deliveries: int = 0
    seen_tokens: int = 0
    kept_answers: int = 0
    page_sessions: int = 0
    last_lines: int = 0

    @property
    def total(self) -> int:
        """All of them together; 0 says that nothing old is left."""
        return sum(getattr(self, field.name) for field in fields(self))


def purge(
    conn: Connection,
    before: float,
    *,
    tokens_expired_before: float | None = None,
    now: float | None = None,
    limit: int = BATCH,
) -> Purged:
    """Remove up to ``limit`` rows per table of what was finished before ``before`` (Unix seconds).

    Finished are completed and refused jobs, gone Runners, gone Machines without a Runner's row (with their
    Boots), events but for the newest, and deliveries. Claim tokens are forgotten once they expired before
    ``tokens_expired_before`` (``before`` when not given): a token that has expired cannot be replayed. With
    ``now`` the answers kept for repeats go, too, a day after they were given, and the page's sessions at
    their end.
    """
    job_end = func.coalesce(jobs.c.completed_at, jobs.c.accepted_at)
    finished_job = or_(jobs.c.state == JobState.COMPLETED, jobs.c.refused.is_not(None))
    has_runner = exists().where(runners.c.machine_name == machines.c.name)
    forget = before if tokens_expired_before is None else tokens_expired_before

    def remove(table: Table, *conditions: ColumnElement[bool]) -> int:
        return _remove(conn, table, limit, conditions)

    return Purged(
        jobs=remove(jobs, finished_job, job_end < before),
        # Runners first: a Machine's row outlives its Runners' rows.
        runners=remove(runners, runners.c.state == RunnerState.GONE, runners.c.gone_at < before),
        machines=remove(
            machines, machines.c.state == MachineState.GONE, machines.c.gone_at < before, ~has_runner
        ),
        # The newest event stays: it is the fleet's revision.
        events=remove(events, events.c.at < before, events.c.seq < event_log.revision(conn)),
        deliveries=remove(deliveries, deliveries.c.at < before),
        last_lines=remove(last_lines, last_lines.c.at < before),
        seen_tokens=remove(seen_tokens, seen_tokens.c.expires_at < forget),
        kept_answers=0 if now is None else kept_answers.purge(conn, now, limit),
        page_sessions=0 if now is None else page_sessions.purge(conn, now, limit),
    )


def _remove(conn: Connection, table: Table, limit: int, conditions: tuple[ColumnElement[bool], ...]) -> int:
    key = next(iter(table.primary_key.columns))
    oldest = select(key).where(*conditions).order_by(key).limit(limit)
    return conn.execute(delete(table).where(key.in_(oldest))).rowcount
