"""The planned world is what control really commits: the same rows on a real database, the same spending."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import pytest

from runners.control import apply
from runners.model.reason import Reason
from runners.model.settings import FleetSettings, FlySettings, Settings
from runners.model.states import MachineState, RunnerState
from runners.planning.planned import planned
from runners.store import jobs, lease, machines, runners
from tests.migrated import migrated_store
from tests.planning.builders import machine
from tests.properties.script import scripted_world

HOLDER = "this dispatcher"


class OneTime:
    def __init__(self, at):
        self.at = at

    def now(self):
        return self.at


def _decided(seed):
    """Of a small world's passes, the first of each mixture of actions, and the gone Runners it had then."""
    found = {}
    world = scripted_world(seed)

    def note(_world, before, plan):
        mixture = frozenset(type(action).__name__ for action in plan.actions)
        live = {row.name for row in before.runners}
        gone = [row for row in world.rows.runners.values() if row.state is RunnerState.GONE]
        if mixture:
            found.setdefault(mixture, (before, plan, [row for row in gone if row.name not in live]))

    world.every_pass = note
    world.run(3000.0)
    return found


def _write(conn, before, gone):
    lease.acquire(conn, HOLDER, before.now, 60.0)
    for job in before.jobs:
        jobs.insert(conn, job, actor="test", reason=Reason.OBSERVED)
    there = {row.name for row in before.machines}
    for row in before.machines:
        machines.insert(conn, row, actor="test", reason=Reason.OBSERVED)
    for row in (*before.runners, *gone):
        if row.machine_name not in there:  # its Machine is history, which a Snapshot does not hold
            there.add(row.machine_name)
            machines.insert(conn, _gone(row), actor="test", reason=Reason.OBSERVED)
        runners.insert(conn, row, actor="test", reason=Reason.OBSERVED)


def _gone(runner):
    return machine(name=runner.machine_name, state=MachineState.GONE, gone_at=1.0, fly_id=None, boot=None)


def _world(before):
    settings = Settings(
        fleet=FleetSettings(name=before.fleet_name),
        fly=FlySettings(image=before.image),
        timing=before.timing,
        pools=tuple(pool.settings for pool in before.pools),
    )
    numbers = itertools.count()
    return SimpleNamespace(
        clock=OneTime(before.now),
        provider=SimpleNamespace(fingerprints=before.fingerprints),
        settings=settings,
        holder=HOLDER,
        unique=lambda: f"n{next(numbers):09d}",
        planned_jobs=frozenset(),
    )


def _machine_facts(rows):
    """Without what the commit alone chooses: the name."""
    return sorted(
        repr(replace(row, name="", boot=row.boot and replace(row.boot, machine_name=""))) for row in rows
    )


def _runner_facts(rows):
    return sorted(repr(replace(row, name="", machine_name="")) for row in rows)


@pytest.mark.parametrize("seed", [20, 57, 92, 109])
async def test_the_planned_rows_are_the_committed_rows(seed):
    found = _decided(seed)
    assert {"Launch", "Destroy"} <= frozenset().union(*found)
    for before, plan, gone in found.values():
        after = planned(before, plan.actions)
        told, spent = await _committed(before, plan, gone)
        assert {job.id: (job.not_before, job.deferrals) for job in told[0]} == {
            job.id: (job.not_before, job.deferrals) for job in after.jobs
        }
        assert _machine_facts(told[1]) == _machine_facts(after.machines)
        assert _runner_facts(told[2]) == _runner_facts(after.runners)
        for known, times in zip(spent, (after.limits.creates, after.limits.writes), strict=True):
            now = {key: sum(at == before.now for at in ats) for key, ats in times.items()}
            assert {key: len(ats) for key, ats in known.items()} == {key: n for key, n in now.items() if n}


async def _committed(before, plan, gone):
    """The live rows after the commit, and what it has spent."""
    store = migrated_store()
    await store.run(lambda conn: _write(conn, before, gone))
    await store.run(lambda conn: apply._commit(conn, _world(before), before, plan, before.now))
    rows = await store.run(lambda conn: (jobs.live(conn), machines.live(conn), runners.live(conn)))
    spent = await store.run(
        lambda conn: (machines.creates_since(conn, before.now), runners.writes_since(conn, before.now))
    )
    await store.close()
    return rows, spent
