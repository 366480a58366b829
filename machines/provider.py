"""Provider: the fleet's hands at Fly, in the fleet's words. The only place where ``runners`` meets ``fly``.

Every call is sent once. What fails is an UpstreamError whose class the planner understands; a taken name is
no failure but the proof that an earlier create, whose answer was lost, did happen.
"""

from collections.abc import Callable, Mapping

import httpx
from pydantic import SecretStr

from fly.client import DEFAULT_BASE_URL, FlyClient
from fly.errors import FlyError, FlyNameTaken, FlyNotFound
from fly.keys import SigningKeys
from fly.models import Machine
from fly.oidc import MachineTokens, TokenRefused
from machines.classes import MachineClass
from machines.config import FLEET_TAG, build_create
from machines.meanings import UPSTREAM, in_our_words, keys_unreadable
from machines.nouns import Found, FoundVolume, IdentityError, LaunchOrder, MachineIdentity
from machines.volumes import Volumes
from runners.upstream.clock import Clock
from runners.upstream.errors import ErrorClass, UpstreamError

__all__ = [
    "Found",
    "FoundVolume",
    "IdentityError",
    "LaunchOrder",
    "MachineIdentity",
    "Provider",
    "upstream_key",
]

_DESTROYED = "destroyed"


def upstream_key(request: httpx.Request) -> str:
    """Return whose breaker and limits a request to Fly uses: ``fly:APP``, or ``fly`` for what has no app.

    Fly's create limit and its capacity troubles are per app; the OIDC issuer has a host of its own.
    """
    parts = request.url.path.split("/")
    if len(parts) > 3 and parts[1:3] == ["v1", "apps"]:  # noqa: PLR2004 - /v1/apps/NAME
        return f"{UPSTREAM}:{parts[3]}"
    return UPSTREAM


