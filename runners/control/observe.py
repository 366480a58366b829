"""Observe: rows and readings become a Snapshot; what the readings prove is written down first.

The Snapshot is taken again after each round of facts, so that the planner sees rows that agree with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection

from runners.control.world import World
from runners.model.nouns import Job, Machine, Runner
from runners.model.reason import Reason
from runners.model.settings import PoolSettings
from runners.model.snapshot import EarlyExit, Limits, Pool, Refusal, Snapshot
from runners.model.states import JobState, MachineState, RunnerState
from runners.planning.buckets import MINUTE
from runners.planning.facts import (
    BootStarted,
    Fact,
    JobLost,
    MachineAdopted,
    MachineMoved,
    RunnerKnown,
    RunnerMoved,
    learn,
)
from runners.planning.places import TRIAL_MEMORIES
from runners.planning.storms import storm_refusals
from runners.planning.trust import distrusted
from runners.store import early_exits, events, full_regions, jobs, machines, pools, runners, sealed
from runners.store.connections import take_writer_lock

ACTOR = "observer"
# Facts bring out further facts: a Machine gone, then its Runner retiring, then gone.
ROUNDS = 4


async def observe(world: World) -> Snapshot:
    """The Snapshot of now, after everything the readings prove has been recorded."""
    snapshot = await _snapshot(world)
    for _ in range(ROUNDS):
        facts = learn(snapshot)
        if not facts:
            break
        record = partial(_record_all, snapshot=snapshot, facts=facts)
        await world.store.run(record)
        world.changed()
        snapshot = await _snapshot(world)
    return snapshot


@dataclass(frozen=True, slots=True)
class _Rows:
    jobs: tuple[Job, ...]
    machines: tuple[Machine, ...]
    runners: tuple[Runner, ...]
    creates: dict[str, tuple[float, ...]]
    writes: dict[str, tuple[float, ...]]
    overrides: dict[str, pools.PoolOverride]
    early_exits: tuple[EarlyExit, ...]
    online: dict[str, float]
    full_regions: tuple[Refusal, ...]
    paused: bool


async def _snapshot(world: World) -> Snapshot:
    settings, now = world.settings, world.clock.now()
    books = await world.books.at(now)
    rows = await world.store.run(lambda conn: _read(conn, world, now))
    apps = {app for pool in settings.pools for app in pool.apps} | {m.app for m in rows.machines}
    scopes = {pool.scope for pool in settings.pools} | {r.scope for r in rows.runners}
    blocked = dict(world.blocked())
    for pool_name, until in world.mint_refused_until.items():
        if until > now:
            blocked[f"mint:{pool_name}"] = until
    return Snapshot(
        now=now,
        timing=settings.timing,
        fleet_name=settings.fleet.name,
        image=settings.fly.image,
        max_machines=settings.fleet.max_machines,
        pools=tuple(_pool(world, pool, rows, books.spent) for pool in settings.pools),
        limits=Limits(
            creates_per_second=settings.fly.creates_per_second,
            create_burst=settings.fly.create_burst,
            writes_per_minute=settings.github.writes_per_minute,
            creates=rows.creates,
            writes=rows.writes,
            blocked_until=blocked,
        ),
        jobs=rows.jobs,
        machines=rows.machines,
        runners=rows.runners,
        fly=world.readings.fly(sorted(apps), now),
        github=world.readings.github(sorted(scopes), now),
        refusals=(*world.refusals, *rows.full_regions, *storm_refusals(rows.early_exits, rows.online)),
        paused=rows.paused,
        daily_budget_usd=settings.fleet.daily_budget_usd,
        missing_credentials=world.missing_credentials(),
        pace=books.pace,
        swept=_swept_lately(world, now),
        fingerprints=world.provider.fingerprints,
        listening_since=world.listening_since,
        distrust=distrusted(settings.pools, world.readings.scopes()),
        volumes=world.readings.volumes(now),
    )


def _swept_lately(world: World, now: float) -> dict[str, float]:
    """What was swept within the time that matters; the rest is forgotten."""
    timing = world.settings.timing
    memory = max(timing.destroy_again, timing.delete_again)
    world.swept = {name: at for name, at in world.swept.items() if now - at <= memory}
    return dict(world.swept)


def _read(conn: Connection, world: World, now: float) -> _Rows:
    settings = world.settings
    # A bucket that was full this long ago is full again whatever happened before.
    bucket = settings.fly.create_burst / settings.fly.creates_per_second + MINUTE
    remembered = now - TRIAL_MEMORIES * settings.timing.capacity_memory
    paused = pools.fleet_paused(conn)
    return _Rows(
        jobs=jobs.live(conn),
        machines=machines.live(conn),
        runners=runners.live(conn),
        creates=machines.creates_since(conn, now - bucket),
        early_exits=early_exits.since(conn, remembered, settings.fly.image),
        online=early_exits.online_since(conn, remembered),
        full_regions=full_regions.since(conn, remembered),
        writes=runners.writes_since(conn, now - MINUTE),
        overrides=pools.overrides(conn),
        paused=settings.fleet.paused if paused is None else paused,
    )


def _pool(world: World, settings: PoolSettings, rows: _Rows, spent: Mapping[str, float]) -> Pool:
    """The pool's settings with what operators overrode."""
    override = rows.overrides.get(settings.name)
    drained, changes = settings.drained, {}
    if override is not None:
        drained = settings.drained if override.drained is None else override.drained
        numbers = {
            "max_machines": override.max_machines,
            "ready": override.ready,
            "stopped": override.stopped,
        }
        changes = {name: value for name, value in numbers.items() if value is not None}
    return Pool(
        settings=settings.model_copy(update=changes),
        drained=drained,
        usd_per_hour=world.prices.get(settings.name, 0.0),
        spent_today_usd=spent.get(settings.name, 0.0),
    )


