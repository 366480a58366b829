"""What to do with one fact about one job: a pure decision, made inside the transaction that acts on it.

Events come late, twice, out of order or never. So the fact's status counts and not its action; a webhook only
moves a job forward; a REST reading may move it back, unless our row is newer than the reading or completed
(completed is final at GitHub: a re-run gets a new id). A completed fact about an unknown job of ours is kept,
so that a late ``queued`` for it finds it finished and boots nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

from runners.github.payload import JobFact
from runners.model.allow_lists import serves_repository
from runners.model.globs import matches
from runners.model.nouns import Job, Runner
from runners.model.reason import Reason, Why
from runners.model.settings import PoolSettings, Settings
from runners.model.states import JobState
from runners.planning.charge import charge, covers, serves

# Whoever writes a label that begins so meant this kind of fleet, if not this one.
OUR_LABEL_PREFIX = "fly-gha"


class Source(StrEnum):
    """Where a fact came from; the value is the actor of its events."""

    WEBHOOK = "webhook"
    DELIVERY_LOG = "delivery-catch-up"
    SWEEP = "queue-sweep"


class Verdict(StrEnum):
    """What to do with the fact."""

    INSERT = "insert"
    ADVANCE = "advance"
    MOVE_BACK = "move_back"
    RECONSIDER = "reconsider"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The decision.

    Attributes:
        accepted: the fleet serves this job, or has taken note of how it went on.
        why: the reason, for the event and the answer; its detail holds no text of other people.
        pool: the pool to charge the job to, None for a refused one.
        refused: what to store as the job's refusal, or None.
        aimed: the job's labels say that it was meant for a fleet like this one.
    """

    verdict: Verdict
    accepted: bool
    why: Why
    pool: str | None = None
    refused: Reason | None = None
    aimed: bool = True


@dataclass(frozen=True, slots=True)
class Known:
    """What the store holds about the fact's job and runner, read in the same transaction.

    Attributes:
        job: our row, or None.
        runner: the Runner of ours that the fact names and that its repository can reach, or None.
        drained: names of the pools that take no new work.
    """

    job: Job | None = None
    runner: Runner | None = None
    drained: frozenset[str] = frozenset()


def decide(
    fact: JobFact, settings: Settings, known: Known, source: Source, *, read_at: float | None = None
) -> Acceptance:
    """Decide what one fact changes.

    Args:
        fact: what GitHub says.
        settings: the fleet's.
        known: what the store holds.
        source: a sweep's fact was read by our own credential; it names no installation and may move back.
        read_at: for a sweep, when the reading was asked for; a row that changed since is newer than the fact.
    """
    pool = charge(fact.labels, fact.repository, settings, known.drained, private=fact.private)
    refusal = None if known.runner is not None else why_refused(fact, settings, pool, source)
    if pool is None and known.runner is not None:
        # It asked for a runner group only, say; GitHub gave it to ours, so it is that pool's.
        pool = known.runner.pool
    if known.job is None:
        return _of_unknown(fact, settings, pool, refusal, source)
    newer = source is Source.SWEEP and _is_newer_than(known.job, read_at)
    return _of_known(fact, known.job, pool, refusal, may_move_back=newer, source=source)


def why_refused(fact: JobFact, settings: Settings, pool: str | None, source: Source) -> Why | None:
    """Why this fleet will not serve the job, or None when it will.

    Args:
        fact: what GitHub says of the job.
        settings: the fleet's.
        pool: what ``charge`` says.
        source: a sweep's fact names no installation.
    """
    allowed = settings.github
    by_installation = bool(allowed.installations) and source is not Source.SWEEP
    if by_installation and fact.installation_id not in allowed.installations:
        return Why(Reason.INSTALLATION_NOT_ALLOWED, "github.installations does not list its installation")
    not_listed = why_not_listed(fact.repository, settings)
    if not_listed is not None:
        return not_listed
    return _why_no_pool(fact, settings) if pool is None else None


def why_not_listed(repository: str, settings: Settings) -> Why | None:
    """Why ``[github]`` keeps this repository out, or None when it does not."""
    allowed = settings.github
    if allowed.organizations and not matches(allowed.organizations, repository.partition("/")[0]):
        return Why(Reason.REPOSITORY_NOT_ALLOWED, "github.organizations does not list its owner")
    if allowed.repositories and not matches(allowed.repositories, repository):
        return Why(Reason.REPOSITORY_NOT_ALLOWED, "no pattern of github.repositories matches it")
    return None


