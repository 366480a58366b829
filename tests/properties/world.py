"""A small pure world on virtual time: Fly, GitHub and the boot agents around the rows, and misfortune.

Only ``learn``, ``plan`` and the naive ``Rows`` run in it; nothing reads a clock. It notes every breach of a
promise in ``breaches`` as it goes, from its own knowledge of what Fly and GitHub really hold.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from runners.model.snapshot import (
    Limits,
    MachineReading,
    Pool,
    Refusal,
    RunnerReading,
    Snapshot,
    VolumeReading,
)
from runners.model.states import JobState, RunnerState
from runners.model.timing import Timing
from runners.planning.explain import explain
from runners.planning.facts import learn
from runners.planning.plan import Launch, Retire
from runners.planning.planner import plan
from tests.planning.builders import IMAGE
from tests.properties.calls import Calls
from tests.properties.checks import broken_promises
from tests.properties.fly_side import FlySide
from tests.properties.github_side import GitHubSide
from tests.properties.rows import Rows, applied, by_key
from tests.properties.things import Disk, FlyMachine, HubJob, Luck, Record, SpareLuck, VolumeLuck

START = 1_800_000_000.0
STALE_PERIODS = 4


@dataclass
class World(GitHubSide, FlySide, Calls):
    """Everything there is. ``run`` steps through time until nothing is left or the time is over."""

    pools: tuple[Pool, ...]
    timing: Timing
    luck: Luck
    seed: int
    spare_luck: SpareLuck = field(default_factory=SpareLuck)
    volume_luck: VolumeLuck = field(default_factory=VolumeLuck)
    max_machines: int = 20
    writes_per_minute: int = 60
    now: float = START
    rows: Rows = field(default_factory=lambda: Rows("ci", IMAGE))
    fly: dict[str, FlyMachine] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    hub: dict[int, HubJob] = field(default_factory=dict)
    sealed: set[str] = field(default_factory=set)
    refusals: list[Refusal] = field(default_factory=list)
    mint_until: dict[str, float] = field(default_factory=dict)
    machine_readings: dict[str, MachineReading] = field(default_factory=dict)
    runner_readings: dict[str, RunnerReading] = field(default_factory=dict)
    disks: dict[str, Disk] = field(default_factory=dict)
    volume_readings: dict[str, VolumeReading] = field(default_factory=dict)
    breaches: list[str] = field(default_factory=list)
    launches: int = 0
    retires: dict[str, int] = field(default_factory=dict)
    deletes_sent: dict[str, int] = field(default_factory=dict)
    blind: Callable[[float], bool] = lambda _at: False
    every_pass: Callable[["World", Snapshot, Any], None] = lambda *_: None
    _agenda: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0
    _woken: bool = False

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.volume_dice = random.Random(f"volumes of {self.seed}")
        self.every(15.0, self._plan)
        self.every(self.timing.machine_list_period, self._machine_list)
        self.every(self.timing.runner_list_period, self._runner_list)
        self.every(self.timing.queue_sweep_period, self._sweep_queue)

    # --- time ---

    def at(self, delay: float, what: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._agenda, (self.now + delay, self._count, what))

    def every(self, period: float, what: Callable[[], None]) -> None:
        def again() -> None:
            what()
            self.at(period, again)

        self.at(period, again)

    def run(self, seconds: float) -> bool:
        """Step until the time is over; True as soon as all demand is over and nothing is left anywhere."""
        end = self.now + seconds
        while self._agenda and self._agenda[0][0] <= end:
            self.now, _, what = heapq.heappop(self._agenda)
            what()
            if self.is_empty():
                return True
        self.now = end
        return self.is_empty()

    def is_empty(self) -> bool:
        return bool(self.hub) and not (
            any(job.state is not JobState.COMPLETED for job in self.hub.values())
            or self.rows.live_machines()
            or self.rows.live_runners()
            or any(machine.state != "destroyed" for machine in self.fly.values())
            or self.records
            or self.disks
            or any(job.state is not JobState.COMPLETED for job in self.rows.jobs.values())
        )

    def left(self) -> list[Any]:
        """What is not gone, for the message of a failed test."""
        return [
            *(job for job in self.hub.values() if job.state is not JobState.COMPLETED),
            *self.rows.live_machines(),
            *self.rows.live_runners(),
            *(machine for machine in self.fly.values() if machine.state != "destroyed"),
            *self.records.values(),
            *self.disks.values(),
        ]

    def chance(self, probability: float) -> bool:
        return self.dice.random() < probability

    def volume_luck_is_bad(self, kind: str) -> bool:
        return self.volume_dice.random() < getattr(self.volume_luck, kind)

    def bad_luck(self, probability: float) -> bool:
        """As ``chance``, but without a throw where nothing can happen: older seeds keep their worlds."""
        return probability > 0.0 and self.chance(probability)

    def wake(self) -> None:
        if not self._woken:
            self._woken = True
            self.at(0.05, self._woken_plan)

    def _woken_plan(self) -> None:
        self._woken = False
        self._plan()

    # --- the planner's pass ---

    def snapshot(self) -> Snapshot:
        fly_old = self.timing.machine_list_period * STALE_PERIODS
        hub_old = self.timing.runner_list_period * STALE_PERIODS
        apps = sorted({app for pool in self.pools for app in pool.settings.apps})
        scopes = sorted({pool.settings.scope for pool in self.pools})
        self.rows.writes = [(owner, at) for owner, at in self.rows.writes if self.now - at < 120.0]
        self.rows.creates = [(app, at) for app, at in self.rows.creates if self.now - at < 120.0]

        def young(reading: Any, limit: float) -> Any:
            return reading if reading is not None and self.now - reading.at <= limit else None

        return Snapshot(
            now=self.now,
            timing=self.timing,
            fleet_name=self.rows.fleet,
            image=self.rows.image,
            max_machines=self.max_machines,
            pools=self.pools,
            limits=Limits(
                writes_per_minute=self.writes_per_minute,
                creates=by_key(self.rows.creates),
                writes=by_key(self.rows.writes),
                blocked_until={f"mint:{pool}": until for pool, until in self.mint_until.items()},
            ),
            jobs=tuple(job for job in self.rows.jobs.values() if job.state is not JobState.COMPLETED),
            machines=self.rows.live_machines(),
            runners=self.rows.live_runners(),
            fly={app: young(self.machine_readings.get(app), fly_old) for app in apps},
            github={scope: young(self.runner_readings.get(scope), hub_old) for scope in scopes},
            refusals=tuple(self.refusals),
            swept=dict(self.rows.swept),
            fingerprints=dict(self.rows.fingerprints),
            volumes={app: young(self.volume_readings.get(app), fly_old) for app in apps},
        )

    def _plan(self) -> None:
        snapshot = self.snapshot()
        for _ in range(4):
            facts = learn(snapshot)
            if not facts:
                break
            for fact in facts:
                self.rows.record(fact, self.now)
            snapshot = self.snapshot()
        decided = plan(snapshot)
        self._judge(snapshot, decided)
        scopes = {pool.name: pool.settings.scope for pool in self.pools}
        self.rows.commit(decided, self.now, self.timing.launch_deadline, scopes)
        for name in self.rows.runners:
            if self.rows.runners[name].state is RunnerState.RETIRING:
                self.sealed.discard(name)
        for kind, *what in self.rows.calls:
            self.at(
                0.2 if kind == "sweep_volume" else self.dice.uniform(0.05, 0.5),
                lambda kind=kind, what=what: getattr(self, f"_call_{kind}")(*what),
            )
        self.every_pass(self, snapshot, decided)

    def _judge(self, snapshot: Snapshot, decided: Any) -> None:
        self.launches += sum(isinstance(action, Launch) for action in decided.actions)
        for action in decided.actions:
            if isinstance(action, Retire):
                self.retires[action.runner] = self.retires.get(action.runner, 0) + 1
        self.breaches.extend(broken_promises(snapshot, decided))
        again = plan(applied(snapshot, decided)).actions if decided.actions else ()
        if again:
            self.breaches.append(f"the planned world is planned again: {decided.actions} then {again}")
        whys = explain(snapshot, decided)
        missing = [job.id for job in snapshot.jobs if job.state is JobState.QUEUED and job.id not in whys]
        if missing:
            self.breaches.append(f"jobs without a Why: {missing}")
