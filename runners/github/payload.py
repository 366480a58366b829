"""A ``workflow_job`` payload, or a REST answer about one job, as a JobFact: small, typed, tolerant of age.

What GitHub really sends (recorded payloads in tests/data/webhooks): ``action`` and ``workflow_job.status``
disagree (a job that waits for approval arrives as action ``queued``, status ``waiting``): the status counts.
A job that nobody ran has a runner id of 0 or null and a runner name of "" or null; a queued one may already
name a hosted runner. Older servers leave out ``run_attempt``, ``created_at``, ``workflow_name`` and
``head_branch``. ``workflow_job`` has been null.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from runners.github.fields import Fields, FieldWrongError
from runners.model.reason import Reason
from runners.model.states import JobState

# A runner has at most 100 labels (generate-jitconfig), so no job can need more. GitHub bounds a label well
# below.
LABELS_MAX = 100
LABEL_LENGTH_MAX = 256

# Owners of managed users carry an underscore: octocat_acme.
_REPOSITORY = re.compile(r"[A-Za-z0-9_-]{1,100}/[A-Za-z0-9._-]{1,100}")

# REST knows two more: a job that a concurrency group or an approval holds back. No runner can take it yet.
_STATES: Mapping[str, JobState] = {
    **{str(state): state for state in JobState},
    "requested": JobState.WAITING,
    "pending": JobState.WAITING,
}


class PayloadMalformed(Exception):
    """A payload that cannot be read as a workflow job.

    Attributes:
        reason: always ``payload_malformed``.
        detail: path, expectation and kind found; never a value out of the payload.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


@dataclass(frozen=True, slots=True)
class JobFact:
    """What one payload or REST answer says about one job. Text is other people's text.

    Attributes:
        status: the job's status; ``requested`` and ``pending`` read as waiting.
        action: the webhook's action; "" for a REST answer.
        labels: what it runs on, in lower case, without repetition, in the order given.
        private: whether the repository is private; None when the source does not say (a REST job does not).
        installation_id: None when the payload came from a repository's own hook, or from REST.
        html_url: "" unless it is an http(s) address, since a page will link to it.
        created_at: Unix seconds; older servers leave it out, then when it was started, else None.
        runner_name: None for null and "" alike.
        runner_id: None for null and 0 alike.
    """

    id: int
    run_id: int
    run_attempt: int
    status: JobState
    action: str
    conclusion: str | None
    labels: tuple[str, ...]
    name: str
    workflow_name: str
    repository: str
    private: bool | None
    installation_id: int | None
    head_branch: str
    html_url: str
    created_at: float | None
    started_at: float | None
    completed_at: float | None
    runner_name: str | None
    runner_id: int | None

    @property
    def owner(self) -> str:
        """The account the repository belongs to."""
        return self.repository.partition("/")[0]


def read_workflow_job(body: object) -> JobFact:
    """Reads the decoded body of a ``workflow_job`` webhook.

    Raises:
        PayloadMalformed: when a needed field is missing or of another kind. Nothing else is ever raised.
    """
    try:
        top = Fields(body, "")
        repository = top.part("repository")
        installation = top.part_or_none("installation")
        return _read(
            top.part("workflow_job"),
            action=top.text("action"),
            repository=repository.text("full_name"),
            private=repository.flag_or_none("private"),
            installation_id=installation.whole_or_none("id") if installation else None,
        )
    except FieldWrongError as wrong:
        raise PayloadMalformed(Reason.PAYLOAD_MALFORMED, str(wrong)) from wrong


def read_rest_job(job: Fields, repository: str, *, private: bool | None = None) -> JobFact:
    """Reads one job of a REST answer, which does not name its repository.

    Raises:
        FieldWrongError: when a needed field is missing or of another kind.
    """
    return _read(job, action="", repository=repository, private=private, installation_id=None)


def _read(
    job: Fields, *, action: str, repository: str, private: bool | None, installation_id: int | None
) -> JobFact:
    if not _REPOSITORY.fullmatch(repository):
        raise FieldWrongError("repository.full_name", "OWNER/NAME", repository)
    status = job.text("status")
    if status not in _STATES:
        raise FieldWrongError(job.at("status"), f"one of {', '.join(_STATES)}", status)
    started_at = job.time_or_none("started_at")
    url = job.text_or_empty("html_url")
    return JobFact(
        id=job.whole("id"),
        run_id=job.whole("run_id"),
        run_attempt=job.whole("run_attempt", default=1),
        status=_STATES[status],
        action=action,
        conclusion=job.text_or_empty("conclusion") or None,
        labels=_labels(job),
        name=job.text("name"),
        workflow_name=job.text_or_empty("workflow_name"),
        repository=repository,
        private=private,
        installation_id=installation_id,
        head_branch=job.text_or_empty("head_branch"),
        html_url=url if url.startswith(("https://", "http://")) else "",
        created_at=job.time_or_none("created_at") or started_at,
        started_at=started_at,
        completed_at=job.time_or_none("completed_at"),
        runner_name=job.text_or_empty("runner_name") or None,
        runner_id=job.whole_or_none("runner_id"),
    )


def _labels(job: Fields) -> tuple[str, ...]:
    """GitHub matches labels without regard to case."""
    labels = job.texts("labels", most=LABELS_MAX, longest=LABEL_LENGTH_MAX)
    return tuple(dict.fromkeys(label.lower() for label in labels))
