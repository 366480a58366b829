"""JobView: one workflow job, why it waits, how far it is, and when it should start."""

from typing import Literal

from pydantic import Field

from runners.wire.answer import Answer
from runners.wire.text import Untrusted, UntrustedUrl
from runners.wire.times import Time
from runners.wire.why import WhyView


class PhaseView(Answer):
    """One step of the way accepted → requested → started → claimed → online → in_progress → completed → gone.

    Attributes:
        at: when it was reached, or null when it has not been or nobody saw it.
        seconds: since the step before it that was reached; null for the first and for unreached ones. 0 when
            that step is older than the job itself, as for a runner that was there already.
    """

    name: str
    at: Time | None = None
    seconds: float | None = None


class ForecastView(Answer):
    """When a queued job should start.

    Attributes:
        earliest: of the range it should start in.
        latest: of the range, or null when it has no end yet (a held pool).
        basis: how this was estimated, in one sentence.
    """

    expected_start: Time | None
    earliest: Time | None
    latest: Time | None
    confidence: Literal["high", "medium", "low"]
    basis: str


class JobView(Answer):
    """One GitHub workflow job.

    Attributes:
        pool: the pool it is charged to, or null when no pool serves it.
        accepted_at: when this fleet first knew of it.
        queued_at: when it became queued here; null while it waits for approval.
        runner_name: who runs or ran it; usually one of ours.
        merge_queue: runs for a merge queue, which goes first when capacity is short.
        why: why it is where it is; null when there is nothing to explain.
        position: 1 for the next of its pool to be served; null unless queued.
        forecast: null unless queued.
        refused: why this fleet will not serve it, or null.
        lost: why its Machine ended while it ran, or null.
    """

    id: int
    run_id: int
    run_attempt: int
    name: Untrusted
    workflow_name: Untrusted
    repository: Untrusted
    head_branch: Untrusted
    labels: tuple[Untrusted, ...]
    html_url: UntrustedUrl
    private: bool
    merge_queue: bool
    pool: str | None
    state: str
    conclusion: str | None
    created_at: Time
    accepted_at: Time
    queued_at: Time | None
    in_progress_at: Time | None
    completed_at: Time | None
    runner_name: Untrusted | None
    why: WhyView | None
    position: int | None = Field(None, ge=1)
    forecast: ForecastView | None = None
    phases: tuple[PhaseView, ...] = ()
    refused: str | None = None
    lost: str | None = None


class JobAnswer(Answer):
    """One job at one revision."""

    revision: int
    as_of: Time
    job: JobView


class JobPage(Answer):
    """Some jobs, in the order asked for.

    Attributes:
        next_cursor: give it back as ``cursor`` for the next page; null on the last one. Any job's id is a
            cursor, too: the page after it begins with the job that follows.
        total: how many jobs all pages together have (``order=oldest``); null where nobody counted.
    """

    revision: int
    as_of: Time
    jobs: tuple[JobView, ...]
    next_cursor: str | None = None
    total: int | None = None
