"""Plan: ordered Actions that leave apply no choice, and what was held back, each with its Why."""

from dataclasses import dataclass

from runners.model.reason import Why


@dataclass(frozen=True, slots=True)
class Launch:
    """Create a Machine; with ``runner`` also request a Runner on it and mint its registration in parallel.

    Attributes:
        start: False creates a stopped spare.
        job_id: the job whose demand it answers (a count, never a binding), or None for a spare.
        demand_at: when that job was accepted.
        registration: ``jit`` or ``token``, or "" for a spare.
        app: where; "" until placed.
        region: where; "" until placed.
    """

    pool: str
    machine_class: str
    why: Why
    start: bool = True
    job_id: int | None = None
    demand_at: float | None = None
    registration: str = ""
    app: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class StartSpare:
    """Start a stopped spare; with ``registration`` also request a Runner on it and mint."""

    machine: str
    pool: str
    why: Why
    job_id: int | None = None
    demand_at: float | None = None
    registration: str = ""


@dataclass(frozen=True, slots=True)
class BindSpare:
    """Request a Runner on a Machine that is booting or ready without one, and mint."""

    machine: str
    pool: str
    why: Why
    job_id: int | None = None
    demand_at: float | None = None
    registration: str = ""


@dataclass(frozen=True, slots=True)
class Retire:
    """Take no more work: move the Runner to retiring and remove its registration (422 moves it to busy)."""

    runner: str
    why: Why


@dataclass(frozen=True, slots=True)
class Deregister:
    """Send the DELETE of a retiring Runner's registration, for the first time or again."""

    runner: str
    why: Why


@dataclass(frozen=True, slots=True)
class Destroy:
    """Destroy a Machine of ours."""

    machine: str
    why: Why


@dataclass(frozen=True, slots=True)
class SweepMachine:
    """Destroy a Fly Machine that carries our owner tag but has no row."""

    app: str
    fly_id: str
    name: str
    why: Why


@dataclass(frozen=True, slots=True)
class SweepRegistration:
    """Remove a registration whose name is of this fleet's form but that has no Runner."""

    scope: str
    github_id: int
    name: str
    why: Why


@dataclass(frozen=True, slots=True)
class SweepVolume:
    """Delete a volume of this fleet that no Machine has."""

    app: str
    volume_id: str
    why: Why

    @property
    def swept_as(self) -> str:
        """Its name in what was swept lately."""
        return f"volume/{self.app}/{self.volume_id}"


@dataclass(frozen=True, slots=True)
class Defer:
    """Make no supply for this job before ``until``: GitHub does not dispatch it now."""

    job_id: int
    until: float
    why: Why


Action = (
    Launch
    | StartSpare
    | BindSpare
    | Retire
    | Deregister
    | Destroy
    | SweepMachine
    | SweepRegistration
    | SweepVolume
    | Defer
)


@dataclass(frozen=True, slots=True)
class Held:
    """Something the plan would do but may not now.

    Attributes:
        target: ``job/ID``, ``runner/NAME`` or ``pool/NAME`` (a spare).
        pool: the pool it is about.
    """

    target: str
    pool: str
    why: Why


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now.

    Attributes:
        actions: in order; apply may run them in parallel, each is independent of the others.
        held: what was held back, and why.
        wake_at: when the earliest of it may be tried again, or None.
    """

    actions: tuple[Action, ...] = ()
    held: tuple[Held, ...] = ()

    @property
    def wake_at(self) -> float | None:
        """The earliest ``until`` of what was held back."""
        return min((held.why.until for held in self.held if held.why.until is not None), default=None)


def target_of(action: Launch | StartSpare | BindSpare) -> str:
    """What a request is about: the job it answers, or the pool whose spare it is."""
    return f"pool/{action.pool}" if action.job_id is None else f"job/{action.job_id}"
