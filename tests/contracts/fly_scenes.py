"""Our Fly client and provider, and a few requests by hand, against FlySim's face.

Every operation is seen to do well and to refuse, in as many ways as the simulator knows.
"""

from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from fly.client import FlyClient
from fly.errors import FlyError
from fly.models import CreateVolume, Guest
from machines.classes import Disk, MachineClass, load_classes
from machines.provider import LaunchOrder, Provider
from runners.upstream.errors import UpstreamError
from simulator.fly import FlySim
from simulator.fly.face import build_app
from simulator.fly.machine import SimMachine
from tests.contracts.exchange import Exchange, Recorder
from tests.contracts.sends import Watched
from tests.contracts.worlds import HeldBodies, LeapingClock, signing_key

URL = "http://fly.test"
APP = "runners-a"
TOKEN = "FlyV1 fm2_simulated"
PATH = f"/v1/apps/{APP}/machines"
ORDER = LaunchOrder(
    name="m-1",
    app=APP,
    region="ams",
    pool="gha-medium",
    machine_class="gha-medium",
    image="registry.fly.io/runner:1@sha256:" + "a" * 64,
    fleet="main",
    url="https://dispatcher.test",
    start=True,
    claim_deadline_s=120.0,
    clock_skew_max_s=30.0,
)


VOLUME_CLASS = MachineClass("on-volume", "x", "performance", 2, 8192, 12, Disk("volume", size_gb=20), 30)
VOLUMES = f"/v1/apps/{APP}/volumes"


@dataclass
class FlyWorld:
    """A FlySim with recorded clients."""

    sim: FlySim
    app: FastAPI
    clock: LeapingClock
    bodies: HeldBodies
    recorder: Recorder
    http: httpx.AsyncClient
    client: Any
    provider: Provider

    def wait(self, seconds: float = 60.0) -> None:
        """Long enough for every bucket to fill up again and for every boot to be over."""
        self.clock.pass_time(self.sim.agenda, seconds)

    async def by_hand(self, method: str, path: str, status: int, **request: Any) -> httpx.Response:
        answer = await self.http.request(method, path, headers={"authorization": TOKEN}, **request)
        assert answer.status_code == status, answer.text
        return answer

    async def launched(self, name: str, *, start: bool = True) -> SimMachine:
        found = await self.provider.launch(replace(ORDER, name=name, start=start))
        self.wait()
        return self.sim.peek(found.fly_id)


def make_world() -> FlyWorld:
    clock, bodies = LeapingClock(), HeldBodies()
    sim = FlySim(
        clock=clock,
        seed=7,
        scale=1.0,
        org_slug="acme",
        public_url=URL,
        apps=(APP,),
        body=bodies,
        api_token=TOKEN,
        signing_key=signing_key(),
    )
    app = build_app(sim)
    recorder = Recorder(httpx.ASGITransport(app))
    http = httpx.AsyncClient(transport=recorder, base_url=URL)
    provider = Provider(
        http,
        clock,
        {**load_classes(), VOLUME_CLASS.name: VOLUME_CLASS},
        token=lambda: SecretStr(TOKEN),
        issuer=sim.oidc.issuer,
        audience=ORDER.url,
        leeway=30.0,
        base_url=URL,
    )
    provider._fly = provider.volumes._fly = client = Watched(provider._fly)
    return FlyWorld(sim, app, clock, bodies, recorder, http, client, provider)


async def play() -> tuple[FastAPI, list[Exchange]]:
    """All scenes, each in a world of its own; the face and what was said."""
    said: list[Exchange] = []
    for scene in (creating, keeping, reading, starting, stopping, destroying, waiting, knocking):
        world = make_world()
        async with world.http:
            await scene(world)
        said += world.recorder.exchanges
    return make_world().app, said


