"""The calls that committed plans ask for, and the lists that are read: each may fail in its own way."""

from dataclasses import replace

from runners.model.reason import Reason, Why
from runners.model.snapshot import (
    End,
    MachineReading,
    Refusal,
    RunnerReading,
    SeenMachine,
    SeenRunner,
    VolumeReading,
)
from runners.model.states import MachineState, RunnerState
from tests.properties.things import JIT_LIFE, Disk, FlyMachine, Record


class Calls:
    """Part of World; its attributes are declared there."""

    # --- calls ---

    def _call_create(self, name: str, start: bool) -> None:
        row, luck = self.rows.machines[name], self.luck
        disk = Disk(f"vol_of_{name}", row.app, name)
        self.disks[disk.volume_id] = disk
        if self.chance(luck.no_capacity):
            self._discard(disk)
            self.refusals.append(
                Refusal(row.region, row.machine_class, self.now, Why(Reason.NO_CAPACITY, "full"))
            )
            self._not_launched(name, MachineState.GONE, Reason.LAUNCH_NO_CAPACITY)
            return
        if self.chance(luck.refused_create):
            self._discard(disk)
            self._not_launched(name, MachineState.GONE, Reason.LAUNCH_REFUSED)
            return
        lost = self.chance(luck.lost_create)
        if not lost or self.chance(0.5):
            self._count += 1
            machine = FlyMachine(name, f"fly{self._count}", row.app, row.region)
            machine.cold = any(each.machine_name == name for each in self.rows.runners.values())
            self.fly[name] = machine
            live = [each for each in self.fly.values() if each.state != "destroyed"]
            if len(live) > self.max_machines:
                self.breaches.append(f"{len(live)} live Machines of {self.max_machines}")
            if start:
                self._boot(machine)
            else:
                machine.state = "created" if self.bad_luck(self.spare_luck.stays_created) else "stopped"
        if lost:
            return
        self.rows.machines[name] = replace(self.rows.machines[name], fly_id=self.fly[name].fly_id)
        self.refusals = [
            each
            for each in self.refusals
            if (each.region, each.machine_class) != (row.region, row.machine_class)
            or each.at > row.requested_at
        ]
        self._launched(name, MachineState.STARTING if start else MachineState.STOPPED)

    def _discard(self, disk: Disk) -> None:
        if not self.volume_luck_is_bad("lost_delete"):
            del self.disks[disk.volume_id]

    def _call_sweep_volume(self, _app: str, volume_id: str) -> None:
        disk = self.disks.get(volume_id)
        if disk is None or self.volume_luck_is_bad("lost_delete"):
            return
        if self._has_machine(disk):
            self.breaches.append(f"deleted volume {volume_id} of live Machine {disk.machine}")
        del self.disks[volume_id]

    def _has_machine(self, disk: Disk) -> bool:
        machine = self.fly.get(disk.machine)
        return machine is not None and machine.state != "destroyed"

    def _call_start(self, name: str) -> None:
        machine = self.fly.get(name)
        if self.bad_luck(self.spare_luck.lost_start):
            return
        if self.bad_luck(self.spare_luck.not_ready):
            self._not_launched(name, MachineState.STOPPED, Reason.LAUNCH_NOT_READY)
            return
        at_rest = machine is not None and machine.state in ("stopped", "created")
        if machine is None or not at_rest or self.chance(self.luck.host_full):
            self._not_launched(name, MachineState.STOPPED, Reason.LAUNCH_NO_CAPACITY)
            return
        self._boot(machine)
        self._launched(name, MachineState.STARTING)

    def _launched(self, name: str, to: MachineState) -> None:
        self.rows.move_machine(name, to, self.now, Reason.OBSERVED)
        for runner in self.rows.live_runners():
            if runner.machine_name == name:
                self.rows.move_runner(runner.name, RunnerState.LAUNCHING, self.now, Reason.OBSERVED)

    def _not_launched(self, name: str, to: MachineState, reason: Reason) -> None:
        self.rows.move_machine(name, to, self.now, reason)
        for runner in self.rows.live_runners():
            if runner.machine_name == name:
                self.rows.move_runner(
                    runner.name, RunnerState.RETIRING, self.now, reason, retiring_at=self.now
                )
        self.wake()

    def _call_mint(self, name: str) -> None:
        runner = self.rows.runners[name]
        if self.chance(self.luck.refused_mint):
            self.mint_until[runner.pool] = self.now + self.timing.backoff_first
            self.rows.move_runner(
                name,
                RunnerState.RETIRING,
                self.now,
                Reason.MINT_REFUSED,
                retiring_at=self.now,
                deregistered_at=self.now,
            )
            self.wake()
            return
        lost = self.chance(self.luck.lost_mint)
        if runner.registration == "jit" and (not lost or self.chance(0.5)):
            self._count += 1
            self.records[name] = Record(name, self._count, self.now)
        if lost:
            self.at(10.0, lambda: self._mint_lost(name))
            return
        if runner.state is not RunnerState.RETIRING:
            self.sealed.add(name)
        known = {"github_id": self.records[name].github_id} if name in self.records else {}
        self.rows.set_runner(name, minted_at=self.now, **known)

    def _mint_lost(self, name: str) -> None:
        self.rows.move_runner(name, RunnerState.RETIRING, self.now, Reason.MINT_LOST, retiring_at=self.now)
        self.wake()

    def _call_delete(self, name: str) -> None:
        self.deletes_sent[name] = self.deletes_sent.get(name, 0) + 1
        if self.chance(self.luck.lost_delete):
            return
        record, runner = self.records.get(name), self.rows.runners[name]
        if record is not None and record.busy:
            machine = self.rows.machines.get(runner.machine_name)
            if machine is not None and machine.state is not MachineState.GONE:
                self.rows.move_runner(
                    name, RunnerState.BUSY, self.now, Reason.BUSY, busy_at=runner.busy_at or self.now
                )
        else:
            self.records.pop(name, None)
            self.rows.set_runner(name, deregistered_at=self.now)
        self.wake()

    def _call_sweep_registration(self, name: str) -> None:
        record = self.records.get(name)
        if record is not None and not record.busy:
            del self.records[name]

    def _call_destroy(self, name: str) -> None:
        machine = self.fly.get(name)
        if machine is None or machine.state == "destroyed" or self.chance(self.luck.lost_destroy):
            return
        age = self.now - self.rows.machines[name].requested_at
        if machine.job is not None and age < self.timing.max_lifetime:
            self.breaches.append(f"destroyed {name} while it ran job {machine.job}")
        self._die(machine, machine.boots, None)

    def _call_sweep_machine(self, _app: str, name: str) -> None:
        machine = self.fly[name]
        if machine.state != "destroyed":
            if machine.job is not None:
                self.breaches.append(f"swept {name} while it ran job {machine.job}")
            self._die(machine, machine.boots, None)

    # --- lists ---

    def _machine_list(self) -> None:
        at = self.now
        self.fly = {
            name: machine
            for name, machine in self.fly.items()
            if machine.state != "destroyed" or self.luck.returns or name in self.rows.machines
        }
        for app in sorted({app for pool in self.pools for app in pool.settings.apps}):
            if self.blind(self.now) or self.chance(self.luck.bad_lists):
                continue
            mine = [row for row in self.rows.live_machines() if row.app == app]
            old = self.machine_readings.get(app)
            before = {} if old is None else old.machines
            names = {row.name for row in mine}
            shown, ended = {}, {}
            for machine in self.fly.values():
                if machine.app != app:
                    continue
                if machine.state == "destroyed":
                    ended[machine.name] = End(at, machine.exit_code)
                    continue
                alone = machine.name in before and machine.name not in names
                since = before[machine.name].first_seen_at if alone else at
                shown[machine.name] = SeenMachine(
                    machine.fly_id, machine.name, app, machine.region, machine.state, True, True, since
                )
            gone = {} if old is None else old.absent_since
            absent = {name: gone.get(name, at) for name in names if name not in shown}
            self.machine_readings[app] = MachineReading(at, shown, absent, ended)
            self._volume_list(app, at)
        self.wake()

    def _volume_list(self, app: str, at: float) -> None:
        if self.volume_luck_is_bad("bad_lists"):
            return
        old = self.volume_readings.get(app)
        before = {} if old is None else old.alone_since
        mine = [disk for disk in self.disks.values() if disk.app == app]
        alone = {
            disk.volume_id: before.get(disk.volume_id, at) for disk in mine if not self._has_machine(disk)
        }
        self.volume_readings[app] = VolumeReading(at, alone, len(mine) - len(alone))

    def _runner_list(self) -> None:
        at = self.now
        for record in list(self.records.values()):
            if not record.online and not record.busy and at - record.made_at > JIT_LIFE:
                del self.records[record.name]
        for scope in sorted({pool.settings.scope for pool in self.pools}):
            if self.chance(self.luck.bad_lists):
                continue
            old = self.runner_readings.get(scope)
            before = {} if old is None else old.runners
            mine = {row.name: row for row in self.rows.live_runners() if row.scope == scope}
            shown = {
                record.name: SeenRunner(
                    record.github_id,
                    record.name,
                    record.online,
                    record.busy,
                    before[record.name].first_seen_at
                    if record.name in before and record.name not in mine
                    else at,
                )
                for record in self.records.values()
            }
            gone = {} if old is None else old.absent_since
            known = [name for name, row in mine.items() if row.github_id is not None]
            absent = {name: gone.get(name, at) for name in known if name not in shown}
            self.runner_readings[scope] = RunnerReading(at, shown, absent)
        self.wake()
