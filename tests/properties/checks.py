"""What must hold of any Plan: each promise counted from scratch, with none of the planner's code."""

from collections import Counter
from collections.abc import Iterator, Sequence

from runners.model.nouns import Runner
from runners.model.snapshot import Snapshot
from runners.model.states import JobState, RunnerState
from runners.planning.plan import (
    BindSpare,
    Deregister,
    Destroy,
    Launch,
    Plan,
    Retire,
    StartSpare,
    SweepMachine,
    SweepRegistration,
    SweepVolume,
)

REQUESTS = (Launch, StartSpare, BindSpare)


def broken_promises(before: Snapshot, plan: Plan) -> list[str]:
    """Every promise that this plan breaks, in words."""
    return [
        *_caps(before, plan),
        *_creates(before, plan),
        *_volumes(before, plan),
        *_writes(before, plan),
        *_kills(before, plan),
        *_twice(plan),
    ]


def _caps(before: Snapshot, plan: Plan) -> Iterator[str]:
    launches = [action for action in plan.actions if isinstance(action, Launch)]
    for pool in before.pools:
        there = sum(row.pool == pool.name for row in before.machines)
        new = sum(action.pool == pool.name for action in launches)
        if new and there + new > pool.settings.max_machines:
            yield f"pool {pool.name}: {there} + {new} Machines of {pool.settings.max_machines}"
    if launches and len(before.machines) + len(launches) > before.max_machines:
        yield f"fleet: {len(before.machines)} + {len(launches)} Machines of {before.max_machines}"
    if launches and before.paused:
        yield "a paused fleet launches"
    drained = {pool.name for pool in before.pools if pool.drained} | before.distrust.keys()
    yield from (
        f"drained or distrusted pool {action.pool} takes work"
        for action in plan.actions
        if isinstance(action, REQUESTS) and action.pool in drained
    )


def _creates(before: Snapshot, plan: Plan) -> Iterator[str]:
    limits = before.limits
    new = Counter(action.app for action in plan.actions if isinstance(action, Launch))
    for app, count in new.items():
        times = limits.creates.get(app, ())
        # The content of a token bucket in closed form: the tightest of all windows that end now.
        if count > _allowed(before, times) + 1e-6:
            yield f"{count} creates in app {app}, {_allowed(before, times):.2f} allowed"
        if limits.blocked_until.get(f"fly:{app}", 0.0) > before.now:
            yield f"a create in app {app}, which is blocked"
    machines = {row.name: row for row in before.machines}
    for action in plan.actions:
        app = machines[action.machine].app if isinstance(action, (StartSpare, Destroy)) else ""
        app = action.app if isinstance(action, (SweepMachine, SweepVolume)) else app
        if app and limits.blocked_until.get(f"fly:{app}", 0.0) > before.now:
            yield f"{action} calls app {app}, which is blocked"


def _volumes(before: Snapshot, plan: Plan) -> Iterator[str]:
    """Only what readings have shown alone for long enough, and no faster than Fly lets volumes be deleted."""
    deletes: Counter[str] = Counter()
    for action in plan.actions:
        if isinstance(action, SweepVolume):
            deletes[action.app] += 1
            reading = before.volumes[action.app]
            longest = max(before.timing.absence_confirm, before.timing.launch_deadline)
            if reading is None or reading.at - reading.alone_since[action.volume_id] < longest:
                yield f"{action} deletes what was not seen alone for {longest} s"
    for app, count in deletes.items():
        times = sorted(at for name, at in before.swept.items() if name.startswith(f"volume/{app}/"))
        if count > _allowed(before, times) + 1e-6:
            yield f"{count} volumes deleted in app {app}, {_allowed(before, times):.2f} allowed"


def _allowed(before: Snapshot, times: Sequence[float]) -> float:
    """What a bucket of creates still holds after these, in whatever window one looks."""
    limits = before.limits
    windows = (
        limits.create_burst - (len(times) - index) + limits.creates_per_second * (before.now - at)
        for index, at in enumerate(times)
    )
    return min([limits.create_burst, *windows])