def is_aimed(labels: tuple[str, ...], settings: Settings) -> bool:
    """Whether the labels say that the job was meant for a fleet like this one."""
    ours = {label.lower() for pool in settings.pools for label in pool.served_labels}
    return any(label.startswith(OUR_LABEL_PREFIX) or label in ours for label in labels)


def _of_unknown(
    fact: JobFact, settings: Settings, pool: str | None, refusal: Why | None, source: Source
) -> Acceptance:
    if refusal is None:
        return Acceptance(Verdict.INSERT, True, _why_taken(fact, source), pool)
    aimed = is_aimed(fact.labels, settings)
    keep = aimed and fact.status is not JobState.COMPLETED
    verdict = Verdict.INSERT if keep else Verdict.NOTHING
    return Acceptance(verdict, False, refusal, None, refusal.reason, aimed)


def _of_known(
    fact: JobFact, job: Job, pool: str | None, refusal: Why | None, *, may_move_back: bool, source: Source
) -> Acceptance:
    # A refused job stays refused while it runs elsewhere; while it waits, changed settings may take it in.
    still = job.refused is not None and (refusal is not None or fact.status.rank > JobState.QUEUED.rank)
    refused = job.refused if still else None
    reconsidered = job.refused is not None and not still
    charged = None if refused is not None else (pool or job.pool)
    if fact.status.rank < job.state.rank:
        if may_move_back:
            why = Why(Reason.MOVED_BACK_BY_REST, f"GitHub says {fact.status}, our row said {job.state}")
            return Acceptance(Verdict.MOVE_BACK, refused is None, why, charged, refused)
        return _nothing_new(job, f"it is {job.state} already, which is later than {fact.status}")
    if reconsidered:
        why = Why(Reason.DEMAND, f"it was refused as {job.refused}; the settings serve it now")
        return Acceptance(Verdict.RECONSIDER, True, why, charged)
    if fact.status.rank == job.state.rank:
        return _nothing_new(job, f"it is {job.state} already")
    if refused is not None:
        why = refusal or Why(refused, "it was refused when it was queued")
        return Acceptance(Verdict.ADVANCE, False, why, None, refused)
    return Acceptance(Verdict.ADVANCE, True, _why_taken(fact, source), charged)


def _nothing_new(job: Job, detail: str) -> Acceptance:
    why = Why(Reason.ALREADY_KNOWN, detail)
    return Acceptance(Verdict.NOTHING, job.refused is None, why, job.pool, job.refused)


def _is_newer_than(job: Job, read_at: float | None) -> bool:
    """Whether a reading asked for at ``read_at`` is newer than our row's state."""
    if read_at is None or job.state is JobState.COMPLETED:
        return False
    entered = job.in_progress_at if job.state is JobState.IN_PROGRESS else job.queued_at
    return (entered or job.accepted_at) < read_at


def _why_taken(fact: JobFact, source: Source) -> Why:
    recovered = {
        Source.DELIVERY_LOG: Reason.RECOVERED_BY_DELIVERY_LOG,
        Source.SWEEP: Reason.RECOVERED_BY_SWEEP,
    }
    usual = {
        JobState.WAITING: Reason.AWAITING_APPROVAL,
        JobState.QUEUED: Reason.DEMAND,
        JobState.IN_PROGRESS: Reason.BUSY,
        JobState.COMPLETED: Reason.JOB_COMPLETED,
    }
    return Why(recovered.get(source, usual[fact.status]), f"GitHub says {fact.status}")


def _why_no_pool(fact: JobFact, settings: Settings) -> Why:
    by_labels = [pool for pool in settings.pools if serves(pool, fact.labels)]
    if not by_labels:
        return Why(Reason.LABELS_UNKNOWN, "no pool's labels include all of the job's labels")
    in_scope = [pool for pool in by_labels if covers(pool.scope, fact.repository)]
    if not in_scope:
        names = _names(by_labels)
        return Why(Reason.REPOSITORY_NOT_ALLOWED, f"the scope of {names} does not cover its repository")
    listing = [pool for pool in in_scope if serves_repository(pool, fact.repository)]
    if not listing:
        names = _names(in_scope)
        return Why(Reason.REPOSITORY_NOT_ALLOWED, f"no pattern of pools.repositories of {names} matches it")
    said = "is public" if fact.private is False else "is not known to be private"
    serve = "serves" if len(listing) == 1 else "serve"
    return Why(
        Reason.PUBLIC_REPOSITORY, f"its repository {said} and {_names(listing)} {serve} private ones only"
    )


def _names(pools: list[PoolSettings]) -> str:
    return f"pool{'s' if len(pools) > 1 else ''} {', '.join(pool.name for pool in pools[:5])}"
