"""Room: spares give way when a cap leaves no place for a job, or was lowered below what is there.

Within its pool a spare serves the next job, so it is in nobody's way. At the fleet's cap it would keep a job
of another pool waiting for as long as the spare is wanted. What is being destroyed already counts as room.
"""

from collections import Counter
from collections.abc import Iterator

from runners.model.nouns import Machine
from runners.model.reason import Reason, Why
from runners.model.snapshot import Snapshot
from runners.planning.plan import Destroy, Held
from runners.planning.rollover import gives_room
from runners.planning.tally import Tally


def make_room(snapshot: Snapshot, tallies: tuple[Tally, ...], held: tuple[Held, ...]) -> tuple[Destroy, ...]:
    """The spares to end: stopped ones before ready ones, those of the last pool in the settings first."""
    alive = Counter(machine.pool for machine in snapshot.machines if machine.destroy_sent_at is None)
    chosen: list[Destroy] = []
    for books in tallies:
        over = alive[books.pool.name] - books.pool.settings.max_machines
        why = Why(Reason.POOL_AT_MAX, f"pool {books.pool.name} has {max(0, over)} Machines more than its cap")
        for spare in list(_spares(books))[: max(0, over)]:
            alive[books.pool.name] -= 1
            chosen.append(Destroy(spare.name, why))
    need = sum(alive.values()) + _waiting(tallies, held, alive) - snapshot.max_machines
    taken = {action.machine for action in chosen}
    left = [spare for books in reversed(tallies) for spare in _spares(books) if spare.name not in taken]
    why = Why(Reason.FLEET_AT_MAX, "the fleet is at its cap; the spare makes room")
    chosen.extend(Destroy(spare.name, why) for spare in left[: max(0, need)])
    return (*chosen, *_rolled(snapshot, tallies, held)) if not chosen else tuple(chosen)


def _rolled(snapshot: Snapshot, tallies: tuple[Tally, ...], held: tuple[Held, ...]) -> Iterator[Destroy]:
    """The stale spares that give their room to new ones, which found none."""
    capped = (Reason.POOL_AT_MAX, Reason.FLEET_AT_MAX)
    waiting = {entry.target for entry in held if entry.why.reason in capped}
    for books in tallies:
        if f"pool/{books.pool.name}" in waiting and (end := gives_room(snapshot, books)) is not None:
            yield end


def _waiting(tallies: tuple[Tally, ...], held: tuple[Held, ...], alive: Counter[str]) -> int:
    """How many jobs would start if the fleet had room: not more than their pools' own caps allow."""
    jobs = Counter(
        entry.pool
        for entry in held
        if entry.why.reason is Reason.FLEET_AT_MAX and entry.target.startswith("job/")
    )
    rooms = {books.pool.name: books.pool.settings.max_machines - alive[books.pool.name] for books in tallies}
    return sum(min(count, max(0, rooms.get(pool, 0))) for pool, count in jobs.items())


def _spares(books: Tally) -> Iterator[Machine]:
    """Spares that no job of their own pool is about to use, the cheapest to lose first."""
    own = len(books.missing)
    yield from reversed(books.stopped_spares[max(0, own - len(books.ready_spares)) :])
    yield from reversed(books.ready_spares[own:])
