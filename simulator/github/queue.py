"""The job queue: what is asked for, who gets it, how it ends.

A job goes to whichever matching runner asks first (first come), never to
the one that was made for it. A started job is held by a lock; when its runner falls silent the job fails with
"lost communication" and is not queued again. A job that was sent to a runner which never acknowledged is.
"""

from collections.abc import Callable, Sequence

from simulator.agenda import Agenda
from simulator.clock import Clock
from simulator.draws import Draws
from simulator.github.accounts import Directory
from simulator.github.jobs import JobOrder, Run, RunnerSeat, RunOrder, StepRecord, WorkflowJob
from simulator.github.problems import not_found
from simulator.github.registration import Registration
from simulator.github.registrations import Registrations
from simulator.journal import Journal

# Simulated latencies in real seconds; each is divided by the world's scale.
SCHEDULING_DELAY = (0.3, 2.0)
LOCK = 600.0
RENEW_EVERY = 60.0
ACKNOWLEDGE = 60.0
# A stand-in on a loaded computer needs real time to acknowledge, however fast the world runs.
ACKNOWLEDGE_FLOOR = 10.0

Emit = Callable[[WorkflowJob, str], None]


class Queue:
    """Runs and jobs, oldest first.

    Args:
        clock, draws, agenda, journal, directory, registrations: the world's.
        scale: divides every latency above.
        emit: called with each move of a job: waiting, queued, in_progress, completed.
    """

    def __init__(
        self,
        clock: Clock,
        draws: Draws,
        agenda: Agenda,
        journal: Journal,
        directory: Directory,
        registrations: Registrations,
        scale: float,
        emit: Emit,
    ) -> None:
        self._clock = clock
        self._draws = draws
        self._agenda = agenda
        self._journal = journal
        self._directory = directory
        self._registrations = registrations
        self._scale = scale
        self._emit = emit
        self.runs: dict[int, Run] = {}
        self.jobs: dict[int, WorkflowJob] = {}
        self._last_run = draws.of("first run").randrange(12 * 10**9, 13 * 10**9)
        self._last_job = draws.of("first job").randrange(33 * 10**9, 34 * 10**9)
        self.on_change: Callable[[], None] = lambda: None

    @property
    def renew_every(self) -> float:
        """How often a runner shall renew its lock, in seconds of this world's clock."""
        return RENEW_EVERY / self._scale

    def start_run(self, order: RunOrder) -> Run:
        """Queue a run with all its jobs.

        Raises:
            GitHubProblem: 404 unknown repository.
        """
        owner, _, name = order.repository.partition("/")
        repository = self._directory.repository(owner, name)
        now = self._clock.now()
        draw = self._draws.of("run", len(self.runs))
        self._last_run += draw.randrange(1, 1000)
        run = Run(
            id=self._last_run,
            number=len(self.runs) + 1,
            repository=repository,
            workflow_name=order.workflow_name,
            workflow_id=10_000 + sum(order.workflow_name.encode()),
            head_branch=order.head_branch,
            head_sha=f"{draw.getrandbits(160):040x}",
            event=order.event,
            head_repository=order.head_repository or repository.full_name,
            display_title=order.display_title,
            created_at=now,
            updated_at=now,
        )
        self.runs[run.id] = run
        run.jobs.extend(self._new_job(run, job) for job in order.jobs)
        return run

    def next_for(self, runner: Registration) -> WorkflowJob | None:
        """Give the oldest waiting job that this runner may take, if it may take one at all."""
        if runner.busy or runner.spent or runner.removed:
            return None
        now = self._clock.now()
        for job in self.jobs.values():
            free = job.status == "queued" and job.runner_id is None and job.eligible_at <= now
            if free and self._fits(job, runner):
                self._assign(job, runner)
                return job
        return None

    def renew(self, job_id: int, runner: Registration) -> WorkflowJob:
        """Extend the lock; the first renewal acknowledges the job and starts it.

        Raises:
            GitHubProblem: 404 the runner does not hold this job (any more).
        """
        job = self._held(job_id, runner)
        if not job.acknowledged:
            self._start(job, runner)
        job.lock_until = self._clock.now() + LOCK / self._scale
        self._agenda.after(LOCK / self._scale, lambda: self._check_lock(job))
        return job

    def complete(self, job_id: int, runner: Registration, conclusion: str, steps: Sequence[str]) -> None:
        """The runner reports the end, with the conclusion of each step in order.

        Raises:
            GitHubProblem: 404 the runner does not hold this job (any more).
        """
        job = self._held(job_id, runner)
        for record, end in zip(job.steps[1:], steps, strict=False):
            record.conclusion = end
        self._end(job, conclusion, why="reported")
        self._registrations.finish(runner)

    def cancel(self, job_id: int) -> WorkflowJob:
        """Cancel a job: at once while it waits, through its runner once it runs.

        Raises:
            GitHubProblem: 404 unknown job.
        """
        job = self.jobs.get(job_id)
        if job is None:
            raise not_found()
        if job.status == "in_progress":
            job.cancel_requested = True
            self.on_change()
        elif job.status != "completed":
            if (holder := self._holder(job)) is not None:
                holder.job_id = None
                self._registrations.show_later(holder)
            job.seat = RunnerSeat()
            self._end(job, "cancelled", why="cancelled while queued")
        return job

    def _new_job(self, run: Run, order: JobOrder) -> WorkflowJob:
        now = self._clock.now()
        self._last_job += self._draws.of("job", len(self.jobs)).randrange(1, 50)
        job = WorkflowJob(self._last_job, run, order, created_at=now, started_at=now, eligible_at=now)
        self.jobs[job.id] = job
        if order.approve_after_s is None:
            self._enqueue(job)
        else:
            job.status = "waiting"
            self._emit(job, "waiting")
            self._agenda.after(order.approve_after_s, lambda: self._approve(job))
        if order.cancel_after_s is not None:
            self._agenda.after(order.cancel_after_s, lambda: _discard(self.cancel(job.id)))
        return job

    def _approve(self, job: WorkflowJob) -> None:
        if job.status == "waiting":
            self._enqueue(job)

    def _enqueue(self, job: WorkflowJob) -> None:
        job.status = "queued"
        self._record("job_queued", job, labels=list(job.labels))
        self._emit(job, "queued")
        delay = self._draws.of("scheduling", job.id).uniform(*SCHEDULING_DELAY) / self._scale
        job.eligible_at = self._clock.now() + delay
        self._agenda.after(delay, self._ring)

    def _fits(self, job: WorkflowJob, runner: Registration) -> bool:
        """All labels of the job on the runner, in its scope, its group open to repository and workflow."""
        wanted, offered = {x.lower() for x in job.labels}, {x.lower() for x in runner.labels}
        if not wanted or not wanted <= offered:
            return False
        repository = job.run.repository
        if runner.scope.startswith("repos/"):
            return runner.scope.lower() == f"repos/{repository.full_name}".lower()
        group = self._directory.group_of(runner.group_id)
        return group.admits(repository) and group.admits_workflow(job.run.workflow_ref)

    def _assign(self, job: WorkflowJob, runner: Registration) -> None:
        job.runner_id, runner.job_id = runner.id, job.id
        self._registrations.show_later(runner)
        self._record("job_assigned", job, runner=runner.name)
        patience = max(ACKNOWLEDGE / self._scale, ACKNOWLEDGE_FLOOR)
        self._agenda.after(patience, lambda: self._check_acknowledged(job, runner))

    def _start(self, job: WorkflowJob, runner: Registration) -> None:
        now = self._clock.now()
        job.acknowledged, job.status, job.started_at, job.run.updated_at = True, "in_progress", now, now
        job.seat = RunnerSeat(runner.id, runner.name, runner.group_id, runner.group_name)
        names = ["Set up job", *(step.name for step in job.order.steps)]
        job.steps = [StepRecord(name, number) for number, name in enumerate(names, 1)]
        job.steps[0].status, job.steps[0].started_at = "in_progress", now
        self._record("job_started", job, runner=runner.name)
        self._emit(job, "in_progress")

    def _check_acknowledged(self, job: WorkflowJob, runner: Registration) -> None:
        """Not acknowledged in time: the job is free again, the ephemeral runner's one turn is used up."""
        if job.acknowledged or job.status != "queued" or job.runner_id != runner.id:
            return
        job.runner_id = None
        runner.job_id = None
        self._record("job_requeued", job, runner=runner.name)
        self._registrations.finish(runner, lost=True)
        self._ring()

    def _check_lock(self, job: WorkflowJob) -> None:
        if job.status != "in_progress" or job.lock_until > self._clock.now():
            return
        runner = self._holder(job)
        conclusion = "cancelled" if job.cancel_requested else "failure"
        self._end(job, conclusion, why="lost communication")
        if runner is not None:
            self._registrations.finish(runner, lost=True)

    def _end(self, job: WorkflowJob, conclusion: str, *, why: str) -> None:
        now = self._clock.now()
        for step in job.steps:
            step.status, step.started_at, step.completed_at = "completed", step.started_at or now, now
            step.conclusion = step.conclusion or ("success" if step.number == 1 else conclusion)
        job.status, job.conclusion, job.completed_at, job.run.updated_at = "completed", conclusion, now, now
        job.runner_id = None
        name = job.seat.name if job.seat else ""
        self._record("job_completed", job, conclusion=conclusion, runner=name, why=why)
        self._emit(job, "completed")
        self._ring()

    def _held(self, job_id: int, runner: Registration) -> WorkflowJob:
        job = self.jobs.get(job_id)
        if job is None or job.status == "completed" or job.runner_id != runner.id:
            raise not_found()
        return job

    def _holder(self, job: WorkflowJob) -> Registration | None:
        mine = [runner for runner in self._registrations.all() if runner.id == job.runner_id]
        return mine[0] if mine else None

    def _record(self, kind: str, job: WorkflowJob, **fields: object) -> None:
        self._journal.record(
            kind,
            job_id=job.id,
            run_id=job.run.id,
            job=job.name,
            repository=job.run.repository.full_name,
            **fields,
        )

    def _ring(self) -> None:
        self.on_change()


def _discard(_: WorkflowJob) -> None:
    """A timer's callback returns nothing."""
