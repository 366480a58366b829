"""Purse: what one plan may still spend of every cap, budget and limit; each answer that is no tells why.

It starts from the Snapshot. Where a limit has a time at which it will let the next one through, the Why says
that too.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from runners.model.reason import Reason, Why
from runners.model.snapshot import Pool, Snapshot
from runners.planning.buckets import (
    create_again_at,
    creates_left,
    volume_deletes_left,
    write_again_at,
    writes_left,
)
from runners.planning.names import ID_LENGTH, machine_name
from runners.planning.place import choose_app
from runners.planning.places import Places
from runners.planning.plan import (
    Action,
    BindSpare,
    Deregister,
    Destroy,
    Held,
    Launch,
    Retire,
    StartSpare,
    SweepMachine,
    SweepRegistration,
    SweepVolume,
)
from runners.planning.planned import retiring, sends_delete

DAY = 86_400.0
KEPT_FOR_REMOVALS = 0.25
"""Of the writes per minute: ``auto`` leaves them, since a removal has no other way and a token needs none."""
Request = Launch | StartSpare | BindSpare


@dataclass
class Purse:
    """What is left to spend while the plan is trimmed; starts from the Snapshot."""

    snapshot: Snapshot
    machines: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    creates: dict[str, float] = field(default_factory=dict)
    writes: dict[str, int] = field(default_factory=dict)
    volume_deletes: dict[str, float] = field(default_factory=dict)
    places: Places = field(init=False)

    def __post_init__(self) -> None:
        self.places = Places(self.snapshot)
        for machine in self.snapshot.machines:
            self.machines[machine.pool] = self.machines.get(machine.pool, 0) + 1
        for pool in _pools_of_strangers(self.snapshot):
            self.machines[pool] = self.machines.get(pool, 0) + 1

    def wait(self, target: str, pool: str) -> None:
        """Note a launch that must wait: the room that its job will need is not for spares."""
        if target.startswith("job/"):
            self.waiting[pool] = self.waiting.get(pool, 0) + 1

    def request(self, request: Request) -> Request | Why:
        """The request as it may go out, or why it may not."""
        pool = next(pool for pool in self.snapshot.pools if pool.name == request.pool)
        registration = ""
        if request.registration:
            choice = self._registration(pool, request.registration)
            if isinstance(choice, Why):
                return choice
            registration = choice
        paid = self._machine(pool, request)
        if isinstance(paid, Why):
            return paid
        if registration == "jit":
            self._write(pool.settings.owner)
        return replace(paid, registration=registration)

    def ending(self, action: Action) -> Held | None:
        """Why a removal must wait, or None when it may go out."""
        if isinstance(action, (Retire, Deregister)):
            runner = next(runner for runner in self.snapshot.runners if runner.name == action.runner)
            if isinstance(action, Retire):
                runner = retiring(self.snapshot, runner, action.why)
            costs = sends_delete(self.snapshot, runner)
            return self._removal(runner.owner, f"runner/{runner.name}", runner.pool, costs=costs)
        if isinstance(action, SweepRegistration):
            return self._removal(action.scope.split("/")[1], f"runner/{action.name}", "", costs=True)
        if isinstance(action, Destroy):
            machine = next(machine for machine in self.snapshot.machines if machine.name == action.machine)
            return self._fly_open(machine.app, f"machine/{machine.name}", machine.pool)
        if isinstance(action, SweepMachine):
            return self._fly_open(action.app, f"machine/{action.name}", "")
        if isinstance(action, SweepVolume):
            return self._volume(action)
        return None

    def _volume(self, action: SweepVolume) -> Held | None:
        target = f"volume/{action.volume_id}"
        closed = self._fly_open(action.app, target, "")
        if closed is not None:
            return closed
        left = self.volume_deletes.setdefault(action.app, volume_deletes_left(self.snapshot, action.app))
        if left < 1.0:
            rate = self.snapshot.limits.creates_per_second
            detail = f"app {action.app} may delete {rate:g} volumes per second"
            return Held(
                target, "", Why(Reason.FLY_VOLUME_BUDGET, detail, create_again_at(self.snapshot, left))
            )
        self.volume_deletes[action.app] = left - 1.0
        return None

    def _registration(self, pool: Pool, wanted: str) -> str | Why:
        """``jit`` or ``token``; ``auto`` is jit until the mint budget is short."""
        owner = pool.settings.owner
        missing = self.snapshot.missing_credentials.get(f"github:{owner}")
        if missing is not None:
            return Why(Reason.CREDENTIAL_MISSING, f"{missing} is missing")
        refused = self._blocked(f"mint:{pool.name}")
        if refused is not None:
            return Why(
                Reason.MINT_REFUSED, f"GitHub refused the last registration of pool {pool.name}", refused
            )
        if wanted == "token":
            return "token"
        blocked = self._blocked(f"github:{owner}")
        kept = self._kept_for_removals() if wanted == "auto" else 0
        if blocked is None and self._writes(owner) > kept:
            return "jit"
        if wanted == "auto":
            return "token"
        if blocked is not None:
            return Why(Reason.GITHUB_BREAKER_OPEN, f"GitHub is not asked for {owner} now", blocked)
        per_minute = self.snapshot.limits.writes_per_minute
        detail = f"{per_minute} writes per minute for {owner} are spent"
        return Why(Reason.GITHUB_WRITE_BUDGET, detail, write_again_at(self.snapshot, owner))

    def _kept_for_removals(self) -> int:
        return int(self.snapshot.limits.writes_per_minute * KEPT_FOR_REMOVALS)

    def _spend(self, pool: Pool) -> Why | None:
        midnight = self.snapshot.now - self.snapshot.now % DAY + DAY
        limit = pool.settings.daily_budget_usd
        if limit is not None and pool.spent_today_usd >= limit:
            detail = f"pool {pool.name} has cost ${pool.spent_today_usd:.2f} of ${limit:.2f} today"
            return Why(Reason.POOL_BUDGET_SPENT, detail, midnight)
        total = sum(each.spent_today_usd for each in self.snapshot.pools)
        fleet_limit = self.snapshot.daily_budget_usd
        if fleet_limit is not None and total >= fleet_limit:
            detail = f"the fleet has cost ${total:.2f} of ${fleet_limit:.2f} today"
            return Why(Reason.FLEET_BUDGET_SPENT, detail, midnight)
        missing = self.snapshot.missing_credentials.get("fly")
        return None if missing is None else Why(Reason.CREDENTIAL_MISSING, f"{missing} is missing")

    def _machine(self, pool: Pool, request: Request) -> Request | Why:
        """The request with what its Machine needs: a booted spare is there and costs nothing more."""
        if isinstance(request, BindSpare):
            return request
        refusal = self._spend(pool)
        if refusal is not None:
            return refusal
        if isinstance(request, Launch):
            return self._launch(pool, request)
        return self._fly_closed(self._app_of(request.machine)) or request

    def _launch(self, pool: Pool, launch: Launch) -> Launch | Why:
        for each in pool.settings.apps:
            self.creates.setdefault(each, creates_left(self.snapshot, each))
        app = choose_app(self.snapshot, self.places, pool, self.creates)
        if isinstance(app, Why):
            return app
        closed = self._fly_closed(app)
        if closed is not None:
            return closed
        if launch.job_id is None and self._room_is_awaited():
            return Why(Reason.DEMAND, "the room is left to jobs that wait for it")
        in_pool = self._count(pool)
        if in_pool >= pool.settings.max_machines:
            detail = f"{in_pool} of {pool.settings.max_machines} Machines of pool {pool.name} are in use"
            return Why(Reason.POOL_AT_MAX, detail)
        in_fleet = sum(self.machines.values())
        if in_fleet >= self.snapshot.max_machines:
            return Why(
                Reason.FLEET_AT_MAX,
                f"{in_fleet} of {self.snapshot.max_machines} Machines of the fleet are in use",
            )
        tokens = self.creates[app]
        if tokens < 1.0:
            rate = self.snapshot.limits.creates_per_second
            detail = f"app {app} may create {rate:g} Machines per second"
            return Why(Reason.FLY_CREATE_BUDGET, detail, create_again_at(self.snapshot, tokens))
        self.places.enter(launch.machine_class, (app, ""))
        self.creates[app] = tokens - 1.0
        self.machines[pool.name] = in_pool + 1
        return replace(launch, app=app)

    def _room_is_awaited(self) -> bool:
        """Whether waiting jobs of any pool will need all the room that is left in the fleet."""
        awaited = sum(
            max(0, min(self.waiting.get(pool.name, 0), pool.settings.max_machines - self._count(pool)))
            for pool in self.snapshot.pools
        )
        return awaited > 0 and self.snapshot.max_machines - sum(self.machines.values()) <= awaited

    def _count(self, pool: Pool) -> int:
        return self.machines.get(pool.name, 0)

    def _removal(self, owner: str, target: str, pool: str, *, costs: bool) -> Held | None:
        if not costs:
            return None
        blocked = self._blocked(f"github:{owner}")
        if blocked is not None:
            return Held(
                target, pool, Why(Reason.GITHUB_BREAKER_OPEN, f"GitHub is not asked for {owner} now", blocked)
            )
        if self._writes(owner) <= 0:
            until = write_again_at(self.snapshot, owner)
            return Held(
                target,
                pool,
                Why(Reason.GITHUB_WRITE_BUDGET, f"this minute's writes for {owner} are spent", until),
            )
        self._write(owner)
        return None

    def _fly_open(self, app: str, target: str, pool: str) -> Held | None:
        closed = self._fly_closed(app)
        return None if closed is None else Held(target, pool, closed)

    def _fly_closed(self, app: str) -> Why | None:
        blocked = self._blocked(f"fly:{app}")
        if blocked is None:
            return None
        return Why(Reason.FLY_BREAKER_OPEN, f"Fly is not asked for app {app} now", blocked)

    def _app_of(self, machine: str) -> str:
        return next(row.app for row in self.snapshot.machines if row.name == machine)

    def _blocked(self, key: str) -> float | None:
        until = self.snapshot.limits.blocked_until.get(key, 0.0)
        return until if until > self.snapshot.now else None

    def _writes(self, owner: str) -> int:
        return self.writes.setdefault(owner, writes_left(self.snapshot, owner))

    def _write(self, owner: str) -> None:
        self.writes[owner] = self._writes(owner) - 1


def _pools_of_strangers(snapshot: Snapshot) -> Iterator[str]:
    """The pool of each Machine at Fly that carries our tag and has no row, "" where its name tells none.

    After an older database was restored they run and cost until they are swept: a cap holds, whoever creates.
    """
    rows = {machine.name for machine in snapshot.machines}
    stems = {machine_name(snapshot.fleet_name, pool.name, ""): pool.name for pool in snapshot.pools}
    for reading in snapshot.fly.values():
        for seen in () if reading is None else reading.machines.values():
            if seen.ours and seen.name not in rows:
                yield stems.get(seen.name[:-ID_LENGTH], "")
