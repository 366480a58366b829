"""Fleet: the composition root. One dispatcher, constructible many times in one process.

Everything that could differ between production, a test and virtual time is an argument: the store, the
clock, entropy, what sends, and ``reached``, by which the crash tests end the process at named steps.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import Any

import structlog
from asyncio_throttle.throttler import Throttler
from pydantic import SecretStr

from runners.api.acceptance import Source
from runners.api.changes import Changes
from runners.api.intake import BodyNotJSON, Delivery, Intake
from runners.connections import Connections
from runners.control.books import Books
from runners.control.cost import Prices
from runners.control.credentials import credentials_pass
from runners.control.deliveries import delivery_pass
from runners.control.effects import Effects
from runners.control.group_list import group_list_pass
from runners.control.loop import Loop, LoopHealth
from runners.control.machine_list import machine_list_pass
from runners.control.meters import Meters
from runners.control.planner import planner_pass
from runners.control.queue_sweep import queue_sweep_pass
from runners.control.readings import Readings
from runners.control.retention import retention_pass
from runners.control.runner_list import runner_list_pass
from runners.control.world import View, World
from runners.github.payload import JobFact, PayloadMalformed
from runners.model.settings import Settings
from runners.planning.names import ID_LENGTH
from runners.registration.claim import ClaimDesk
from runners.registration.doorbell import Doorbell
from runners.registration.registration import Sealer
from runners.store import lease
from runners.store.engine import OpenStore, Store
from runners.store.errors import StoreError
from runners.upstream.clock import Clock

log = structlog.get_logger()

# Reads of the recovery loops per second: far under any limit, and never in the way of a mint.
RECOVERY_READS_PER_SECOND = 5
# Spending and pace are read anew after so many planner periods.
BOOKS_PERIODS = 4
STOP_GRACE_S = 12.0
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class Seams:
    """What production, tests and virtual time differ in.

    Attributes:
        entropy: gives random bytes.
        holder: this dispatcher's name in the planner's lease.
        reached: called at named steps.
        touch: False plans and explains, and changes nothing outside.
    """

    entropy: Callable[[int], bytes]
    holder: str
    reached: Callable[[str], None] = lambda _step: None
    touch: bool = True


class Fleet:
    """A dispatcher without its HTTP server (the API takes it as its FleetPort).

    Args:
        settings: fleet.toml.
        clock: the one clock.
        store: migrated by ``start``.
        connections: the clients.
        seams: what differs between production and tests.
    """

    def __init__(
        self, settings: Settings, clock: Clock, store: OpenStore, connections: Connections, seams: Seams
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.connections = connections
        self.changes = Changes()
        self._store = store
        self._seams = seams
        self._tasks: list[asyncio.Task[None]] = []
        timing, doorbell = settings.timing, Doorbell()
        self.meters = Meters(calls=connections.calls, breakers=connections.breakers, quota=connections.quota)
        prices = connections.pool_prices()
        self.prices = Prices(connections.price, connections.stopped_price, lambda pool: prices.get(pool, 0.0))
        self.world = World(
            settings=settings,
            clock=clock,
            store=store,
            provider=connections.provider,
            github=connections.github,
            vault=connections.vault,
            readings=Readings(timing.machine_list_period, timing.runner_list_period),
            effects=Effects(),
            doorbell=doorbell,
            books=Books(store, self.prices, prices, timing.planner_period * BOOKS_PERIODS),
            holder=seams.holder,
            listening_since=clock.now(),
            entropy=seams.entropy,
            unique=lambda: unique_part(seams.entropy),
            prices=prices,
            sealer=self.sealer,
            blocked=connections.blocked,
            missing_credentials=connections.missing,
            ageing_credentials=connections.ageing,
            prepare_tokens=connections.prepare_tokens,
            pace=_pacer(),
            quota=connections.quota,
            meters=self.meters,
            reached=seams.reached,
            changed=self.changes.notify,
            wake_planner=lambda: self._loop("planner").wake(),
            # Who may use the runners could not be read without one.
            credentials_changed=lambda: self._loop("group-list").wake(),
        )
        self.intake = Intake(store, clock, settings, self.woken_by_fact)
        self.claims = ClaimDesk(
            store,
            connections.provider,
            self.sealer,
            clock,
            timing,
            doorbell,
            seams.reached,
            self.woken_by_fact,
        )
        self._loops = self._make_loops()

    @property
    def store(self) -> Store:
        """Where the rows are."""
        return self._store

    @property
    def latest(self) -> View | None:
        """The planner's latest pass."""
        return self.world.view

    @property
    def acts(self) -> bool:
        """Whether it carries its plans out."""
        return self._seams.touch

    def loops(self) -> Sequence[LoopHealth]:
        """Every loop's health."""
        return [loop.health for loop in self._loops]

    def blocked(self) -> Mapping[str, float]:
        """By upstream key, until when calls are pointless."""
        return self.connections.blocked()

    def secret(self, name: str) -> SecretStr | None:
        """A credential of the last good reading, or None."""
        return self.connections.vault.get(name)

    def missing_credentials(self) -> Mapping[str, str]:
        """By upstream key, the credential that is missing."""
        return self.connections.missing()

    def tokens_left(self) -> Mapping[str, float]:
        """By name, seconds that each credential which is known to end has to live."""
        return self.connections.tokens_left()

    def ageing_credentials(self) -> Mapping[str, float]:
        """By name, seconds left of each credential that was not replaced in time."""
        return self.connections.ageing()

    def entropy(self, size: int) -> bytes:
        """That many random bytes."""
        return self._seams.entropy(size)

    def sealer(self) -> Sealer:
        """The Sealer of the current fleet key; raises CredentialMissing."""
        return Sealer(self.connections.vault.require("FLY_GHA_FLEET_KEY"), self._seams.entropy)

    def woken_by_fact(self) -> None:
        """A fact changed a row: plan, and tell whoever watches."""
        self.changes.notify()
        self.wake("planner")

    def wake(self, loop: str) -> None:
        """Run a pass of that loop now."""
        self._loop(loop).wake()

    async def start(self) -> None:
        """Migrate the store, read the credentials once, and start every loop.

        Raises:
            StoreUnavailable, StoreNewer: the fleet cannot remember anything.
        """
        await self._store.migrate()
        # Its import takes a tenth of a second, which the first mint would otherwise wait for.
        self.connections.github.load()
        await self._loop("credentials").once()
        self._tasks = [asyncio.create_task(loop.run(), name=loop.health.name) for loop in self._loops]

    async def stop(self) -> None:
        """Stop planning, give calls that are out a moment to be recorded, and close everything.

        Nothing rests on this: a process that dies instead leaves rows that the next one resolves.
        """
        self.changes.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.world.effects.stop(STOP_GRACE_S)
        # So that another dispatcher plans at once; without it the lease ends by itself.
        with suppress(StoreError):
            await self._store.run(lambda conn: lease.release(conn, self._seams.holder))
        await self.connections.close()
        await self._store.close()

    def _make_loops(self) -> tuple[Loop, ...]:
        world, timing = self.world, self.settings.timing

        def loop(name: str, period: float, one_pass: Callable[[], Any]) -> Loop:
            return Loop(name, period, one_pass, self.clock)

        return (
            loop("planner", timing.planner_period, lambda: planner_pass(world, touch=self._seams.touch)),
            loop("machine-list", timing.machine_list_period, lambda: machine_list_pass(world)),
            loop("runner-list", timing.runner_list_period, lambda: runner_list_pass(world)),
            # As often as the runner list: what was read within timing.group_list_period is not read again.
            loop("group-list", timing.runner_list_period, lambda: group_list_pass(world)),
            loop("delivery-catch-up", timing.delivery_period, lambda: delivery_pass(world, self._delivery)),
            loop("queue-sweep", timing.queue_sweep_period, lambda: queue_sweep_pass(world, self._reading)),
            loop("credentials", timing.credentials_period, lambda: credentials_pass(world)),
            loop("retention", timing.retention_period, lambda: retention_pass(world)),
        )

    def _loop(self, name: str) -> Loop:
        return next(loop for loop in self._loops if loop.health.name == name)

    async def _delivery(self, guid: str, event: str, payload: Mapping[str, Any]) -> None:
        try:
            await self.intake.handle_delivery(Delivery(guid, event, payload), Source.DELIVERY_LOG)
        except (PayloadMalformed, BodyNotJSON) as error:
            log.warning("delivery.malformed", guid=guid, error=str(error))

    async def _reading(self, fact: JobFact, read_at: float) -> None:
        await self.intake.handle_reading(fact, read_at)


def unique_part(entropy: Callable[[int], bytes]) -> str:
    """The unique part of a new Machine's name: 36^10 possibilities."""
    number = int.from_bytes(entropy(ID_LENGTH), "big")
    letters = []
    for _ in range(ID_LENGTH):
        number, index = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[index])
    return "".join(letters)


def _pacer() -> Callable[[], AbstractAsyncContextManager[object]]:
    throttler = Throttler(rate_limit=RECOVERY_READS_PER_SECOND, period=1.0)
    return lambda: throttler
