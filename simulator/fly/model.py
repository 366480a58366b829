"""FlySim: one Fly organization and the part of its Machines API that a fleet of runners uses.

A plain stateful model. Each operation decides at once and either returns or raises `FlyRefusal`; what takes
time is entered in the agenda. `face.py` serves it over HTTP, tests and virtual time call it directly.
"""

import contextlib
import signal
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric import rsa

from simulator.agenda import Agenda
from simulator.clock import Clock
from simulator.draws import Draws
from simulator.faults import Faults
from simulator.fly import admission, refusals
from simulator.fly.answers import world_json
from simulator.fly.body import Body
from simulator.fly.chronicle import Chronicle
from simulator.fly.gate import Gate
from simulator.fly.insides import Insides
from simulator.fly.lifecycle import Lifecycle
from simulator.fly.machine import SETTLED, Event, HostStatus, SimMachine
from simulator.fly.oidc import OidcIssuer
from simulator.fly.refusals import FlyRefusal
from simulator.fly.registry import Registry, new_machine
from simulator.fly.volume_office import VolumeOffice
from simulator.fly.volumes import Shelf
from simulator.journal import Journal

FAULT_KINDS = frozenset(
    {
        "never_boots",
        "no_capacity",
        "lost_create_answer",
        "host_full_on_start",
        "not_ready_on_start",
        "launch_5xx",
        "volume_host_full",
        "lost_volume_answer",
        "out_of_memory",
        "host_lost",
        "no_oidc",
    }
)
DEFAULT_GRACE_S = 5.0
LONGEST_GRACE_S = 300.0
STOP_SIGNALS = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGTERM")
WAITABLE = ("started", "stopped", "suspended", "destroyed", "failed", "settled")


@dataclass(frozen=True, slots=True)
class Creation:
    """A create that was accepted; `answer_lost` says that the caller must never hear of it."""

    machine: SimMachine
    answer_lost: bool