class Provider:
    """Machines at Fly.

    Args:
        http: sends, over an UpstreamTransport keyed by upstream_key. Not closed here.
        clock: what relative waits in Fly's answers count from.
        classes: the machine classes that may be launched, by name.
        token: gives the Fly API token of the moment; what it raises passes through.
        base_url: of the Machines API, without ``/v1``.
        issuer: of Machine tokens: ``https://oidc.fly.io/ORG``.
        audience: of Machine tokens: the dispatcher's public URL, as the boot agents are told it.
        leeway: seconds by which Fly's clock and ours may differ in a token.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        clock: Clock,
        classes: Mapping[str, MachineClass],
        *,
        token: Callable[[], SecretStr],
        issuer: str,
        audience: str,
        leeway: float,
        base_url: str = DEFAULT_BASE_URL,
    ) -> None:
        self._fly = FlyClient(http, token=token, base_url=base_url)
        self.volumes = Volumes(self._fly, clock)
        self._tokens = MachineTokens(
            SigningKeys(http, issuer), issuer=issuer, audience=audience, leeway=leeway
        )
        self._clock = clock
        self._classes = classes

    @property
    def fingerprints(self) -> Mapping[str, str]:
        """By machine class, the name of what it makes of a Machine."""
        return {name: known.fingerprint for name, known in self._classes.items()}

    async def launch(self, order: LaunchOrder) -> Found:
        """Create one Machine, started unless it is to be a stopped spare.

        When a Machine of that name is there already it is ours from an earlier create, and is returned.
        Where the class has a volume, that is created first. It is deleted again when the Machine surely was
        not created with it; what is left in doubt is the sweep's.

        Raises:
            UpstreamError: not created, or (``answered`` False) perhaps created: look it up by name.
        """
        machine_class = self._classes.get(order.machine_class)
        if machine_class is None:
            raise self._no_such_class(order)
        volume_id = await self.volumes.create_for(order, machine_class)
        with in_our_words(self._clock, mutating=True):
            try:
                body = build_create(order, machine_class, volume_id)
                machine = await self._fly.create_machine(order.app, body)
            except FlyError as error:
                if volume_id is not None:
                    await self.volumes.discard(order.app, volume_id, error)
                if not isinstance(error, FlyNameTaken):
                    raise
                machine = await self._holder(order, error)
        return _found(order.app, machine)

    def has_volume(self, machine_class: str) -> bool:
        """Whether Machines of that class get a volume each; not when there is no such class."""
        known = self._classes.get(machine_class)
        return known is not None and known.disk.kind == "volume"

    async def start(self, app: str, fly_id: str) -> None:
        """Start a stopped spare; it is not started yet when this returns.

        Raises:
            UpstreamError: NO_CAPACITY when its host is full, TRY_LATER while Fly still prepares or stops it.
        """
        with in_our_words(self._clock, mutating=True):
            await self._fly.start_machine(app, fly_id)

    async def destroy(self, app: str, fly_id: str) -> None:
        """End a Machine, running or not. One that is not there is destroyed already.

        Raises:
            UpstreamError: it may still be there.
        """
        with in_our_words(self._clock, mutating=True):
            try:
                await self._fly.destroy_machine(app, fly_id)
            except FlyNotFound:
                return

    async def list(self, app: str) -> tuple[Found, ...]:
        """Return all Machines of an app that are not destroyed, whoever made them.

        Raises:
            UpstreamError: the list is unknown; nothing may be concluded about any Machine.
        """
        with in_our_words(self._clock, mutating=False):
            machines = await self._fly.list_machines(app)
        return tuple(_found(app, machine) for machine in machines)

    async def look(self, app: str, fly_id: str) -> Found:
        """Return one Machine; one that Fly does not know has ended.

        Raises:
            UpstreamError: nothing may be concluded.
        """
        with in_our_words(self._clock, mutating=False):
            try:
                return _found(app, await self._fly.get_machine(app, fly_id))
            except FlyNotFound:
                return Found(
                    fly_id=fly_id,
                    name="",
                    app=app,
                    region="",
                    state="",
                    host_ok=True,
                    fleet=None,
                    ended=True,
                )

    async def find(self, app: str, name: str) -> Found | None:
        """Return the Machine of that name, a destroyed one included, or None.

        The list it reads lags by some seconds, so None is to be asked for twice before it is believed.

        Raises:
            UpstreamError: nothing may be concluded.
        """
        with in_our_words(self._clock, mutating=False):
            machine = await self._named(app, name)
        return None if machine is None else _found(app, machine)

    async def identify(self, token: str, now: float) -> MachineIdentity:
        """Return which Machine holds this OIDC token.

        Args:
            token: as the caller sent it.
            now: Unix seconds that its times are checked against.

        Raises:
            IdentityError: it proves nothing.
            UpstreamError: Fly's keys cannot be read, so nothing can be said.
        """
        try:
            claims = await self._tokens.verify(token, now)
        except TokenRefused as refused:
            raise IdentityError(refused.kind, refused.detail) from None
        except FlyError as error:
            raise keys_unreadable(error, now=now) from error
        return MachineIdentity(
            app=claims.app_name,
            machine_name=claims.machine_name,
            machine_id=claims.machine_id,
            image_digest=claims.image_digest,
            region=claims.region,
            issued_at=claims.issued_at,
            expires_at=claims.expires_at,
            jti=claims.jti,
        )

    async def _holder(self, order: LaunchOrder, taken: FlyNameTaken) -> Machine:
        """The live Machine that has the order's name, if it is ours."""
        if taken.machine_id:
            machine: Machine | None = await self._fly.get_machine(order.app, taken.machine_id)
        else:
            machine = await self._named(order.app, order.name)
        if machine is None:
            raise taken
        found = _found(order.app, machine)
        # Tags that could not be read are no proof that it is somebody else's; the name is ours.
        if found.host_ok and found.fleet != order.fleet:
            raise taken
        return machine

    async def _named(self, app: str, name: str) -> Machine | None:
        machines = await self._fly.list_machines(app, include_deleted=True)
        named = [machine for machine in machines if machine.name == name]
        return max(named, key=lambda machine: (machine.state != _DESTROYED, machine.created_at), default=None)

    def _no_such_class(self, order: LaunchOrder) -> UpstreamError:
        return UpstreamError(
            upstream=UPSTREAM,
            error_class=ErrorClass.OUR_FAULT,
            attempted=f"create Machine {order.name} in app {order.app} ({order.region})",
            why=f"there is no machine class {order.machine_class}, only {', '.join(sorted(self._classes))}",
            next_step=f"put {order.machine_class}.toml into fleet.classes, or mend pools.machine_class",
        )


def _found(app: str, machine: Machine) -> Found:
    config = machine.config or machine.incomplete_config
    ended = machine.state == _DESTROYED
    last_exit = machine.last_exit
    return Found(
        fly_id=machine.id,
        name=machine.name,
        app=app,
        region=machine.region,
        state=machine.state,
        # Without its full config the tags of a live Machine may be missing: the same doubt as a silent host.
        host_ok=machine.host_status in {None, "ok"} and (machine.config is not None or ended),
        fleet=(config.metadata or {}).get(FLEET_TAG) if config else None,
        exit_code=last_exit.exit_code if last_exit else None,
        oom=last_exit.oom_killed if last_exit else False,
        ended=ended,
        volumes=tuple(each.volume for each in (config.mounts if config else None) or () if each.volume),
    )
