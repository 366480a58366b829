"""What operators are answered: what was, what is now, and what happens next."""

from runners.wire.answer import Answer
from runners.wire.times import Time


class PoolControls(Answer):
    """What an operator may set of a pool, overrides applied.

    Attributes:
        overrides: names of those that an operator has overridden; the others are fleet.toml's.
    """

    drained: bool
    max_machines: int
    ready: int
    stopped: int
    overrides: tuple[str, ...]


class PoolOperation(Answer):
    """A pool was drained, undrained or scaled, or was so already.

    Attributes:
        changed: false when it was so already: nothing was written, no event either.
        revision: of the event log with this change in it; who has read that far has seen it.
        version: the pool's ETag after it, for the next ``If-Match``.
        next: what happens now, in plain words.
    """

    pool: str
    changed: bool
    before: PoolControls
    after: PoolControls
    revision: int
    as_of: Time
    version: str
    next: tuple[str, ...]


class FleetControls(Answer):
    """What an operator may set of the whole fleet.

    Attributes:
        overridden: an operator said so; otherwise it is fleet.toml's word.
    """

    paused: bool
    overridden: bool


class FleetOperation(Answer):
    """The fleet was paused or resumed, or was so already; the fields are those of PoolOperation."""

    fleet: str
    changed: bool
    before: FleetControls
    after: FleetControls
    revision: int
    as_of: Time
    next: tuple[str, ...]


class RunnerControls(Answer):
    """What matters for a runner's end.

    Attributes:
        job_id: the job that it runs, null for none.
        end_asked: ``operator_retired`` (unless it runs a job) or ``operator_forced`` (whatever it runs).
    """

    state: str
    job_id: int | None
    end_asked: str | None


class RunnerOperation(Answer):
    """A runner's end was asked for, or it was ending already; the fields are those of PoolOperation.

    Attributes:
        loses_job: the job that is lost by it, null for none. Only force loses one.
    """

    runner: str
    changed: bool
    before: RunnerControls
    after: RunnerControls
    loses_job: int | None
    revision: int
    as_of: Time
    next: tuple[str, ...]


class SweepFind(Answer):
    """Something that has lost its partner.

    Attributes:
        kind: ``machine`` (at Fly, without a row), ``registration`` (at GitHub, without a runner), ``row`` (a
            Machine of ours that serves nobody any more), ``runner`` (its pool is no longer configured) or
            ``volume`` (at Fly, without a Machine).
        where: the app or the scope.
        confirmed: the planner ends it at its next pass; otherwise a second reading has to agree first.
        confirmed_at: from when a reading can confirm it; null when it is confirmed, or when nobody can say.
    """

    kind: str
    name: str
    where: str
    reason: str
    text: str
    confirmed: bool
    confirmed_at: Time | None


class SweepAnswer(Answer):
    """What a sweep finds, and whether lists were asked for now.

    Attributes:
        dry_run: nothing was asked for or changed.
        found: by the planner's latest snapshot.
        planned_at: when that was taken; null before the first, and then nothing can be found.
        revision: as in PoolOperation.
    """

    dry_run: bool
    found: tuple[SweepFind, ...]
    planned_at: Time | None
    revision: int
    as_of: Time
    next: tuple[str, ...]
