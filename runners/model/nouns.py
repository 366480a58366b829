"""Job, Machine, Boot, Runner and Event: the rows, as frozen values. Every time is Unix seconds (float)."""

from dataclasses import dataclass

from runners.model.reason import Reason
from runners.model.states import JobState, MachineState, RunnerState

MERGE_QUEUE_PREFIX = "gh-readonly-queue/"


@dataclass(frozen=True, slots=True)
class Job:
    """One GitHub workflow job. Text fields are other people's text: bounded where shown, never trusted.

    Attributes:
        id: GitHub's job id, unique over all repositories; a re-run gets a new one.
        pool: the pool it is charged to, or None when no pool serves its labels.
        accepted_at: when this fleet first knew of it.
        queued_at: when it became queued here, or None while it waits for approval.
        not_before: the planner makes no supply for it before this time (see Reason.NOT_DISPATCHED).
        deferrals: how often it was backed off so.
        lost: set when its Machine ended while it ran: GitHub reports the failure minutes later.
        refused: set when the fleet will not serve it (unknown labels, repository not allowed).
    """

    id: int
    run_id: int
    run_attempt: int
    name: str
    workflow_name: str
    repository: str
    installation_id: int | None
    labels: tuple[str, ...]
    head_branch: str
    html_url: str
    private: bool
    pool: str | None
    state: JobState
    conclusion: str | None
    created_at: float
    accepted_at: float
    queued_at: float | None = None
    in_progress_at: float | None = None
    completed_at: float | None = None
    runner_name: str | None = None
    not_before: float = 0.0
    deferrals: int = 0
    lost: Reason | None = None
    refused: Reason | None = None

    @property
    def owner(self) -> str:
        """The account the repository belongs to."""
        return self.repository.partition("/")[0]

    @property
    def merge_queue(self) -> bool:
        """Whether it runs for a merge queue, which goes first when capacity is short."""
        return self.head_branch.startswith(MERGE_QUEUE_PREFIX)


@dataclass(frozen=True, slots=True)
class Boot:
    """One start of one Machine.

    Attributes:
        seq: 1 for the first start of this Machine.
        launched_at: when the launch was committed, just before the call; a claim's token must be younger.
        started_at: when Fly was first seen to say ``started``.
        ready_at: when the boot agent first called.
        ended_at: when the Machine was first seen ended.
        exit_code: of the Machine's main process, the boot agent.
        exit_reason: what that exit code, or the Machine's fate, means.
    """

    machine_name: str
    seq: int
    launched_at: float
    started_at: float | None = None
    ready_at: float | None = None
    ended_at: float | None = None
    exit_code: int | None = None
    exit_reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """Our row for one Fly Machine.

    Attributes:
        name: the Machine's name at Fly, chosen by us, never reused.
        fly_id: Fly's id, None until the create's answer, the claim or a list tells it.
        boot: its latest start, None for a spare that was never started.
        destroy_sent_at: when a destroy was last committed.
        fingerprint: of its machine class when it was made; None when that was not noted.
    """

    name: str
    pool: str
    machine_class: str
    image: str
    app: str
    region: str
    fly_id: str | None
    state: MachineState
    requested_at: float
    state_at: float
    boot: Boot | None = None
    reason: Reason | None = None
    destroy_sent_at: float | None = None
    gone_at: float | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Runner:
    """One registration, for at most one job; bound to one (Machine, Boot).

    Attributes:
        name: the runner's name at GitHub: the Machine's name and a counter; never reused.
        scope: where it registers: ``orgs/acme`` or ``repos/acme/web``.
        registration: ``jit`` or ``token``: what was minted, or will be.
        demand_at: when the job whose demand it answers was accepted; None when that job was held back or had
            supply before, and for no particular demand.
        launch_sent_at: when the launch's call went out; with demand_at, the latency this fleet adds.
        mint_sent_at: when the mint was committed, just before the call.
        minted_at: when the mint's answer was sealed.
        github_id: GitHub's runner id, None until known.
        delete_sent_at: when a DELETE of its registration was last committed.
        deregistered_at: when GitHub confirmed the registration's absence.
        job_id: the job it was seen to run.
        reason: why it is in its state.
        end_asked: an operator wants its end: OPERATOR_RETIRED unless it is busy, OPERATOR_FORCED even then.
    """

    name: str
    pool: str
    scope: str
    machine_name: str
    boot_seq: int
    registration: str
    state: RunnerState
    requested_at: float
    state_at: float
    demand_at: float | None = None
    launch_sent_at: float | None = None
    mint_sent_at: float | None = None
    minted_at: float | None = None
    github_id: int | None = None
    claimed_at: float | None = None
    online_at: float | None = None
    busy_at: float | None = None
    finished_at: float | None = None
    retiring_at: float | None = None
    delete_sent_at: float | None = None
    deregistered_at: float | None = None
    gone_at: float | None = None
    job_id: int | None = None
    reason: Reason | None = None
    end_asked: Reason | None = None

    @property
    def owner(self) -> str:
        """The account whose installation pays for its mint and DELETE."""
        return self.scope.split("/")[1]


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the append-only audit trail.

    Attributes:
        seq: increases by one or more; the fleet's revision is the highest.
        actor: who did it: ``planner``, ``webhook``, ``claim``, ``hook``, ``operator:NAME``, a loop's name.
        verb: what was done: ``moved``, ``requested``, ``refused``, ``retired``, ``swept`` …
        target: ``job/123``, ``runner/NAME``, ``machine/NAME``, ``pool/NAME``.
        reason: why, typed.
        detail: particulars in plain words; never a secret.
        outcome: ``ok`` or the error class.
        external_id: the id of the other side (delivery GUID, Fly request id), when there is one.
    """

    seq: int
    at: float
    actor: str
    verb: str
    target: str
    reason: Reason
    detail: str = ""
    outcome: str = "ok"
    external_id: str = ""