def _record_all(conn: Connection, snapshot: Snapshot, facts: tuple[Fact, ...]) -> None:
    take_writer_lock(conn)
    seen = {runner.name: runner.state for runner in snapshot.runners}
    for fact in facts:
        _record(conn, fact, seen, snapshot.now)


def _record(conn: Connection, fact: Fact, seen: Mapping[str, RunnerState], at: float) -> None:
    """Write one fact down; a row that moved on since the Snapshot is left as it is."""
    match fact:
        case MachineAdopted(name, fly_id):
            machines.adopt(conn, name, fly_id)
        case BootStarted(name, seq, started_at):
            machines.update_boot(conn, name, seq, started_at=started_at)
        case MachineMoved():
            _move_machine(conn, fact, at)
        case RunnerKnown(name, github_id):
            runners.update(conn, name, github_id=github_id)
        case RunnerMoved():
            runner = runners.get(conn, fact.name)
            if runner is not None and runner.state is seen[fact.name]:
                _move_runner(conn, fact, at)
        case JobLost(job_id, why):
            job = jobs.get(conn, job_id)
            if job is None or job.state is not JobState.IN_PROGRESS:
                return
            jobs.update(conn, job_id, lost=why.reason)
            events.append(
                conn,
                at=at,
                actor=ACTOR,
                verb="lost",
                target=f"job/{job_id}",
                reason=why.reason,
                detail=why.detail,
                outcome="lost",
            )


def _move_machine(conn: Connection, fact: MachineMoved, at: float) -> None:
    machine = machines.get(conn, fact.name)
    if machine is None:
        return
    if fact.to is MachineState.GONE and machine.boot is not None:
        machines.update_boot(
            conn,
            fact.name,
            machine.boot.seq,
            ended_at=at,
            exit_code=fact.exit_code,
            exit_reason=fact.why.reason,
        )
    machines.move(
        conn, fact.name, fact.to, at=at, actor=ACTOR, reason=fact.why.reason, detail=fact.why.detail
    )


def _move_runner(conn: Connection, fact: RunnerMoved, at: float) -> None:
    stamp: dict[RunnerState, str] = {
        RunnerState.IDLE: "online_at",
        RunnerState.BUSY: "busy_at",
        RunnerState.RETIRING: "retiring_at",
    }
    fields: dict[str, Any] = {stamp[fact.to]: at} if fact.to in stamp else {}
    if fact.to is RunnerState.RETIRING and fact.why.reason is Reason.JOB_COMPLETED:
        fields["finished_at"] = at
    moved = runners.move(
        conn, fact.name, fact.to, at=at, actor=ACTOR, reason=fact.why.reason, detail=fact.why.detail, **fields
    )
    if moved and fact.to in (RunnerState.RETIRING, RunnerState.GONE):
        # Usually the acknowledgement has removed it; what nobody acknowledged goes with its Runner.
        sealed.delete(conn, fact.name)
