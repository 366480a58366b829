"""Fleets for the page's tests: seeded rows in a real store, the real planner's words, and a real clock."""

import asyncio
from dataclasses import replace

from prometheus_client import Histogram

from runners.model.nouns import Boot, Machine, Runner
from runners.model.reason import Reason
from runners.model.settings import Settings
from runners.model.states import JobState, MachineState, RunnerState
from runners.planning.charge import drained_pools
from runners.planning.explain import explain
from runners.planning.forecast import forecast
from runners.planning.planner import plan
from runners.store import events, machines, pools, runners
from runners.upstream.clock import SystemClock
from tests.api.api_world import View, World
from tests.migrated import migrated_store
from tests.planning.builders import IMAGE

HOSTILE = '<script>alert(1)</script>" onmouseover="alert(2)'
POOLS = [
    {"name": "gha-small", "scope": "orgs/acme", "apps": ["acme-runners-a"], "max_machines": 40, "ready": 3,
     "stopped": 6, "daily_budget_usd": 20.0},
    {"name": "gha-medium", "scope": "orgs/acme", "apps": ["acme-runners-a", "acme-runners-b"],
     "max_machines": 24, "stopped": 4},
    {"name": "gha-large", "scope": "orgs/acme", "apps": ["acme-runners-b"], "max_machines": 12,
     "fallback": "gha-medium"},
    {"name": "web-deploy", "scope": "repos/acme/web", "apps": ["acme-runners-a"], "max_machines": 4,
     "labels": ["web", "deploy"]},
]  # fmt: skip
# How a busy fleet's runners are spread over their states.
SPREAD = (
    *((RunnerState.BUSY,) * 12),
    RunnerState.IDLE, RunnerState.CLAIMED, RunnerState.BOOTING, RunnerState.BOOTING, RunnerState.LAUNCHING,
    RunnerState.REQUESTED, RunnerState.RETIRING,
)  # fmt: skip
MACHINE_OF = {
    RunnerState.REQUESTED: MachineState.CREATING,
    RunnerState.LAUNCHING: MachineState.STARTING,
    RunnerState.BOOTING: MachineState.STARTING,
}


class PageClock(SystemClock):
    """Wall time; pauses of the stream pass quickly, its heartbeats in their own time."""

    async def sleep(self, seconds):
        await asyncio.sleep(min(seconds, 0.05) if seconds < 1 else seconds)


async def make_world(pools=POOLS, max_machines=80, **fleet):
    store = migrated_store()
    settings = Settings.model_validate(
        {
            "fleet": {"name": "acme", "max_machines": max_machines, "daily_budget_usd": 120.0, **fleet},
            "github": {"organizations": ["acme"]},
            "fly": {"image": IMAGE},
            "pools": pools,
        }
    )
    return World(store, settings, clock=PageClock())


async def add_runners(world, pool, count, prefix="r", spread=SPREAD):
    """So many runners of one pool with their Machines, spread over all states."""
    now = world.clock.now()

    def op(conn):
        for number in range(count):
            state = spread[(number * 7) % len(spread)]
            age = 20.0 + (number * 37) % 600
            machine, row = a_runner(f"{prefix}-{number:04d}", pool, state, now - age, now)
            machines.insert(conn, machine, actor="planner", reason=Reason.DEMAND)
            runners.insert(conn, row, actor="planner", reason=Reason.DEMAND)

    await world.store.run(op)


def a_runner(name, pool, state, requested_at, now):
    at, later = requested_at, list(RunnerState).index(state)
    steps = {"minted_at": 1, "claimed_at": 3, "online_at": 4, "busy_at": 5, "retiring_at": 6}
    reached = {field: at + 2.0 * step for field, step in steps.items() if step <= later}
    boot = Boot(f"acme-{pool}-{name}", 1, at + 1, started_at=at + 3 if later > 1 else None)
    machine = Machine(
        name=boot.machine_name, pool=pool, machine_class="gha-small", image="image", app="acme-runners-a",
        region="iad", fly_id=f"id-{name}", state=MACHINE_OF.get(state, MachineState.BOUND),
        requested_at=at, state_at=at, boot=boot,
    )  # fmt: skip
    since = at + 2.0 * later if state is RunnerState.BUSY else now - 9.0 + later
    runner = Runner(
        name=f"{boot.machine_name}-1", pool=pool, scope="orgs/acme", machine_name=boot.machine_name,
        boot_seq=1, registration="jit", state=state, requested_at=at, state_at=since,
        mint_sent_at=at, **reached,
    )  # fmt: skip
    return machine, runner


async def add_spares(world, pool, ready=0, stopped=0):
    now = world.clock.now()
    kinds = [MachineState.READY] * ready + [MachineState.STOPPED] * stopped

    def op(conn):
        for number, state in enumerate(kinds):
            name = f"acme-{pool}-spare{number}"
            row = Machine(
                name=name, pool=pool, machine_class="gha-small", image="image", app="acme-runners-a",
                region="iad", fly_id=f"id-{name}", state=state, requested_at=now - 900, state_at=now - 800,
                boot=Boot(name, 1, now - 900, now - 890, now - 880) if state is MachineState.READY else None,
            )  # fmt: skip
            machines.insert(conn, row, actor="planner", reason=Reason.SPARE_WANTED)

    await world.store.run(op)