class FlySim:
    """One simulated organization.

    Args:
        clock: every time comes from it.
        seed: repeats ids and latencies.
        scale: how many times faster than reality this world runs.
        org_slug: the organization.
        public_url: base URL under which the face is reached; the OIDC issuer is below it.
        apps: names of the apps that exist.
        body: runs the insides of Machines.
        api_token: the token that is accepted, with or without its "FlyV1 " or "Bearer " in front.
        list_lag: longest time in seconds, before scaling, by which the list lags behind.
        machine_limit: most live Machines of the organization; None is no limit.
        capacity: most running Machines per region; a region that is not named has room.
        signing_key: signs OIDC tokens; made anew when not given.
        networks: private networks by app; an app that is not named has one of its own.
        skip_launch: what becomes of a Machine created with skip_launch; Fly's documentation does not say.
            ``stopped``: that, within seconds. ``created``: it stays so, and a start is refused for up to a
            minute, until its image is in place.
        app_secrets: by app, the secrets that its Machines get as environment at every boot.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        seed: int,
        scale: float,
        org_slug: str,
        public_url: str,
        apps: Iterable[str],
        body: Body,
        api_token: str,
        list_lag: float = 5.0,
        machine_limit: int | None = None,
        capacity: Mapping[str, int] | None = None,
        signing_key: rsa.RSAPrivateKey | None = None,
        networks: Mapping[str, str] | None = None,
        skip_launch: Literal["stopped", "created"] = "stopped",
        app_secrets: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.clock = clock
        self.journal = Journal(clock)
        self.faults = Faults(self.journal, FAULT_KINDS)
        self.agenda = Agenda(clock)
        self.draws = Draws(seed)
        self.scale = scale
        self.org_slug = org_slug
        self.apps = tuple(apps)
        self.networks = dict(networks or {})
        self.body = body
        self.oidc = OidcIssuer(public_url.rstrip("/"), org_slug, self.draws, signing_key)
        self._list_lag = list_lag
        self._machine_limit = machine_limit
        self._capacity = dict(capacity or {})
        self._registry = Registry()
        self._shelf = Shelf(self.draws, scale)
        self._chronicle = Chronicle(self.journal, self.faults, self._registry)
        self._gate = Gate(
            clock=clock, scale=scale, apps=self.apps, api_token=api_token, chronicle=self._chronicle
        )
        self.volumes = VolumeOffice(
            self._shelf, clock, self.journal, self.faults, self._chronicle, self._admit
        )
        self._lifecycle = Lifecycle(
            clock=clock,
            agenda=self.agenda,
            draws=self.draws,
            scale=scale,
            list_lag=list_lag,
            stays_created=skip_launch == "created",
            body=body,
            chronicle=self._chronicle,
            released=self._shelf.release,
            insides=Insides(clock, self.oidc, self._chronicle, app_secrets or {}),
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let this world's time pass while the context is open; at its end every body is killed."""
        try:
            async with self.agenda.running():
                yield
        finally:
            await self.body.close()

    def check_token(self, authorization: str) -> None:
        """Refuse (401) any token but ours; both schemes that Fly takes are taken."""
        self.agenda.run_due()
        self._gate.check_token(authorization)

    def list_machines(
        self,
        app: str,
        *,
        include_deleted: bool = False,
        region: str = "",
        states: Iterable[str] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> list[SimMachine]:
        """The Machines of an app as the lagging list shows them; filters are combined with AND."""
        self._admit("list", app)
        wanted = frozenset(states)
        return [
            machine
            for machine in self._registry.listed(app, self.clock.now(), include_deleted=include_deleted)
            if (not region or machine.region == region)
            and (not wanted or machine.state in wanted)
            and all(machine.metadata.get(key) == value for key, value in (metadata or {}).items())
        ]

    def show_app(self, app: str) -> str:
        """The network of an app; 404 for one that is not there."""
        self._admit("show_app", app)
        return self.networks.get(app, f"{app}-net")

    def create(self, app: str, request: Mapping[str, Any]) -> Creation:
        """Create a Machine and, unless `skip_launch`, boot it."""
        name = str(request.get("name") or "")
        about = {"app": app, "name": name}
        self._admit("create", app, name=name)
        try:
            name, config, candidates, skip_launch = admission.read_create(request)
            pool = str((config.get("metadata") or {}).get("fly_gha_pool", ""))
            if self._chronicle.fire_on_request("launch_5xx", region=candidates[0], pool=pool, **about):
                raise refusals.broken()
            if name and (holder := self._registry.live_named(app, name)):
                raise refusals.name_taken(name, holder.id)
            if (
                self._machine_limit is not None
                and sum(1 for _ in self._registry.live()) >= self._machine_limit
            ):
                raise refusals.machine_limit()
            volumes = self._shelf.wanted_by(app, config, candidates)
            if volumes:
                candidates = (volumes[0].region,)
            region = admission.place(
                candidates, self._registry, self._capacity, self._chronicle, {**about, "pool": pool}
            )
            if volumes and self._chronicle.fire_on_request(
                "volume_host_full", region=region, pool=pool, **about
            ):
                raise refusals.volume_host_full(volumes[0].id)
        except FlyRefusal as refusal:
            raise self._chronicle.refused("create", refusal, app=app, name=name) from None
        machine = new_machine(
            self._registry,
            self.draws,
            self.clock.now(),
            self._list_lag / self.scale,
            app=app,
            name=name,
            region=region,
            config=config,
            skip_launch=skip_launch,
        )
        for volume in volumes:
            volume.machine_id = machine.id
        self._lifecycle.created(machine)
        return Creation(machine, self._chronicle.fire("lost_create_answer", machine) is not None)

    def get(self, app: str, machine_id: str) -> SimMachine:
        """One Machine; a destroyed one is still found, an id that never existed is not (404)."""
        self._admit("get", app, machine_id=machine_id)
        return self._find("get", app, machine_id)

    def start(self, app: str, machine_id: str) -> str:
        """Start a stopped Machine; returns the state it was in."""
        with self._acting("start", app, machine_id) as machine:
            if self._chronicle.fire("launch_5xx", machine):
                raise refusals.broken()
            return self._lifecycle.start(machine)

    def stop(self, app: str, machine_id: str, request: Mapping[str, Any] | None = None) -> None:
        """Stop a Machine; asynchronous, as on Fly."""
        with self._acting("stop", app, machine_id) as machine:
            asked = {**(machine.config.get("stop_config") or {}), **(request or {})}
            name = str(asked.get("signal") or "SIGINT")
            if name not in STOP_SIGNALS:
                raise refusals.invalid(f"signal {name!r} is not one of {', '.join(STOP_SIGNALS)}")
            grace = admission.seconds(asked.get("timeout"), DEFAULT_GRACE_S)
            self._lifecycle.stop(machine, signal.Signals[name].value, min(grace, LONGEST_GRACE_S))

    def destroy(self, app: str, machine_id: str, *, force: bool = False) -> None:
        """Destroy a Machine; a running one only with `force`."""
        with self._acting("destroy", app, machine_id) as machine:
            self._lifecycle.destroy(machine, force=force)

    def events(self, app: str, machine_id: str, limit: int) -> list[Event]:
        """The Machine's newest events, newest first."""
        with self._acting("events", app, machine_id, reach_host=False) as machine:
            return machine.events[::-1][:limit]

    def begin_wait(self, app: str, machine_id: str, states: Iterable[str]) -> tuple[str, ...]:
        """Admit a wait and return the states it is for (default: started)."""
        with self._acting("wait", app, machine_id, reach_host=False):
            wanted = tuple(states) or ("started",)
            if unknown := [state for state in wanted if state not in WAITABLE]:
                raise refusals.invalid(f"state {unknown[0]!r} is not one of {', '.join(WAITABLE)}")
            return wanted

    def reached(self, app: str, machine_id: str, wanted: Iterable[str], after_event: str = "") -> bool:
        """Whether a waited-for state is reached; a destroyed Machine never reaches another (404)."""
        self.agenda.run_due()
        machine = self._find("wait", app, machine_id)
        moved_on = not after_event or machine.events[-1].id != after_event
        settled = machine.state in SETTLED and "settled" in wanted
        if moved_on and (machine.state in wanted or settled):
            return True
        if not machine.live:
            raise self._chronicle.refused("wait", refusals.no_such_machine(), machine_id=machine_id)
        return False

    def peek(self, machine_id: str) -> SimMachine:
        """A Machine as it is, without spending a request; raises KeyError for an unknown id."""
        machine = self._registry.by_id(machine_id)
        if machine is None:
            raise KeyError(machine_id)
        return machine

    def set_host(self, machine_id: str, status: HostStatus) -> None:
        """Cut a Machine's host off or bring it back; raises KeyError for an unknown id."""
        self.agenda.run_due()
        machine = self.peek(machine_id)
        if status == "ok":
            self._lifecycle.find_host(machine)
        else:
            self._lifecycle.lose_host(machine)

    def answer_delay(self) -> float:
        """How long an answer takes on its way back, in real seconds."""
        return self.draws.of("answer", self.journal.last_seq).uniform(0.05, 0.25) / self.scale

    def state(self) -> dict[str, Any]:
        """What exists now, for the control route."""
        self.agenda.run_due()
        volumes = [volume.as_json() | {"app": volume.app} for volume in self._shelf.live()]
        return world_json(self._registry) | {"volumes": volumes}

    @contextlib.contextmanager
    def _acting(
        self, action: str, app: str, machine_id: str, *, reach_host: bool = True
    ) -> Iterator[SimMachine]:
        self._admit(action, app, machine_id=machine_id)
        machine = self._find(action, app, machine_id)
        try:
            if reach_host and machine.host_status != "ok":
                raise refusals.host_silent()
            yield machine
        except FlyRefusal as refusal:
            raise self._chronicle.refused(action, refusal, machine_id=machine_id) from None

    def _admit(self, action: str, app: str, *, name: str = "", machine_id: str = "") -> None:
        self.agenda.run_due()
        self._gate.admit(action, app, name=name, machine_id=machine_id)

    def _find(self, action: str, app: str, machine_id: str) -> SimMachine:
        machine = self._registry.get(app, machine_id)
        if machine is None:
            refusal = refusals.no_such_machine()
            raise self._chronicle.refused(action, refusal, app=app, machine_id=machine_id)
        return machine
