"""What the small world holds at Fly and at GitHub, and how likely its misfortunes are."""

from dataclasses import dataclass

from runners.model.states import JobState

# GitHub ends a job whose runner is silent for ten minutes, and drops a JIT config unused for five.
LOCK = 600.0
JIT_LIFE = 300.0


@dataclass(frozen=True)
class Luck:
    """How likely each misfortune is, 0 to 1, for each thing it can happen to; and the hours of bad lists."""

    lost_create: float = 0.0  # the answer is lost; half of those Machines exist
    refused_create: float = 0.0
    no_capacity: float = 0.0
    host_full: float = 0.0
    never_boots: float = 0.0
    crashes_at_boot: float = 0.0
    dies_in_job: float = 0.0
    hangs_after_job: float = 0.0
    lost_mint: float = 0.0  # half of those records exist
    refused_mint: float = 0.0
    lost_delete: float = 0.0
    lost_destroy: float = 0.0
    lost_webhook: float = 0.0
    late_webhook: float = 0.0
    lost_hook: float = 0.0
    bad_lists: float = 0.0  # a list call fails
    returns: float = 0.0  # a destroyed Machine comes back from its dead host


@dataclass(frozen=True)
class SpareLuck:
    """As Luck, for what only a stopped spare meets."""

    stays_created: float = 0.0
    not_ready: float = 0.0
    lost_start: float = 0.0  # it never reaches Fly


@dataclass(frozen=True)
class VolumeLuck:
    """As Luck, for volumes; thrown with dice of its own, so that older seeds keep their worlds."""

    lost_delete: float = 0.0  # of one whose Machine was refused, or that is swept
    bad_lists: float = 0.0


@dataclass
class FlyMachine:
    name: str
    fly_id: str
    app: str
    region: str
    state: str = "created"
    exit_code: int | None = None
    boots: int = 0
    cold: bool = True
    token_at: float = 0.0
    job: int | None = None
    busy_until: float = 0.0


@dataclass
class Disk:
    """A volume: the Machine that has it ends before it does."""

    volume_id: str
    app: str
    machine: str


@dataclass
class Record:
    name: str
    github_id: int
    made_at: float
    online: bool = False
    busy: bool = False


@dataclass
class HubJob:
    id: int
    pool: str
    seconds: float
    dispatch_at: float
    state: JobState = JobState.QUEUED
    runner: str | None = None
    cancelled: bool = False
    branch: str = "main"
