"""Step 3, provision: supply for the jobs that have none on its way, then the spares that pools keep.

Cheapest first: a Machine already booting or ready, then a stopped spare, then a cold create.
"""

from collections.abc import Iterator
from itertools import zip_longest

from runners.model.groups import TRUST
from runners.model.nouns import Job
from runners.model.reason import Reason, Why
from runners.model.snapshot import Snapshot
from runners.planning.places import EVERYWHERE, Places
from runners.planning.plan import Action, BindSpare, Held, Launch, StartSpare
from runners.planning.rollover import make_spares
from runners.planning.spares import is_reachable, startable
from runners.planning.tally import Tally


def provision(
    snapshot: Snapshot, tallies: tuple[Tally, ...], ending: frozenset[str], *, warm: bool
) -> tuple[tuple[Action, ...], tuple[Held, ...]]:
    """Requests, not yet placed or paid for, and the jobs of pools that may take no work.

    Args:
        snapshot: all there is to know.
        tallies: the pools' books.
        ending: Machines that earlier steps end; they are no spares.
        warm: also ask for spares; once all demand has been planned.
    """
    actions: list[Action] = []
    held: list[Held] = []
    for books in tallies:
        closed = _closed(snapshot, books)
        if closed is not None:
            held.extend(Held(f"job/{job.id}", books.pool.name, closed) for job in books.missing)
            if closed.reason in TRUST and not books.missing:
                # Said while no job waits, too: nobody ordered it, and somebody has to act.
                held.append(Held(f"pool/{books.pool.name}", books.pool.name, closed))
            continue
        actions.extend(_for_demand(snapshot, books, ending))
    if warm:
        wanted = [
            make_spares(snapshot, books, ending) for books in tallies if _closed(snapshot, books) is None
        ]
        # One of each pool in turn: a pool that wants many leaves the create budget to the others, too.
        actions.extend(one for turn in zip_longest(*wanted) for one in turn if one is not None)
    return tuple(actions), tuple(held)


def _closed(snapshot: Snapshot, books: Tally) -> Why | None:
    if snapshot.paused:
        return Why(Reason.FLEET_PAUSED, "the fleet is paused; what runs goes on")
    if books.pool.drained:
        return Why(Reason.POOL_DRAINED, f"pool {books.pool.name} is drained and takes no new work")
    why = snapshot.distrust.get(books.pool.name)
    missing = snapshot.missing_credentials.get(f"github:{books.pool.settings.owner}")
    if why is not None and why.reason is Reason.GROUP_UNREAD and missing is not None:
        # Nobody can read it: what somebody has to act on is why.
        return Why(Reason.CREDENTIAL_MISSING, f"{missing} is missing")
    return why


def _for_demand(snapshot: Snapshot, books: Tally, ending: frozenset[str]) -> Iterator[Action]:
    ready = [
        machine
        for machine in books.ready_spares
        if machine.name not in ending and is_reachable(snapshot, machine)
    ]
    # Of a class whose Machines die before they are runners, a spare would only be lost.
    broken = Places(snapshot).refused(books.pool.settings.class_name, EVERYWHERE)
    at_rest = books.stopped_spares if len(books.missing) > len(ready) and not broken else ()
    stopped = list(startable(snapshot, (machine for machine in at_rest if machine.name not in ending)))
    why = Why(Reason.DEMAND, f"{len(books.demand)} queued, {len(books.supply)} on their way")
    pool = books.pool.name
    for job in books.missing:
        if ready:
            spare = ready.pop(0).name
            yield BindSpare(spare, pool, why, job.id, job.accepted_at, books.pool.settings.registration)
        elif stopped:
            spare = stopped.pop(0).name
            yield StartSpare(spare, pool, why, job.id, job.accepted_at, books.pool.settings.registration)
        else:
            yield _launch(books, why, job)


def _launch(books: Tally, why: Why, job: Job) -> Launch:
    settings = books.pool.settings
    return Launch(
        pool=books.pool.name,
        machine_class=settings.class_name,
        why=why,
        job_id=job.id,
        demand_at=job.accepted_at,
        registration=settings.registration,
    )
