"""How a simulated Machine moves from state to state, after Fly's documentation of states.

    create -> created -> started -> (body exits) -> stopped | restarted | destroying -> destroyed
    create with skip_launch -> created -> stopped -> starting -> started
    create with skip_launch, where such Machines stay created -> created -> starting -> started

Every wait is an entry in the agenda, already divided by the scale. A callback of an earlier boot finds that
`boots` has moved on and does nothing.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from simulator.agenda import Agenda
from simulator.clock import Clock
from simulator.draws import Draws
from simulator.fly.body import KILLED, NO_SIGNAL, Body, BodyBoot, BodyExit
from simulator.fly.chronicle import Chronicle
from simulator.fly.insides import Insides
from simulator.fly.machine import Event, SimMachine, State
from simulator.fly.refusals import cannot_start_from, host_full, must_stop_first, still_active, still_starting
from simulator.fly.restart import may_restart

# (median, 95th percentile) in seconds before scaling, from Fly's documentation and third parties'
# measurements; the upper end is kept shorter than reported so that a demo is not ruled by its slowest image
# pull.
CREATE_TO_STARTED = (3.0, 8.0)
STOPPED_TO_STARTED = (0.8, 1.2)
# A skip_launch Machine becomes startable when its image is in place (docs say nothing; inferred).
CREATED_TO_STOPPED = (1.0, 2.0)
# Where it stays `created` instead, a start is refused until then (inferred too: users wait up to a minute).
CREATED_TO_STARTABLE = (20.0, 60.0)
TEARDOWN = (0.5, 1.5)
# "machine still active" was seen up to 8 s after a stop.
STILL_ACTIVE = (1.0, 8.0)


class Lifecycle:
    """Moves Machines between states and writes their events.

    Args:
        clock: tells the time of each event.
        agenda: receives everything that happens later.
        draws: latencies and event ids.
        scale: latencies are divided by it.
        list_lag: longest time, before scaling, that the list goes on showing a destroyed Machine.
        stays_created: a skip_launch Machine never becomes stopped by itself; see CREATED_TO_STARTABLE.
        body: runs the insides.
        chronicle: journal and faults.
        insides: environment and token service of a body.
        released: told the id of a Machine that is destroyed, whose volumes are free again.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        agenda: Agenda,
        draws: Draws,
        scale: float,
        list_lag: float,
        stays_created: bool,
        body: Body,
        chronicle: Chronicle,
        insides: Insides,
        released: Callable[[str], None] = lambda _machine_id: None,
    ) -> None:
        self._clock = clock
        self._agenda = agenda
        self._draws = draws
        self._scale = scale
        self._list_lag = list_lag
        self._stays_created = stays_created
        self._body = body
        self._chronicle = chronicle
        self._insides = insides
        self._released = released

    def created(self, machine: SimMachine) -> None:
        """Write down a new Machine and, unless skip_launch, boot it."""
        self._event(machine, "launch", "created", "user", None)
        self._chronicle.record("machine_created", machine, skip_launch=machine.skip_launch)
        if machine.skip_launch:
            took = CREATED_TO_STARTABLE if self._stays_created else CREATED_TO_STOPPED
            self._later(machine, took, "prepare", partial(self._prepared, machine))
        else:
            self._boot(machine, CREATE_TO_STARTED)

    def start(self, machine: SimMachine) -> State:
        """Start a stopped Machine, or a created one that is in place; returns the state it was in.

        Raises:
            FlyRefusal: 412 when its state forbids it, 409 when its host is full.
        """
        before = machine.state
        if before == "started":
            return before
        if before == "starting":
            raise still_starting()
        if before == "stopping" or (before == "stopped" and self._clock.now() < machine.active_until):
            raise still_active()
        if before != "stopped" and not (before == "created" and machine.in_place):
            raise cannot_start_from(before)
        if self._chronicle.fire("not_ready_on_start", machine):
            raise still_active()
        if self._chronicle.fire("host_full_on_start", machine):
            raise host_full()
        machine.restarts = 0
        self._move(machine, "starting")
        self._boot(machine, STOPPED_TO_STARTED)
        return before

    def stop(self, machine: SimMachine, signum: int, grace: float) -> None:
        """Ask the body to end with a signal, and end it after `grace` seconds (before scaling)."""
        if machine.state == "started":
            machine.stop_requested = True
            self._move(machine, "stopping")
            self._event(machine, "stop", "stopping", "user", {})
            self._body.signal(machine.id, signum)
            self._agenda.after(grace / self._scale, partial(self._grace_over, machine, machine.boots))
        elif machine.state in {"created", "starting"}:
            machine.boots += 1
            self._move(machine, "stopped")
            self._event(machine, "stop", "stopped", "user", {})

    def destroy(self, machine: SimMachine, *, force: bool) -> None:
        """Destroy a Machine; a running body is killed, and the Machine is gone only after its body is.

        Raises:
            FlyRefusal: 412 when it runs and `force` was not given.
        """
        if machine.state in {"destroying", "destroyed"}:
            return
        if machine.body_running and not force:
            raise must_stop_first()
        self._move(machine, "destroying")
        self._event(machine, "destroy", "destroying", "user", None)
        if machine.body_running:
            machine.stop_requested = True
            self._body.kill(machine.id)
        else:
            machine.boots += 1
            self._later(machine, TEARDOWN, "teardown", partial(self._destroyed, machine))

    def lose_host(self, machine: SimMachine) -> None:
        """Cut the Machine's host off: its config cannot be read and its processes stand still."""
        if machine.live and machine.host_status == "ok":
            machine.host_status = "unreachable"
            self._body.freeze(machine.id)
            self._chronicle.record("host_lost", machine)

    def find_host(self, machine: SimMachine) -> None:
        """Bring the host back: the old processes go on where they stood."""
        if machine.host_status != "ok":
            machine.host_status = "ok"
            self._body.thaw(machine.id)
            self._chronicle.record("host_returned", machine)

    def _boot(self, machine: SimMachine, latency: tuple[float, float]) -> None:
        machine.boots += 1
        if self._chronicle.fire("never_boots", machine) is None:
            self._later(machine, latency, "boot", partial(self._started, machine, machine.boots))

    def _prepared(self, machine: SimMachine) -> None:
        if machine.state != "created":
            return
        if self._stays_created:
            machine.in_place = True
        else:
            self._move(machine, "stopped")

    def _started(self, machine: SimMachine, boot: int) -> None:
        if machine.boots != boot or machine.state not in {"created", "starting"}:
            return
        self._move(machine, "started")
        self._event(machine, "start", "started", "flyd", {})
        self._chronicle.record("machine_started", machine, boot=boot)
        machine.body_running = True
        machine.stop_requested = machine.oom = False
        self._body.start(
            BodyBoot(
                machine_id=machine.id,
                env=self._insides.environment(machine),
                mint_oidc=partial(self._insides.mint_oidc, machine),
                exited=partial(self._exited, machine, boot),
            )
        )
        if fault := self._chronicle.fire("out_of_memory", machine):
            delay = float(fault.params.get("after_s", 0.0)) / self._scale
            self._agenda.after(delay, partial(self._run_out_of_memory, machine, boot))
        if fault := self._chronicle.fire("host_lost", machine):
            lost = float(fault.params.get("after_s", 0.0)) / self._scale
            self._agenda.after(lost, partial(self.lose_host, machine))
            found = lost + float(fault.params.get("for_s", 120.0)) / self._scale
            self._agenda.after(found, partial(self.find_host, machine))

    def _run_out_of_memory(self, machine: SimMachine, boot: int) -> None:
        if machine.boots == boot and machine.body_running:
            machine.oom = True
            self._body.kill(machine.id)

    def _grace_over(self, machine: SimMachine, boot: int) -> None:
        if machine.boots == boot and machine.state == "stopping" and machine.body_running:
            self._body.kill(machine.id)

    def _exited(self, machine: SimMachine, boot: int, ended: BodyExit) -> None:
        if machine.boots != boot or not machine.body_running:
            return
        machine.body_running = False
        if machine.oom:
            ended = BodyExit(KILLED, NO_SIGNAL)
        restarting = may_restart(machine, ended)
        self._event(
            machine,
            "exit",
            "stopped",
            "flyd",
            {
                "exit_event": exit_event(machine, ended, self._clock.now(), restarting=restarting),
                "restart_count": machine.restarts,
            },
        )
        self._chronicle.record(
            "machine_exited",
            machine,
            exit_code=ended.exit_code,
            signal=ended.signal,
            oom=machine.oom,
            requested_stop=machine.stop_requested,
        )
        if machine.state == "destroying":
            self._later(machine, TEARDOWN, "teardown", partial(self._destroyed, machine))
        elif restarting:
            machine.restarts += 1
            self._move(machine, "starting")
            self._event(machine, "restart", "starting", "flyd", {})
            self._boot(machine, STOPPED_TO_STARTED)
        elif machine.auto_destroy:
            self._move(machine, "destroying")
            self._later(machine, TEARDOWN, "teardown", partial(self._destroyed, machine))
        else:
            machine.active_until = self._clock.now() + self._seconds(machine, STILL_ACTIVE, "still active")
            self._move(machine, "stopped")

    def _destroyed(self, machine: SimMachine) -> None:
        if not machine.live:
            return
        lag = self._draws.of(machine.id, "lag of the end").uniform(0.0, self._list_lag) / self._scale
        machine.hidden_from = self._clock.now() + lag
        self._move(machine, "destroyed")
        self._released(machine.id)
        self._event(machine, "destroy", "destroyed", "flyd", None)
        self._chronicle.record("machine_destroyed", machine)

    def _move(self, machine: SimMachine, state: State) -> None:
        if state == "destroyed":
            machine.state_before_end = machine.state
        machine.state = state
        machine.updated_at = self._clock.now()

    def _event(
        self, machine: SimMachine, kind: str, status: str, source: str, request: dict[str, Any] | None
    ) -> None:
        now = self._clock.now()
        event_id = self._draws.ulid(now, machine.id, "event", len(machine.events))
        machine.events.append(Event(event_id, kind, status, source, now, request))

    def _later(
        self, machine: SimMachine, spread: tuple[float, float], what: str, action: Callable[[], None]
    ) -> None:
        self._agenda.after(self._seconds(machine, spread, what), action)

    def _seconds(self, machine: SimMachine, spread: tuple[float, float], what: str) -> float:
        return self._draws.spread(*spread, machine.app, machine.name, machine.boots, what) / self._scale


def exit_event(machine: SimMachine, ended: BodyExit, at: float, *, restarting: bool) -> dict[str, Any]:
    """The payload recorded on 2026-10-10 on the live API; -1 means no signal."""
    moment = datetime.fromtimestamp(at, UTC)
    return {
        "exited_at": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond * 1000:09d}Z",
        "requested_stop": machine.stop_requested,
        "restarting": restarting,
        "oom_killed": machine.oom,
        "guest_exit_code": ended.exit_code,
        "exit_code": ended.exit_code,
        "guest_signal": ended.signal,
        "signal": ended.signal,
        "guest_error": "",
        "error": "",
    }
