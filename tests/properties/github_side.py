"""GitHub's side of the small world: its queue, its webhooks, and the sweep that recovers them."""

from dataclasses import replace

from runners.model.nouns import Job
from runners.model.reason import Reason
from runners.model.states import JobState, RunnerState
from tests.properties.things import FlyMachine, HubJob, Record


class GitHubSide:
    """Part of World; its attributes are declared there."""

    # --- demand, as GitHub has it ---

    def queue(
        self, number: int, pool: str, *, seconds: float, dispatch_after: float = 0.0, branch: str = "main"
    ) -> None:
        self.hub[number] = HubJob(number, pool, seconds, self.now + dispatch_after, branch=branch)
        self._webhook(number)
        self.at(dispatch_after + 0.01, self._dispatch)

    def cancel(self, number: int) -> None:
        job = self.hub[number]
        if job.state is JobState.QUEUED:
            job.state, job.cancelled = JobState.COMPLETED, True
            self._webhook(number)

    def _dispatch(self) -> None:
        """GitHub gives each queued job to any idle online runner of its labels."""
        for job in self.hub.values():
            if job.state is not JobState.QUEUED or job.dispatch_at > self.now:
                continue
            idle = [
                record
                for record in self.records.values()
                if record.online and not record.busy and f"-{job.pool}-" in record.name
            ]
            if idle:
                self._assign(job, self.dice.choice(idle))

    def _assign(self, job: HubJob, record: Record) -> None:
        job.state, job.runner, record.busy = JobState.IN_PROGRESS, record.name, True
        machine = self.fly[record.name.rpartition("-")[0]]
        machine.job, machine.busy_until = job.id, self.now + job.seconds
        boot = machine.boots
        self._webhook(job.id)
        if not self.chance(self.luck.lost_hook):
            self.at(0.5, lambda: self._hook_started(record.name))
        if self.chance(self.luck.dies_in_job):
            self.at(job.seconds / 2, lambda: self._die(machine, boot, None))
        else:
            self.at(job.seconds, lambda: self._finish(job, record.name, machine, boot))

    def _finish(self, job: HubJob, name: str, machine: FlyMachine, boot: int) -> None:
        if machine.boots != boot or machine.state != "started" or machine.job != job.id:
            return
        machine.job = None
        self._conclude(job, name)
        if not self.chance(self.luck.hangs_after_job):
            self.at(2.0, lambda: self._die(machine, boot, 0))

    def _conclude(self, job: HubJob, name: str) -> None:
        if job.state is JobState.IN_PROGRESS:
            job.state = JobState.COMPLETED
            self.records.pop(name, None)
            self._webhook(job.id)

    # --- webhooks, hooks and the sweep that recovers them ---

    def _webhook(self, number: int) -> None:
        state = self.hub[number].state
        if self.chance(self.luck.lost_webhook):
            return
        delay = 150.0 if self.chance(self.luck.late_webhook) else self.dice.uniform(0.2, 3.0)
        self.at(delay, lambda: self._take(number, state))

    def _sweep_queue(self) -> None:
        for number, job in list(self.hub.items()):
            self._take(number, job.state)

    def _take(self, number: int, state: JobState) -> None:
        hub, row = self.hub[number], self.rows.jobs.get(number)
        if row is not None and row.state.rank >= state.rank:
            return
        if row is None:
            row = Job(
                number, 1, 1, "job", "ci", "acme/web", 7, (f"fly-{hub.pool}",), hub.branch, "", True,
                hub.pool, state, None, self.now, self.now, self.now,
            )  # fmt: skip
        named = hub.runner if state is not JobState.QUEUED else None
        self.rows.jobs[number] = replace(
            row, state=state, runner_name=named, in_progress_at=self.now if named else None
        )
        if named in self.rows.runners:
            self._tell(named, number, state)
        self.wake()

    def _tell(self, name: str, number: int, state: JobState) -> None:
        runner = self.rows.runners[name]
        if state is JobState.IN_PROGRESS:
            self.rows.move_runner(name, RunnerState.BUSY, self.now, Reason.BUSY, busy_at=self.now)
            self.rows.set_runner(name, job_id=number)
            return
        finished = runner.finished_at or self.now
        self.rows.move_runner(
            name, RunnerState.RETIRING, self.now, Reason.JOB_COMPLETED, retiring_at=self.now
        )
        if self.rows.runners[name].state is RunnerState.RETIRING:
            self.rows.set_runner(name, job_id=number, finished_at=finished)

    def _hook_started(self, name: str) -> None:
        runner = self.rows.runners[name]
        if runner.finished_at is None:
            self.rows.move_runner(name, RunnerState.BUSY, self.now, Reason.BUSY, busy_at=self.now)
            self.wake()