async def creating(world: FlyWorld) -> None:
    provider, faults = world.provider, world.sim.faults
    started = await provider.launch(ORDER)
    again = await provider.launch(ORDER)
    assert again.fly_id == started.fly_id
    world.wait()
    for kind, status in (("no_capacity", 422), ("launch_5xx", 503), ("lost_create_answer", 408)):
        faults.add(kind)
        with pytest.raises(UpstreamError) as failed:
            await provider.launch(replace(ORDER, name=f"m-{kind}"))
        assert failed.value.status == status
    assert faults.unfired() == ()
    world.wait()
    for number in range(3):
        await provider.launch(replace(ORDER, name=f"burst-{number}"))
    with pytest.raises(UpstreamError) as limited:
        await provider.launch(replace(ORDER, name="burst-3"))
    assert limited.value.status == 429
    world.wait()
    await world.by_hand("POST", PATH, 400, content=b"{")
    await world.by_hand("POST", PATH, 400, json={"config": {}})
    guest = {"cpu_kind": "quantum", "cpus": 1, "memory_mb": 256}
    world.wait()
    await world.by_hand("POST", PATH, 422, json={"config": {"image": "i", "guest": guest}})


async def keeping(world: FlyWorld) -> None:
    """Volumes: made with their Machine, kept when it ends, deleted when none has them."""
    provider, faults, order = world.provider, world.sim.faults, replace(ORDER, machine_class="on-volume")
    found = await provider.launch(order)
    (volume,) = await provider.volumes.list(APP, "main")
    assert (volume.attached, volume.region) == (True, "ams")
    assert found.volumes == (volume.volume_id,)
    with pytest.raises(UpstreamError) as attached:
        await provider.volumes.delete(APP, volume.volume_id)
    assert attached.value.status == 412
    await world.by_hand("GET", f"{VOLUMES}/{volume.volume_id}", 200)
    await world.by_hand("GET", f"{VOLUMES}/vol_0", 404)
    body = {"name": "x", "config": {"image": "i", "mounts": [{"volume": volume.volume_id, "path": "/d"}]}}
    await world.by_hand("POST", PATH, 400, json={**body, "region": "ams"})
    world.wait()
    world.bodies.exit(found.fly_id, 0)
    world.wait()
    assert [each.attached for each in await provider.volumes.list(APP, "main")] == [False]
    assert await provider.volumes.list(APP, "another") == ()
    await provider.volumes.delete(APP, volume.volume_id)
    await provider.volumes.delete(APP, volume.volume_id)
    assert await provider.volumes.list(APP, "main") == ()
    world.wait()
    for kind, status in (("no_capacity", 422), ("volume_host_full", 412), ("lost_volume_answer", 408)):
        faults.add(kind)
        with pytest.raises(UpstreamError) as failed:
            await provider.launch(replace(order, name=f"v-{kind}"))
        assert failed.value.status == status
        assert failed.value.answered
    assert faults.unfired() == ()
    world.wait()
    (left,) = await provider.volumes.list(APP, "main")
    assert not left.attached
    for number in range(3):
        await world.client.create_volume(APP, volume_request(f"v{number}"))
    with pytest.raises(FlyError) as limited:
        await world.client.create_volume(APP, volume_request("v3"))
    assert limited.value.status == 429
    world.wait()
    await world.by_hand("POST", VOLUMES, 400, json={"name": "Not-Allowed"})
    await world.by_hand("POST", VOLUMES, 400, json={"name": "v", "size_gb": 501})
    with pytest.raises(FlyError) as unknown:
        await world.client.list_volumes("no-such-app")
    assert unknown.value.status == 404


def volume_request(name: str) -> CreateVolume:
    guest = Guest(cpu_kind="performance", cpus=2, memory_mb=8192)
    return CreateVolume(
        name=name, region="ams", size_gb=1, compute=guest, snapshot_retention=1, auto_backup_enabled=False
    )


