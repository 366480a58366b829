"""Roll-over: each pool's spares, how many are to be made, and which end; warmth never drops for a deploy.

A spare is stale when its image, its machine class or the class's file is no longer the pool's, when it is
too old, or when its host cannot be reached. It stays until a new one is in place for it, and serves a job
that finds no new one: it is what the pool gave a minute ago, and it is there now, while a cold Machine takes
seconds and create budget. New spares are made as any other, at the create budget and after all demand. Where
a cap leaves no room for them, one stale spare at a time gives its own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runners.model.nouns import Machine
from runners.model.reason import Reason, Why
from runners.model.snapshot import Snapshot
from runners.model.states import MachineState
from runners.planning.plan import Destroy, Launch
from runners.planning.spares import (
    START_TRIES,
    host_was_full,
    is_in_place,
    never_starts,
    stale,
    start_was_lost,
)
from runners.planning.tally import Tally

LOST_START = "its start did not arrive: Fly still shows the spare at rest"


@dataclass(frozen=True, slots=True)
class Kind:
    """The ready or the stopped spares of one pool; those that are being ended are none.

    Attributes:
        wanted: how many the pool keeps.
        new: those of the present image and class, the first to be used first.
        in_place: those of them that a job could take now.
        stale: the others, the first to be used first.
        on_their_way: stopped spares whose create is out.
    """

    wanted: int
    new: tuple[Machine, ...]
    in_place: tuple[Machine, ...]
    stale: tuple[Machine, ...]
    on_their_way: int = 0

    @property
    def lacking(self) -> int:
        """How many are to be made."""
        return max(0, self.wanted - len(self.new) - self.on_their_way)

    @property
    def replaced(self) -> int:
        """How many stale ones have a new one in their place, or are too many."""
        return len(self.stale) + len(self.in_place) - self.wanted

    @property
    def waits(self) -> bool:
        """Whether a new one is being made that a job could not take yet."""
        return self.on_their_way > 0 or len(self.in_place) < len(self.new)


def ready_kind(snapshot: Snapshot, books: Tally, ending: frozenset[str] = frozenset()) -> Kind:
    """The pool's ready spares, but for those that end."""
    new, old = _parted(snapshot, books, (m for m in books.ready_spares if m.name not in ending))
    in_place = tuple(machine for machine in new if machine.state is MachineState.READY)
    return Kind(books.pool.settings.ready, new, in_place, old)


def stopped_kind(snapshot: Snapshot, books: Tally, ending: frozenset[str] = frozenset()) -> Kind:
    """The pool's stopped spares, but for those that end."""
    new, old = _parted(snapshot, books, (m for m in books.stopped_spares if m.name not in ending))
    in_place = tuple(machine for machine in new if machine.boot is not None or is_in_place(snapshot, machine))
    on_their_way, _ = _parted(
        snapshot,
        books,
        (m for m in books.machines if m.state is MachineState.CREATING and m.boot is None),
    )
    return Kind(books.pool.settings.stopped, new, in_place, old, len(on_their_way))


def _parted(
    snapshot: Snapshot, books: Tally, spares: Iterable[Machine]
) -> tuple[tuple[Machine, ...], tuple[Machine, ...]]:
    """Those of the present image and class, and the stale ones."""
    parts: tuple[list[Machine], list[Machine]] = ([], [])
    for machine in spares:
        parts[stale(snapshot, books.pool, machine) is not None].append(machine)
    return tuple(parts[0]), tuple(parts[1])


def broken(snapshot: Snapshot, books: Tally, machine: Machine) -> Why | None:
    """Why a spare is of no use to anybody, or None."""
    timing, boot = snapshot.timing, machine.boot
    if books.pool.drained:
        return Why(Reason.POOL_DRAINED, "the pool takes no new work")
    if host_was_full(machine):
        return Why(Reason.LAUNCH_NO_CAPACITY, "its host has no room to start it; another takes its place")
    if never_starts(machine):
        detail = f"Fly would not start it {START_TRIES} times; another takes its place"
        return Why(Reason.LAUNCH_NOT_READY, detail)
    if start_was_lost(snapshot, machine):
        return Why(Reason.NEVER_STARTED, LOST_START)
    silent = boot is not None and boot.ready_at is None and machine.state is not MachineState.STOPPED
    if silent and boot is not None and snapshot.overdue(boot.launched_at, timing.boot_deadline):
        return Why(Reason.NEVER_STARTED, f"a spare that did not call within {timing.boot_deadline:g} s")
    return None


def end_spares(snapshot: Snapshot, books: Tally) -> Iterator[Destroy]:
    """The spares that are broken, replaced or too many, but for what waiting jobs are about to take."""
    useless = {
        machine.name: why
        for machine in (*books.ready_spares, *books.stopped_spares)
        if (why := broken(snapshot, books, machine)) is not None
    }
    for name, why in useless.items():
        yield Destroy(name, why)
    gone = frozenset(useless)
    ready, stopped = ready_kind(snapshot, books, gone), stopped_kind(snapshot, books, gone)
    takes_ready = len(books.missing)
    takes_stopped = max(0, takes_ready - len(ready.new) - len(ready.stale))
    for kind, taken, rests in ((ready, takes_ready, True), (stopped, takes_stopped, False)):
        for machine in kind.stale[::-1][: max(0, kind.replaced - taken)]:
            why = stale(snapshot, books.pool, machine)
            if why is not None:
                progress = f"{len(kind.in_place)} of {kind.wanted} new ones are in place"
                yield Destroy(machine.name, Why(why.reason, f"{why.detail}; {progress}"))
        for machine in kind.new[::-1][: max(0, len(kind.new) - kind.wanted - taken)]:
            if not rests or _rested(snapshot, machine):
                what = "ready" if rests else "stopped"
                yield Destroy(machine.name, Why(Reason.SURPLUS, f"{kind.wanted} {what} spares are wanted"))


def make_spares(snapshot: Snapshot, books: Tally, ending: frozenset[str]) -> Iterator[Launch]:
    """The spares that are missing; they mint nothing. None while a job of the pool waits."""
    if books.missing:
        return
    settings = books.pool.settings
    ready, stopped = ready_kind(snapshot, books, ending), stopped_kind(snapshot, books, ending)
    detail = f"{settings.ready} ready and {settings.stopped} stopped spares are wanted"
    replaced = len(ready.stale) + len(stopped.stale)
    if replaced:
        detail += f"; {replaced} to be replaced, which stay until then"
    why = Why(Reason.SPARE_WANTED, detail)
    for _ in range(ready.lacking):
        yield Launch(books.pool.name, settings.class_name, why)
    for _ in range(stopped.lacking):
        yield Launch(books.pool.name, settings.class_name, why, start=False)


def gives_room(snapshot: Snapshot, books: Tally) -> Destroy | None:
    """The stale spare that gives its place to a new one where a cap leaves none: one at a time."""
    ready, stopped = ready_kind(snapshot, books), stopped_kind(snapshot, books)
    ends = any(machine.destroy_sent_at is not None for machine in books.machines)
    if ends or ready.waits or stopped.waits:
        return None
    for kind in (stopped, ready):
        if kind.lacking and kind.stale:
            machine = kind.stale[-1]
            why = stale(snapshot, books.pool, machine)
            if why is not None:
                return Destroy(machine.name, Why(why.reason, f"{why.detail}; it makes room for a new one"))
    return None


def _rested(snapshot: Snapshot, machine: Machine) -> bool:
    """A spare without a use is kept for a moment: the next job often comes at once."""
    return snapshot.now - machine.state_at > snapshot.timing.idle_timeout
