"""How long one decision takes: plan, explain and forecast over fleets of growing size."""

import time
from dataclasses import replace

import pytest

from runners.cli.demo.summary import spread
from runners.model.nouns import Boot, Job, Machine, Runner
from runners.model.settings import PoolSettings
from runners.model.snapshot import (
    Limits,
    MachineReading,
    Pool,
    RunnerReading,
    SeenMachine,
    SeenRunner,
    Snapshot,
)
from runners.model.states import JobState, MachineState, RunnerState
from runners.model.timing import Timing
from runners.planning.explain import explain
from runners.planning.facts import learn
from runners.planning.forecast import forecast
from runners.planning.planner import plan

NOW = 1_800_000_000.0
ROUNDS = 20


def fleet(machines: int, queued: int) -> Snapshot:
    """Half of the Machines busy, half of them idle, over ten pools, with a queue behind them."""
    pools = tuple(
        PoolSettings(name=f"pool-{index}", scope="orgs/acme", apps=("a", "b"), max_machines=10_000)
        for index in range(10)
    )
    rows, runners, jobs = [], [], []
    for index in range(machines):
        pool = f"pool-{index % 10}"
        name = f"fleet-{pool}-{index:010d}"
        boot = Boot(name, 1, NOW - 60, NOW - 58, NOW - 57)
        rows.append(
            Machine(
                name,
                pool,
                pool,
                "image",
                "a",
                "iad",
                f"id{index}",
                MachineState.BOUND,
                NOW - 60,
                NOW - 57,
                boot,
            )
        )
        busy = index % 2 == 0
        runner = Runner(
            f"{name}-1",
            pool,
            "orgs/acme",
            name,
            1,
            "jit",
            RunnerState.BUSY if busy else RunnerState.IDLE,
            NOW - 60,
            NOW - 50,
            mint_sent_at=NOW - 60,
            minted_at=NOW - 59,
            github_id=index,
            claimed_at=NOW - 57,
            online_at=NOW - 55,
            busy_at=NOW - 50 if busy else None,
            job_id=index if busy else None,
        )
        runners.append(runner)
    for index in range(queued):
        pool = f"pool-{index % 10}"
        jobs.append(
            Job(
                10_000 + index,
                1,
                1,
                "j",
                "w",
                "acme/web",
                1,
                (f"fly-{pool}",),
                "main",
                "",
                True,
                pool,
                JobState.QUEUED,
                None,
                NOW - 30,
                NOW - 30 + index / 1e6,
                queued_at=NOW - 30,
            )
        )
    return Snapshot(
        now=NOW,
        timing=Timing(),
        fleet_name="fleet",
        image="image",
        max_machines=100_000,
        pools=tuple(Pool(pool) for pool in pools),
        limits=Limits(),
        jobs=tuple(jobs),
        machines=tuple(rows),
        runners=tuple(runners),
        fly={
            "a": MachineReading(
                NOW - 5,
                {
                    row.name: SeenMachine(
                        row.fly_id or "", row.name, "a", "iad", "started", True, True, NOW - 60
                    )
                    for row in rows
                },
            ),
            "b": None,
        },
        github={
            "orgs/acme": RunnerReading(
                NOW - 5,
                {
                    runner.name: SeenRunner(
                        runner.github_id or 0, runner.name, True, runner.job_id is not None, NOW - 60
                    )
                    for runner in runners
                },
            )
        },
    )


@pytest.mark.parametrize(("machines", "queued"), [(50, 100), (500, 1000), (2000, 5000)])
def test_one_decision(machines: int, queued: int) -> None:
    snapshot = fleet(machines, queued)
    seconds = []
    for index in range(ROUNDS):
        moment = replace(snapshot, now=NOW + index / 1000)
        began = time.perf_counter()
        learn(moment)
        decided = plan(moment)
        forecast(moment, decided)
        seconds.append(time.perf_counter() - began)
    assert explain(snapshot, plan(snapshot)).keys() == {job.id for job in snapshot.jobs}
    figures = spread(seconds)
    print(  # noqa: T201 - a benchmark's output is its point
        f"\nlearn + plan + forecast, {machines} Machines, {queued} queued: "
        f"p50 {figures.p50 * 1000:.1f} ms, p99 {figures.p99 * 1000:.1f} ms"
    )
