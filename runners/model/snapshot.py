"""Snapshot: all the planner may know at one moment, with ``now`` and with what could not be read.

A reading that is None is *unknown*: nothing may be concluded from it. Times are Unix seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from runners.model.nouns import Job, Machine, Runner
from runners.model.reason import Reason, Why
from runners.model.settings import PoolSettings
from runners.model.timing import Timing


@dataclass(frozen=True, slots=True)
class SeenMachine:
    """One Machine as Fly's list showed it.

    Attributes:
        host_ok: False when Fly could not reach its host; its metadata may be missing then.
        ours: its metadata names this fleet.
        first_seen_at: the first of an unbroken series of readings that showed it while no row had its name.
    """

    fly_id: str
    name: str
    app: str
    region: str
    state: str
    host_ok: bool
    ours: bool
    first_seen_at: float


@dataclass(frozen=True, slots=True)
class End:
    """How a Machine ended, as Fly tells it: destroyed, or 404 by id.

    Attributes:
        exit_code: of its main process, None when Fly did not say.
        oom: the kernel killed it for lack of memory.
    """

    at: float
    exit_code: int | None = None
    oom: bool = False


@dataclass(frozen=True, slots=True)
class MachineReading:
    """One app's Machine list, and what an unbroken series of readings lets us believe of it.

    Attributes:
        at: when the last list was asked for.
        machines: by name.
        absent_since: for names of our rows, the first of an unbroken series of readings without them.
        ended: by name of our rows, those that Fly said have ended.
    """

    at: float
    machines: Mapping[str, SeenMachine]
    absent_since: Mapping[str, float] = field(default_factory=dict)
    ended: Mapping[str, End] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VolumeReading:
    """One app's list of this fleet's volumes.

    Attributes:
        at: when the last list was asked for.
        alone_since: by id of each volume that no Machine has, the first of an unbroken series of readings
            that showed it so.
        attached: how many volumes some Machine has.
    """

    at: float
    alone_since: Mapping[str, float] = field(default_factory=dict)
    attached: int = 0


@dataclass(frozen=True, slots=True)
class SeenRunner:
    """One registration as GitHub's runner list showed it (``busy`` and ``status`` lag by up to minutes).

    ``first_seen_at`` is as for SeenMachine.
    """

    github_id: int
    name: str
    online: bool
    busy: bool
    first_seen_at: float


@dataclass(frozen=True, slots=True)
class RunnerReading:
    """One scope's runner list, as MachineReading is for Machines."""

    at: float
    runners: Mapping[str, SeenRunner]
    absent_since: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A launch that one place refused: a region for lack of room, an app for good, or a class everywhere.

    Attributes:
        region: that has no room for the class; "" when the app refused, or when the class itself is broken.
        app: that refused the class whatever the region (a token that does not cover it, a wrong name); ""
            when the region has no room, which is so for every app. With both "" the class is not launched.
    """

    region: str
    machine_class: str
    at: float
    why: Why
    app: str = ""


@dataclass(frozen=True, slots=True)
class EarlyExit:
    """A Machine that ended by itself without ever having been a runner."""

    machine_class: str
    at: float
    reason: Reason


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool as it stands now: its settings with operator overrides applied.

    Attributes:
        drained: by setting or by an operator.
        usd_per_hour: price of one started Machine of its class in the dearest of its regions.
        spent_today_usd: what it has cost since 00:00 UTC.
    """

    settings: PoolSettings
    drained: bool = False
    usd_per_hour: float = 0.0
    spent_today_usd: float = 0.0

    @property
    def name(self) -> str:
        """The pool's name."""
        return self.settings.name


@dataclass(frozen=True, slots=True)
class Limits:
    """The budgets that mutating calls spend.

    Attributes:
        creates: by app, the times of recent create intents, oldest first.
        writes: by owner, the times of recent mint and DELETE intents, oldest first.
        blocked_until: by upstream key (``fly:APP`` or ``github:OWNER``), when its breaker or its rate-limit
            answer lets calls through again; by ``mint:POOL``, when a refused mint is tried again.
    """

    creates_per_second: float = 1.0
    create_burst: int = 3
    writes_per_minute: int = 150
    creates: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    writes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    blocked_until: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one pool has been lately, for the forecast.

    Attributes:
        start_p50: median seconds from request to the job being in progress; None without samples.
        start_p90: the 90th percentile of the same.
        job_p50: median seconds a job was in progress; None without samples.
        samples: how many finished jobs the figures rest on.
    """

    start_p50: float | None = None
    start_p90: float | None = None
    job_p50: float | None = None
    samples: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All the planner may know.

    Attributes:
        image: the runner image that spares must have.
        fingerprints: by machine class, what its file makes of a Machine; spares must have been made so.
        jobs: waiting, queued and in_progress jobs, oldest first.
        machines: rows that are not gone, by request time.
        runners: rows that are not gone, by request time.
        fly: by app; None when its list has not been read.
        github: by scope; None when its list has not been read.
        listening_since: since when this dispatcher hears claims and hooks; before that it missed them.
        volumes: by app that has or had volumes of this fleet; None when its list has not been read.
        refusals: recent refusals of launches that no later launch has disproved.
        missing_credentials: by upstream key (``fly`` or ``github:OWNER``), the credential that is missing.
        pace: by pool, how fast it has been lately.
        distrust: by pool, why it may launch nothing: its runner group lets in whom it does not serve.
        swept: by name, when a Machine without a row, a registration without a Runner or a volume without a
            Machine was last ended: it stays in the reading until the next list.
    """

    now: float
    timing: Timing
    fleet_name: str
    image: str
    max_machines: int
    pools: tuple[Pool, ...]
    limits: Limits
    jobs: tuple[Job, ...] = ()
    machines: tuple[Machine, ...] = ()
    runners: tuple[Runner, ...] = ()
    fly: Mapping[str, MachineReading | None] = field(default_factory=dict)
    github: Mapping[str, RunnerReading | None] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()
    paused: bool = False
    daily_budget_usd: float | None = None
    missing_credentials: Mapping[str, str] = field(default_factory=dict)
    pace: Mapping[str, Pace] = field(default_factory=dict)
    swept: Mapping[str, float] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    distrust: Mapping[str, Why] = field(default_factory=dict)
    listening_since: float = 0.0
    volumes: Mapping[str, VolumeReading | None] = field(default_factory=dict)

    def overdue(self, since: float, deadline: float) -> bool:
        """Whether a sign of life is ``deadline`` seconds late, and somebody was there to hear it.

        After an outage those that waited call within seconds, or the next list shows them: their deadline
        does not pass before this dispatcher has listened for ``absence_confirm``.
        """
        return self.now > max(since + deadline, self.listening_since + self.timing.absence_confirm)