async def add_jobs(world, count, pool="gha-small", first=1, **fields):
    now = world.clock.now()
    names = ("build (3.11, ubuntu)", "test / unit", "lint", "e2e: checkout flow", "package")
    for number in range(first, first + count):
        at = now - 20 - (count - number + first) * 11
        await world.add_job(
            number,
            **{
                "name": names[number % len(names)], "pool": pool, "labels": (f"fly-{pool}",),
                "workflow_name": "CI", "repository": "acme/api", "created_at": at - 3, "accepted_at": at,
                "queued_at": at, **fields,
            },
        )  # fmt: skip


def measure_phases(world):
    """Some history for the phase histograms, without hundreds of finished runners."""
    histogram: Histogram = world.app.state.phases._histogram
    around = {"requested": 0.2, "started": 4.0, "claimed": 1.5, "online": 6.0, "in_progress": 2.0,
              "completed": 210.0, "gone": 7.0}  # fmt: skip
    for phase, middle in around.items():
        for number in range(120):
            seconds = middle * (0.4 + (number * 13 % 60) / 40) * (6 if number % 17 == 0 else 1)
            histogram.labels("gha-small", phase).observe(seconds)


async def busy_world():
    """A fleet with something of everything the page shows."""
    world = await make_world()
    await add_runners(world, "gha-small", 31)
    await add_runners(world, "gha-medium", 19, "s")
    await add_runners(world, "gha-large", 5, "t")
    await add_spares(world, "gha-small", ready=2, stopped=5)
    await add_spares(world, "gha-medium", stopped=4)
    await add_jobs(world, 14)
    await add_jobs(world, 33, first=1001, state=JobState.IN_PROGRESS)
    await add_jobs(world, 3, "gha-large", 101)
    await add_jobs(world, 1, "web-deploy", 201, name=HOSTILE, head_branch="gh-readonly-queue/main/pr-7",
                   repository="acme/web", workflow_name="Deploy")  # fmt: skip
    await add_jobs(world, 3, "gha-medium", 301, head_branch="feature/a-rather-long-branch-name-of-somebody")
    measure_phases(world)
    world.blocked_until = {"fly:acme-runners-b": world.clock.now() + 610}
    at = world.clock.now()
    for number, (actor, verb, target, reason, detail) in enumerate(STORY):
        await world.store.run(
            lambda conn, n=number, a=actor, v=verb, t=target, r=reason, d=detail: events.append(
                conn, at=at - 60 + 4 * n, actor=a, verb=v, target=t, reason=r, detail=d
            )
        )
    await plan_now(world)
    return world


async def plan_now(world):
    """One pass of the real planner, with this fleet's own cap and overrides."""
    view = await world.plan(paused=bool(await world.store.run(pools.fleet_paused)))
    said = await world.store.run(pools.overrides)
    drained = drained_pools(world.settings, {name: each.drained for name, each in said.items()})
    spent = {"gha-small": 11.84, "gha-medium": 27.10, "gha-large": 44.02, "web-deploy": 0.31}
    snapshot = replace(
        view.snapshot,
        max_machines=world.settings.fleet.max_machines,
        pools=tuple(
            replace(each, drained=each.name in drained, spent_today_usd=spent.get(each.name, 0.0))
            for each in view.snapshot.pools
        ),
    )
    decided = plan(snapshot)
    world.latest = View(snapshot, decided, explain(snapshot, decided), forecast(snapshot, decided))
    world.health = [replace(each, last_pass_at=world.clock.now()) for each in world.health]
    world.changes.notify()


async def big_world(runners_each=250, jobs=200):
    """A thousand runners and a long queue."""
    world = await make_world(
        [{**each, "max_machines": runners_each + 20, "labels": [f"l-{each['name']}"]} for each in POOLS],
        max_machines=5 * runners_each,
    )
    for each in POOLS:
        await add_runners(world, each["name"], runners_each, each["name"][-2:])
    await add_jobs(world, jobs)
    measure_phases(world)
    await plan_now(world)
    return world


STORY = (
    ("webhook", "accepted", "job/201", Reason.DEMAND, f"job {HOSTILE}"),
    ("planner", "moved", "runner/acme-gha-small-r-0004-1", Reason.OBSERVED, "booting -> claimed"),
    ("hook", "moved", "runner/acme-gha-small-r-0004-1", Reason.OBSERVED, "claimed -> idle"),
    (
        "machine-list",
        "swept",
        "machine/acme-gha-small-zz9",
        Reason.MACHINE_WITHOUT_ROW,
        "in app acme-runners-a",
    ),
)
