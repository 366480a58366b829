"""Fly's side of the small world: Machines, their boot agents, and the claims these make."""

from dataclasses import replace

from runners.model.reason import Reason
from runners.model.states import JobState, MachineState, RunnerState
from tests.properties.things import LOCK, FlyMachine, HubJob, Record


class FlySide:
    """Part of World; its attributes are declared there."""

    # --- Machines and their agents ---

    def _boot(self, machine: FlyMachine) -> None:
        machine.boots += 1
        machine.state = "starting"
        boot = machine.boots
        if self.chance(self.luck.never_boots):
            machine.state = "created"
            return

        def up() -> None:
            if machine.boots != boot or machine.state != "starting":
                return
            machine.state, machine.token_at = "started", self.now
            if self.chance(self.luck.crashes_at_boot):
                self.at(1.0, lambda: self._die(machine, boot, 20))
            else:
                self._claim(machine, boot, self.now)

        self.at(self.dice.uniform(1.0, 8.0), up)

    def _die(self, machine: FlyMachine, boot: int, code: int | None) -> None:
        """The main process ends, or its host does; auto_destroy removes the Machine."""
        if machine.boots != boot or machine.state == "destroyed":
            return
        machine.state, machine.exit_code = "destroyed", code
        for record in self.records.values():
            if record.name.rpartition("-")[0] == machine.name:
                record.online = False
        if machine.job is not None:
            job = self.hub[machine.job]
            self.at(LOCK, lambda: self._expire(job, job.runner))
        if self.chance(self.luck.returns):
            self.at(300.0, lambda: self._return(machine))

    def _expire(self, job: HubJob, name: str) -> None:
        if job.state is JobState.IN_PROGRESS:
            job.state = JobState.COMPLETED
            if name in self.records:
                self.records[name].busy = False
            self._webhook(job.id)

    def _return(self, machine: FlyMachine) -> None:
        machine.state, machine.job = "started", None
        machine.boots += 1
        self._claim(machine, machine.boots, self.now)

    def _claim(self, machine: FlyMachine, boot: int, since: float) -> None:
        if machine.boots != boot or machine.state != "started":
            return
        limit = self.timing.claim_deadline if machine.cold else self.timing.spare_max_age
        row = self.rows.machines.get(machine.name)
        if row is None or row.state is MachineState.GONE or row.destroy_sent_at is not None:
            self._die(machine, boot, 24)
            return
        if row.boot is None or self.now - since > limit:
            self._die(machine, boot, 22)
            return
        if row.fly_id is None:
            self.rows.machines[row.name] = replace(row, fly_id=machine.fly_id)
        history = [each for each in self.rows.runners.values() if each.machine_name == row.name]
        if row.boot.ready_at is None:
            self.rows.set_boot(row.name, ready_at=self.now, started_at=row.boot.started_at or self.now)
            self.rows.move_machine(row.name, MachineState.READY, self.now, Reason.OBSERVED)
            for each in history:
                self.rows.move_runner(each.name, RunnerState.BOOTING, self.now, Reason.OBSERVED)
            self.wake()
        alive = [
            each
            for each in history
            if each.state not in (RunnerState.RETIRING, RunnerState.GONE) and each.boot_seq == row.boot.seq
        ]
        if any(each.claimed_at is not None for each in history):
            self._die(machine, boot, 24)
        elif alive and alive[0].name in self.sealed:
            self._handed(machine, boot, alive[0].name)
        else:
            self.at(5.0, lambda: self._claim(machine, boot, since))

    def _handed(self, machine: FlyMachine, boot: int, name: str) -> None:
        self.sealed.discard(name)
        self.rows.move_runner(name, RunnerState.CLAIMED, self.now, Reason.OBSERVED, claimed_at=self.now)
        self.rows.move_machine(machine.name, MachineState.BOUND, self.now, Reason.OBSERVED)

        def online() -> None:
            if machine.boots != boot or machine.state != "started":
                return
            if self.rows.runners[name].registration == "token":
                self._count += 1
                self.records[name] = Record(name, self._count, self.now)
            if name not in self.records:
                self._die(machine, boot, 28)
                return
            self.records[name].online = True
            if not self.chance(self.luck.lost_hook):
                self.rows.move_runner(name, RunnerState.IDLE, self.now, Reason.OBSERVED, online_at=self.now)
            self._dispatch()
            self.wake()
            self._listen(machine, boot, name)

        self.at(3.0, online)

    def _listen(self, machine: FlyMachine, boot: int, name: str) -> None:
        """An idle listener whose record is gone ends within seconds, unless it hangs."""
        if machine.boots != boot or machine.state != "started" or machine.job is not None:
            return
        if name not in self.records:
            if not self.chance(self.luck.hangs_after_job):
                self._die(machine, boot, 0 if self.chance(0.5) else 28)
            return
        self.at(10.0, lambda: self._listen(machine, boot, name))
