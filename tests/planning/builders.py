"""Builders of rows, readings and Snapshots: a plain default of everything; a test says what it is about.

Ages and offsets are seconds before ``NOW``; a row's ``state_at`` follows its request unless a test says more.
"""

from collections.abc import Mapping
from typing import Any

from runners.model.nouns import Boot, Job, Machine, Runner
from runners.model.settings import PoolSettings
from runners.model.snapshot import (
    End,
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
from runners.planning.names import machine_name, runner_name

NOW = 1_800_000_000.0
TIMING = Timing()
FLEET = "ci"
IMAGE = "registry.fly.io/runner@sha256:" + "a" * 64
APP = "runners-a"
SCOPE = "orgs/acme"


def pool(name: str = "web", *, drained: bool = False, spent: float = 0.0, **settings: Any) -> Pool:
    defaults: dict[str, Any] = {"scope": SCOPE, "apps": (APP,), "max_machines": 10}
    return Pool(PoolSettings(name=name, **(defaults | settings)), drained=drained, spent_today_usd=spent)


def unique(number: int) -> str:
    return f"m{number:09d}"


def machine(number: int = 1, state: MachineState = MachineState.STARTING, **fields: Any) -> Machine:
    """A Machine, booted unless ``boot=None``; ``age`` is seconds since its request and its boot's launch."""
    age = fields.pop("age", 30.0)
    pool_name = fields.pop("pool", "web")
    name = fields.pop("name", machine_name(FLEET, pool_name, unique(number)))
    at = NOW - age
    defaults: dict[str, Any] = {
        "machine_class": pool_name,
        "image": IMAGE,
        "app": APP,
        "region": "iad",
        "fly_id": f"fly{number}",
        "requested_at": at,
        "state_at": at,
        "boot": Boot(name, 1, at),
    }
    if state in (MachineState.READY, MachineState.BOUND):
        defaults["boot"] = Boot(name, 1, at, at, at)
    return Machine(name=name, pool=pool_name, state=state, **(defaults | fields))


def stopped(number: int = 1, **fields: Any) -> Machine:
    """A stopped spare, old enough to be started."""
    return machine(number, MachineState.STOPPED, **({"boot": None, "age": 300.0} | fields))


def ready(number: int = 1, **fields: Any) -> Machine:
    return machine(number, MachineState.READY, **fields)


def runner(on: Machine, state: RunnerState = RunnerState.BOOTING, **fields: Any) -> Runner:
    """A Runner bound to ``on``; claimed states have a claim, minted ones a mint; ``age`` as for a Machine."""
    count = fields.pop("count", 1)
    at = NOW - fields.pop("age", NOW - on.requested_at)
    claimed = state in (RunnerState.CLAIMED, RunnerState.IDLE, RunnerState.BUSY)
    defaults: dict[str, Any] = {
        "scope": SCOPE,
        "registration": "jit",
        "requested_at": at,
        "state_at": at,
        "mint_sent_at": at if fields.get("registration", "jit") == "jit" else None,
        "minted_at": at,
        "github_id": 1000 + count,
        "claimed_at": at if claimed else None,
        "online_at": at if state in (RunnerState.IDLE, RunnerState.BUSY) else None,
        "busy_at": at if state is RunnerState.BUSY else None,
        "retiring_at": at if state is RunnerState.RETIRING else None,
    }
    return Runner(
        name=runner_name(on.name, count),
        pool=on.pool,
        machine_name=on.name,
        boot_seq=1 if on.boot is None else on.boot.seq,
        state=state,
        **(defaults | fields),
    )


def job(number: int = 1, state: JobState = JobState.QUEUED, **fields: Any) -> Job:
    at = NOW - fields.pop("age", 10.0)
    defaults: dict[str, Any] = {
        "run_id": 1,
        "run_attempt": 1,
        "name": f"job {number}",
        "workflow_name": "ci",
        "repository": "acme/web",
        "installation_id": 7,
        "labels": ("fly-web",),
        "head_branch": "main",
        "html_url": "",
        "private": True,
        "pool": "web",
        "conclusion": None,
        "created_at": at,
        "accepted_at": at,
        "queued_at": at,
        "in_progress_at": at if state is JobState.IN_PROGRESS else None,
    }
    return Job(id=number, state=state, **(defaults | fields))


def merge_queue(number: int, **fields: Any) -> Job:
    return job(number, head_branch="gh-readonly-queue/main/pr-1", **fields)


def seen(row: Machine, state: str = "started", **fields: Any) -> SeenMachine:
    defaults: dict[str, Any] = {"host_ok": True, "ours": True, "first_seen_at": NOW - 300}
    fly_id = row.fly_id or f"found-{row.name}"
    return SeenMachine(
        fly_id=fly_id, name=row.name, app=row.app, region=row.region, state=state, **(defaults | fields)
    )


def machines_read(*shown: SeenMachine, **fields: Any) -> MachineReading:
    absent = fields.pop("absent_since", {})
    ended: Mapping[str, End] = fields.pop("ended", {})
    return MachineReading(fields.pop("at", NOW - 1), {each.name: each for each in shown}, absent, ended)


def registered(row: Runner | str, *, online: bool = True, busy: bool = False, **fields: Any) -> SeenRunner:
    name = row if isinstance(row, str) else row.name
    return SeenRunner(
        fields.pop("github_id", 1001), name, online, busy, fields.pop("first_seen_at", NOW - 300)
    )


def runners_read(*shown: SeenRunner, **fields: Any) -> RunnerReading:
    absent = fields.pop("absent_since", {})
    return RunnerReading(fields.pop("at", NOW - 1), {each.name: each for each in shown}, absent)


def snapshot(**fields: Any) -> Snapshot:
    """A Snapshot in which nothing has been read yet; ``fly`` and ``github`` also take just one reading."""
    for key, place in (("fly", APP), ("github", SCOPE)):
        reading = fields.get(key)
        if reading is not None and not isinstance(reading, Mapping):
            fields[key] = {place: reading}
    defaults: dict[str, Any] = {
        "now": NOW,
        "timing": TIMING,
        "fleet_name": FLEET,
        "image": IMAGE,
        "max_machines": 50,
        "pools": (pool(),),
        "limits": Limits(),
        "fly": {APP: None},
        "github": {SCOPE: None},
    }
    return Snapshot(**(defaults | fields))
