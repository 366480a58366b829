"""World: what one dispatcher is made of, and the little it keeps in memory between passes.

Built once by ``runners/fleet.py`` and handed to observe, apply and the loops. Nothing in it is needed for
correctness after a crash: the rows are in the store, the readings are read again.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from machines.provider import Provider
from runners.control.books import Books
from runners.control.effects import Effects
from runners.control.meters import Meters
from runners.control.readings import Readings
from runners.github.client import GitHub
from runners.model.reason import Reason, Why
from runners.model.settings import Settings
from runners.model.snapshot import Refusal, Snapshot
from runners.planning.forecast import Forecast
from runners.planning.places import TRIAL_MEMORIES
from runners.planning.plan import Plan
from runners.registration.doorbell import Doorbell
from runners.registration.registration import Sealer
from runners.secrets.interface import Vault
from runners.store.engine import Store
from runners.upstream.clock import Clock


async def _nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True, slots=True)
class View:
    """The latest pass of the planner, for everyone who asks why.

    Attributes:
        snapshot: what it knew.
        plan: what it decided.
        whys: by job id, why the job waits.
        forecasts: by job id, when it is expected to start.
    """

    snapshot: Snapshot
    plan: Plan
    whys: Mapping[int, Why]
    forecasts: Mapping[int, Forecast]


@dataclass
class World:
    """Everything that control works with.

    Attributes:
        settings: fleet.toml.
        holder: this dispatcher's name in the lease.
        entropy: gives random bytes.
        unique: gives the unique part of a new Machine's name.
        prices: by pool, US dollars per hour of one started Machine.
        books: spending and pace, kept for a short while.
        sealer: the Sealer of the current fleet key; raises CredentialMissing.
        blocked: by upstream key, until when calls are pointless.
        pace: enter it before each read of the recovery loops.
        ageing_credentials: by name, seconds left of each credential that was not replaced in time.
        prepare_tokens: get the GitHub tokens that the access mode gets for itself.
        quota: by owner, the share of the hourly GitHub quota that is left, None when not known.
        meters: what is counted for the metrics.
        reached: called at named steps; the crash tests end the process there.
        changed: called after each commit that changed something others may watch.
        wake_planner: run the planner now.
        credentials_changed: called when a credential appeared or changed.
        refusals: recent launch refusals of apps, newest last, one per app and class; those of regions are
            in the store.
        mint_refused_until: by pool, when a refused mint is tried again.
        sweeps: how many queue sweeps there were.
        listening_since: when this dispatcher was made; see Snapshot.
        swept: by name, when what had lost its partner was last ended; see Snapshot.
        planned_jobs: open jobs that an earlier pass has seen: only a request in a job's first pass
            measures the latency that this fleet adds.
        told_ageing: names of the credentials whose being late has its event.
        told_missing: by upstream key, the missing credentials as they were last logged.
        held_jobs: open jobs that are held back, with the Reason that the last event about it gave.
    """

    settings: Settings
    clock: Clock
    store: Store
    provider: Provider
    github: GitHub
    vault: Vault
    readings: Readings
    effects: Effects
    doorbell: Doorbell
    books: Books
    holder: str
    entropy: Callable[[int], bytes]
    unique: Callable[[], str]
    prices: Mapping[str, float]
    sealer: Callable[[], Sealer]
    blocked: Callable[[], Mapping[str, float]]
    missing_credentials: Callable[[], Mapping[str, str]]
    pace: Callable[[], AbstractAsyncContextManager[object]]
    ageing_credentials: Callable[[], Mapping[str, float]] = dict
    prepare_tokens: Callable[[], Awaitable[None]] = _nothing
    quota: Callable[[str], float | None] = lambda _owner: None
    meters: Meters = field(default_factory=Meters)
    reached: Callable[[str], None] = lambda _step: None
    changed: Callable[[], None] = lambda: None
    wake_planner: Callable[[], None] = lambda: None
    credentials_changed: Callable[[], None] = lambda: None
    refusals: list[Refusal] = field(default_factory=list)
    mint_refused_until: dict[str, float] = field(default_factory=dict)
    sweeps: int = 0
    listening_since: float = 0.0
    swept: dict[str, float] = field(default_factory=dict)
    planned_jobs: frozenset[int] = frozenset()
    held_jobs: dict[int, Reason] = field(default_factory=dict)
    told_ageing: frozenset[str] = frozenset()
    told_missing: Mapping[str, str] = field(default_factory=dict)
    view: View | None = None

    def refused(self, machine_class: str, why: Why, app: str) -> None:
        """Remember that an app refused a launch for good; what is too old to matter is forgotten."""
        now = self.clock.now()
        memory = self.settings.timing.capacity_memory * TRIAL_MEMORIES
        self.refusals = [
            each
            for each in self.refusals
            if now - each.at < memory and (each.app, each.machine_class) != (app, machine_class)
        ]
        self.refusals.append(Refusal("", machine_class, now, why, app))

    def accepted(self, machine_class: str, app: str, asked_at: float) -> bool:
        """Forget an app's refusal: a launch asked for after it went well. Returns whether there was one."""
        kept = [
            each
            for each in self.refusals
            if (each.app, each.machine_class) != (app, machine_class) or each.at > asked_at
        ]
        forgotten = len(kept) < len(self.refusals)
        self.refusals = kept
        return forgotten