async def reading(world: FlyWorld) -> None:
    machine = await world.launched("m-1")
    await world.launched("m-2", start=False)
    assert len(await world.provider.list(APP)) == 2
    identity = await world.provider.identify(
        world.sim.oidc.mint(machine, ORDER.url, world.clock.now()), world.clock.now()
    )
    assert identity.machine_id == machine.id
    world.sim.set_host(machine.id, "unreachable")
    assert not (await world.provider.look(APP, machine.id)).host_ok
    world.sim.set_host(machine.id, "ok")
    world.bodies.exit(machine.id, 3)
    world.wait()
    assert (await world.provider.look(APP, machine.id)).exit_code == 3
    assert (await world.provider.find(APP, "m-1")).ended
    assert (await world.client.list_events(APP, machine.id))[0].type == "destroy"
    assert (await world.provider.look(APP, "0123456789abcd")).ended
    assert (await world.client.show_app(APP)).network == f"{APP}-net"
    assert "iad" in {region.code for region in await world.client.list_regions()}
    assert (await world.client.current_tokens())[0].apps == (APP,)
    with pytest.raises(FlyError):
        await world.client.show_app("no-such-app")
    with pytest.raises(UpstreamError):
        await world.provider.list("no-such-app")
    with pytest.raises(FlyError):
        await world.client.list_events(APP, "0123456789abcd")
    world.wait()
    query = {"metadata.fly_gha_pool": "gha-medium", "metadata.fly_gha_fleet": "main"}
    assert len((await world.by_hand("GET", PATH, 200, params=query)).json()) == 1
    query = {"region": "ams", "state": "started,stopped", "summary": "true"}
    assert "config" not in (await world.by_hand("GET", PATH, 200, params=query)).json()[0]
    await world.by_hand("GET", PATH, 200)
    await world.by_hand("GET", PATH, 429)


async def starting(world: FlyWorld) -> None:
    spare = await world.launched("spare", start=False)
    await world.provider.start(APP, spare.id)
    with pytest.raises(UpstreamError) as early:
        await world.provider.start(APP, spare.id)
    assert early.value.status == 412
    for kind, status in (("host_full_on_start", 409), ("launch_5xx", 503), ("", 404)):
        other = await world.launched(f"spare-{kind}", start=False)
        if kind:
            world.sim.faults.add(kind)
        with pytest.raises(UpstreamError) as refused:
            await world.provider.start(APP, other.id if kind else "0123456789abcd")
        assert refused.value.status == status
    lost = await world.launched("lost", start=False)
    world.sim.set_host(lost.id, "unreachable")
    with pytest.raises(UpstreamError) as silent:
        await world.provider.start(APP, lost.id)
    assert silent.value.status == 408


async def stopping(world: FlyWorld) -> None:
    machine = await world.launched("m-1")
    await world.client.stop_machine(APP, machine.id)
    with pytest.raises(FlyError):
        await world.client.stop_machine(APP, "0123456789abcd")
    other = await world.launched("m-2")
    await world.by_hand("POST", f"{PATH}/{other.id}/stop", 400, json={"signal": "SIGNAL"})
    await world.by_hand("POST", f"{PATH}/{other.id}/stop", 200)


async def destroying(world: FlyWorld) -> None:
    machine = await world.launched("m-1")
    with pytest.raises(FlyError) as running:
        await world.client.destroy_machine(APP, machine.id, force=False)
    assert running.value.status == 412
    await world.provider.destroy(APP, machine.id)
    await world.provider.destroy(APP, "0123456789abcd")
    other = await world.launched("m-2")
    await world.by_hand("DELETE", f"{PATH}/{other.id}", 200, params={"kill": "true"})
    lost = await world.launched("m-3")
    world.sim.set_host(lost.id, "unreachable")
    with pytest.raises(UpstreamError):
        await world.provider.destroy(APP, lost.id)


async def waiting(world: FlyWorld) -> None:
    machine = await world.launched("m-1")
    path = f"{PATH}/{machine.id}/wait"
    await world.by_hand("GET", path, 200, params={"state": "started", "timeout": 10})
    await world.by_hand("GET", path, 400, params={"timeout": 90})
    await world.by_hand("GET", path, 408, params={"state": "stopped", "timeout": 1})
    await world.by_hand("GET", f"{PATH}/0123456789abcd/wait", 404)


async def knocking(world: FlyWorld) -> None:
    """Every operation with a token that is not accepted."""
    wrong = FlyClient(world.http, token=lambda: SecretStr("nobody"), base_url=URL)
    one = "0123456789abcd"
    for call in (
        wrong.list_machines(APP),
        wrong.get_machine(APP, one),
        wrong.start_machine(APP, one),
        wrong.stop_machine(APP, one),
        wrong.destroy_machine(APP, one),
        wrong.list_events(APP, one),
        wrong.list_volumes(APP),
        wrong.create_volume(APP, volume_request("v")),
        wrong.delete_volume(APP, "vol_0"),
        wrong.show_app(APP),
        wrong.list_regions(),
        wrong.current_tokens(),
    ):
        with pytest.raises(FlyError) as refused:
            await call
        assert refused.value.status == 401
