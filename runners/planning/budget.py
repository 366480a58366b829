"""Step 5, budget: no cap is exceeded and no limit is hit, whoever asked for the launch.

Caps count every Machine row that is not gone, and every launch this plan has already let through. What does
not fit is held with its Reason and, where known, the time at which it will fit.
"""

from collections.abc import Callable

from runners.model.nouns import Job
from runners.model.reason import Why
from runners.model.snapshot import Snapshot
from runners.planning.plan import Action, Held, Launch, target_of
from runners.planning.purse import Purse, Request


def budget(
    snapshot: Snapshot, actions: tuple[Action, ...], nowhere: tuple[Held, ...] = ()
) -> tuple[tuple[Action, ...], tuple[Held, ...]]:
    """The actions that may go out now, and what was held back.

    Requests spend GitHub writes before removals do: a waiting job is worth more than a tidy list.

    Args:
        snapshot: all there is to know.
        actions: all that is to be done, launches with their places.
        nowhere: launches that found no place; no spare takes the room that their jobs will need.
    """
    purse = Purse(snapshot)
    for entry in nowhere:
        purse.wait(entry.target, entry.pool)
    requests = sorted((action for action in actions if isinstance(action, Request)), key=_urgency(snapshot))
    others = [action for action in actions if not isinstance(action, Request)]
    kept: list[Action] = []
    held: list[Held] = []
    for request in requests:
        allowed = purse.request(request)
        if isinstance(allowed, Why):
            held.append(Held(target_of(request), request.pool, allowed))
            if isinstance(request, Launch):
                purse.wait(target_of(request), request.pool)
        else:
            kept.append(allowed)
    let_through: list[Action] = []
    for action in others:
        refusal = purse.ending(action)
        if refusal is None:
            let_through.append(action)
        else:
            held.append(refusal)
    return (*let_through, *kept), tuple(held)


def _urgency(snapshot: Snapshot) -> Callable[[Request], tuple[bool, bool, float, int]]:
    """Merge-queue jobs first, then the longest waiting, then spares."""
    jobs: dict[int | None, Job] = {job.id: job for job in snapshot.jobs}

    def key(request: Request) -> tuple[bool, bool, float, int]:
        job = jobs.get(request.job_id)
        if job is None:
            return True, True, 0.0, 0
        return False, not job.merge_queue, job.queued_at or job.accepted_at, job.id

    return key
