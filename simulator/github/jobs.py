"""Run, job and step: what a workflow asks for and how far it got. Times are Unix seconds."""

from dataclasses import dataclass, field
from typing import Literal

from simulator.github.accounts import Repository

Status = Literal["waiting", "queued", "in_progress", "completed"]
# Every workflow here is in the same file of its repository.
WORKFLOW_PATH = ".github/workflows/ci.yml"
StepKind = Literal["sleep", "fail", "kill_machine"]


@dataclass(frozen=True, slots=True)
class StepOrder:
    """A step to be run.

    Attributes:
        seconds: how long it takes, in real seconds: whoever queues the run has scaled them.
        kind: `sleep` succeeds then, `fail` fails, `kill_machine` ends the runner's Machine without a word.
        always: `if: always()`, so that it is begun after a failure, too.
    """

    name: str
    seconds: float = 0.0
    kind: StepKind = "sleep"
    always: bool = False


@dataclass(frozen=True, slots=True)
class JobOrder:
    """A job to be queued.

    Attributes:
        cancel_after_s: cancel it that many (real) seconds after it was queued.
        approve_after_s: it waits for approval so long first: `waiting`, then `queued`.
    """

    name: str
    labels: tuple[str, ...]
    steps: tuple[StepOrder, ...] = ()
    cancel_after_s: float | None = None
    approve_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class RunOrder:
    """A workflow run to be started in a repository `owner/name`.

    Attributes:
        head_repository: where the commit comes from when not from there: the fork of a pull request.
        display_title: the run's title, as `run-name` makes it.
    """

    repository: str
    jobs: tuple[JobOrder, ...]
    workflow_name: str = "CI"
    head_branch: str = "main"
    event: str = "push"
    head_repository: str = ""
    display_title: str = "Change something"


@dataclass(frozen=True, slots=True)
class RunnerSeat:
    """The runner fields of a job: all of them zero or empty when it ended without ever having one."""

    id: int = 0
    name: str = ""
    group_id: int = 0
    group_name: str = ""


@dataclass(slots=True)
class StepRecord:
    """A step as the API shows it."""

    name: str
    number: int
    status: str = "queued"
    conclusion: str | None = None
    started_at: float | None = None
    completed_at: float | None = None


@dataclass(slots=True)
class Run:
    """A workflow run."""

    id: int
    number: int
    repository: Repository
    workflow_name: str
    workflow_id: int
    head_branch: str
    head_sha: str
    event: str
    head_repository: str
    created_at: float
    updated_at: float
    display_title: str
    jobs: "list[WorkflowJob]" = field(default_factory=list)

    @property
    def workflow_ref(self) -> str:
        """The workflow's file and its ref, as runner groups name a selected workflow."""
        return f"{self.repository.full_name}/{WORKFLOW_PATH}@refs/heads/{self.head_branch}"

    @property
    def status(self) -> Status:
        """A run with one running job, or some done and some not, is in progress."""
        states = {job.status for job in self.jobs}
        if states <= {"completed"}:
            return "completed"
        if len(states) == 1:
            return states.pop()
        return "in_progress" if states - {"queued", "waiting"} else "queued"

    @property
    def conclusion(self) -> str | None:
        """The worst of its jobs, once all are done."""
        if self.status != "completed":
            return None
        ends = {job.conclusion for job in self.jobs}
        return next((end for end in ("failure", "cancelled") if end in ends), "success")


@dataclass(slots=True)
class WorkflowJob:
    """A workflow job.

    Attributes:
        order: what was asked for.
        eligible_at: GitHub's own scheduling delay; no runner gets it before.
        runner_id: the runner that holds it, acknowledged or not.
        seat: the runner fields the API shows, None (null) until it is in progress.
        acknowledged: the runner has begun to renew the lock.
        lock_until: after this without a renewal the runner is held for lost.
        cancel_requested: the runner is told so at its next renewal.
    """

    id: int
    run: Run
    order: JobOrder
    created_at: float
    started_at: float
    eligible_at: float
    status: Status = "queued"
    conclusion: str | None = None
    completed_at: float | None = None
    runner_id: int | None = None
    seat: RunnerSeat | None = None
    steps: list[StepRecord] = field(default_factory=list)
    acknowledged: bool = False
    lock_until: float = 0.0
    cancel_requested: bool = False

    @property
    def name(self) -> str:
        """The job's name."""
        return self.order.name

    @property
    def labels(self) -> tuple[str, ...]:
        """What it asks of a runner, as the workflow spells it."""
        return self.order.labels