def _writes(before: Snapshot, plan: Plan) -> Iterator[str]:
    owners = {pool.name: pool.settings.owner for pool in before.pools}
    rows = {row.name: row for row in before.runners}
    new: Counter[str] = Counter()
    for action in plan.actions:
        match action:
            case Launch() | StartSpare() | BindSpare() if action.registration == "jit":
                new[owners[action.pool]] += 1
            case Deregister(name, _):
                new[rows[name].scope.split("/")[1]] += 1
            case Retire(name, why) if _has_record(rows[name]) and not _minting(
                before, rows[name], why.reason
            ):
                new[rows[name].scope.split("/")[1]] += 1
            case SweepRegistration(scope, _, _, _):
                new[scope.split("/")[1]] += 1
            case _:
                continue
    for owner, count in new.items():
        spent = sum(before.now - at < 60.0 for at in before.limits.writes.get(owner, ()))
        if spent + count > before.limits.writes_per_minute:
            yield f"{spent} + {count} writes of {owner} in a minute of {before.limits.writes_per_minute}"
        if before.limits.blocked_until.get(f"github:{owner}", 0.0) > before.now:
            yield f"{count} writes of {owner}, which is blocked"


def _has_record(runner: Runner) -> bool:
    given = runner.mint_sent_at if runner.registration == "jit" else runner.claimed_at
    return runner.deregistered_at is None and given is not None


def _minting(before: Snapshot, runner: Runner, reason: str) -> bool:
    out = runner.mint_sent_at is not None and runner.minted_at is None and reason != "mint_lost"
    return out and before.now - (runner.mint_sent_at or 0.0) <= before.timing.launch_deadline


def _kills(before: Snapshot, plan: Plan) -> Iterator[str]:
    life = before.timing.max_lifetime
    forced = {row.name for row in before.runners if row.end_asked == "operator_forced"}
    rows = {row.name: row for row in before.runners}
    machines = {row.name: row for row in before.machines}
    busy = {
        row.machine_name: row
        for row in before.runners
        if row.state is RunnerState.BUSY
        and row.name not in forced
        and before.now - (row.claimed_at or row.requested_at) <= life
    }
    for action in plan.actions:
        if isinstance(action, Retire) and rows[action.runner] in busy.values():
            yield f"{action} retires a busy Runner"
        elif isinstance(action, Destroy) and action.machine in busy:
            row = machines[action.machine]
            reading = before.fly.get(row.app)
            seen = None if reading is None else reading.machines.get(row.name)
            if seen is None or seen.state not in ("stopped", "failed"):
                yield f"{action} destroys the Machine of busy {busy[action.machine].name}"
        elif isinstance(action, SweepMachine):
            yield from (
                f"{action} sweeps the Machine of job {job.id}"
                for job in before.jobs
                if job.state is JobState.IN_PROGRESS
                and job.lost is None
                and job.runner_name not in forced
                and (job.runner_name or "").startswith(f"{action.name}-")
                and before.now - (job.in_progress_at or job.accepted_at) <= life
            )


def _twice(plan: Plan) -> Iterator[str]:
    """No Machine gets two Runners, no spare is used that ends, no row ends twice."""
    used = Counter(action.machine for action in plan.actions if isinstance(action, (StartSpare, BindSpare)))
    ended = Counter(action.machine for action in plan.actions if isinstance(action, Destroy))
    retired = Counter(action.runner for action in plan.actions if isinstance(action, (Retire, Deregister)))
    for counts in (used, ended, retired):
        yield from (f"{name} twice in one plan" for name, count in counts.items() if count > 1)
    yield from (f"{name} is used and destroyed" for name in used if name in ended)
    yield from (
        f"{action} names a row that is not committed yet"
        for action in plan.actions
        if "planned:" in repr(action)
    )
