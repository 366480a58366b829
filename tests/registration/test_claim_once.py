"""A registration is handed out once: to the first nonce, again to that nonce, and to nobody else."""

import asyncio
import shutil

import pytest

from runners.model.reason import Reason
from runners.model.states import MachineState, RunnerState
from runners.store import machines
from tests.fleet_world import Agent, met, open_world, pool


async def test_the_same_nonce_gets_the_same_bytes_until_it_acknowledges(world):
    agent = await world.booted()
    first, again = await agent.claim(), await agent.claim()
    assert first.status_code == again.status_code == 200
    assert again.content == first.content
    agent.hook_token = first.json()["hook_token"]
    assert (await agent.acknowledge()).status_code == 204
    assert (await agent.claim()).status_code == 403


async def test_an_acknowledgement_may_be_repeated(world):
    agent = await world.booted()
    await agent.take()
    assert (await agent.acknowledge()).status_code == 204


async def test_what_is_handed_out_is_what_github_minted(world):
    agent = await world.booted()
    body = (await agent.claim()).json()
    (registration,) = world.github.registrations.all()
    assert body["runner"] == registration.name
    assert body["registration"] == {
        "kind": "jit",
        "jit_config": world.github.sessions.jit_config(registration),
    }
    assert body["online_deadline_s"] == world.settings.timing.online_deadline
    assert len(body["hook_token"]) >= 43


async def test_a_token_registration_names_all_that_config_sh_needs(tmp_path):
    async with open_world(
        tmp_path, pools=[pool(registration="token", labels=["fly-gha-small", "x64"])]
    ) as world:
        agent = await world.booted()
        body = (await agent.claim()).json()
        given = body["registration"]
        assert given.pop("token").startswith("A")
        assert given == {
            "kind": "token",
            "url": "http://github.sim/acme",
            "name": body["runner"],
            "labels": ["fly-gha-small", "x64"],
            "runner_group": "Default",
            "work_folder": "_work",
        }
        assert world.github.registrations.all() == []


async def test_of_two_callers_at_once_exactly_one_wins(world):
    await world.arrive(*(f"job-{n}" for n in range(8)))
    for _ in range(6):
        await world.plan()
        world.pass_time(4)
    world.pass_time(15)
    agents = [Agent(world, machine) for machine in world.started()]
    assert len(agents) >= 6

    async def race(agent):
        nonces = [f"{index}-of-{agent.machine.name}".ljust(43, "z") for index in range(4)]
        answers = await asyncio.gather(*(agent.claim(nonce=nonce) for nonce in nonces))
        return sorted(answer.status_code for answer in answers)

    for codes in await asyncio.gather(*(race(agent) for agent in agents)):
        assert codes == [200, 403, 403, 403]


async def test_claims_of_one_nonce_at_once_get_the_same_answer(world):
    agent = await world.booted()
    answers = await asyncio.gather(*(agent.claim() for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1


async def test_a_claim_before_the_creates_answer_tells_the_row_its_id(world):
    create = world.net.rule("hold", "POST", "/machines$")
    await world.arrive("build")
    planning = asyncio.create_task(world.plan())
    await create.reached.wait()
    world.pass_time(15)
    await met(world.started)
    agent = world.agent()
    (row,) = await world.machines()
    assert (row.state, row.fly_id) == (MachineState.CREATING, None)
    await met(world.github.registrations.all)
    assert (await agent.claim()).status_code in (200, 204)
    (row,) = await world.machines()
    assert row.fly_id == agent.machine.id
    create.released.set()
    await planning
    (row,) = await world.machines()
    assert row.fly_id == agent.machine.id
    assert row.state in (MachineState.READY, MachineState.BOUND)
    assert (await agent.claim()).status_code == 200


async def test_a_claim_whose_mint_is_under_way_waits_and_the_doorbell_ends_the_wait(tmp_path):
    async with open_world(tmp_path, timing={"claim_poll": 60}) as world:
        mint = world.net.rule("hold", "POST", "/generate-jitconfig$")
        await world.arrive("build")
        planning = asyncio.create_task(world.plan())
        await mint.reached.wait()
        await met(lambda: world.fly.agenda.next_due is not None)
        world.pass_time(15)
        await met(world.started)
        claiming = asyncio.create_task(world.agent().claim())
        await met(lambda: world.control.doorbell._waiting)
        assert not claiming.done()
        mint.released.set()
        await planning
        answer = await asyncio.wait_for(claiming, 5)
        assert answer.status_code == 200


async def test_a_claim_with_nothing_to_hand_out_ends_with_204_after_the_poll(world):
    world.net.rule("answer", "POST", "/generate-jitconfig$", status=403, body={"message": "no"})
    agent = await world.booted()
    answer = await agent.claim()
    assert (answer.status_code, answer.content) == (204, b"")


async def test_the_first_call_of_a_boot_shows_that_the_machine_is_ready(world):
    world.net.rule("answer", "POST", "/generate-jitconfig$", status=403, body={"message": "no"})
    agent = await world.booted()
    await agent.claim()
    (row,) = await world.machines()
    assert row.state is MachineState.READY
    assert row.boot.ready_at == world.clock.now()


async def test_a_ready_spare_is_given_a_registration_while_it_polls(tmp_path):
    async with open_world(tmp_path, pools=[pool(ready=1)], timing={"claim_poll": 60}) as world:
        await world.plan()
        world.pass_time(15)
        spare = world.agent()
        assert world.github.registrations.all() == []
        claiming = asyncio.create_task(spare.claim())
        await met(lambda: world.control.doorbell._waiting)
        await world.arrive("build")
        await world.plan()
        answer = await asyncio.wait_for(claiming, 5)
        assert answer.status_code == 200
        row = await world.machine(spare.machine.name)
        assert row.state is MachineState.BOUND
        assert answer.json()["runner"] == f"{spare.machine.name}-1"


async def test_a_stopped_spare_takes_a_claim_of_its_second_boot_only(tmp_path):
    async with open_world(tmp_path, pools=[pool(stopped=1)]) as world:
        await world.plan()
        world.pass_time(5)
        await world.read_lists()
        (spare,) = await world.machines()
        assert spare.state is MachineState.STOPPED
        world.pass_time(60)
        sim_machine = world.fly.peek(spare.fly_id)
        agent = Agent(world, sim_machine)
        before = agent.token()
        world.pass_time(60)
        await world.arrive("build")
        await world.plan()
        world.pass_time(5)
        assert world.started() == [sim_machine]
        early = await agent.claim(before)
        assert (early.status_code, early.json()["reason"]) == (401, Reason.TOKEN_EARLY)
        assert (await agent.claim()).status_code == 200


async def test_a_claim_moves_runner_and_machine_and_writes_it_down(world):
    agent = await world.booted()
    body = (await agent.claim()).json()
    runner = await world.runner(body["runner"])
    machine = await world.machine(agent.machine.name)
    assert (runner.state, machine.state) == (RunnerState.CLAIMED, MachineState.BOUND)
    assert runner.claimed_at == world.clock.now()
    assert "claim.bound" in world.steps
    assert [event.actor for event in await world.events(target=f"runner/{runner.name}")][-1] == "claim"


async def test_a_restarted_dispatcher_gives_the_same_nonce_the_same_answer(world):
    """The binding is in the store: a process that died after it, before its answer, has lost nothing."""
    agent = await world.booted()
    first = await agent.claim()
    await world.fleet.stop()
    world.fleet = world.make_fleet()
    await world.open()
    world.http = world.connect()
    assert (await agent.claim()).content == first.content


@pytest.mark.parametrize(
    ("lacking", "reason"),
    [("issuer", Reason.ISSUER_UNREADABLE), ("fleet key", Reason.CREDENTIAL_MISSING)],
)
async def test_a_claim_that_cannot_be_decided_is_asked_again(world, lacking, reason, capsys):
    agent = await world.booted()
    if lacking == "issuer":
        world.net.rule("answer", "GET", "/oidc/", status=500)
    else:
        key = world.environ.pop("FLY_GHA_FLEET_KEY")
        await world.fleet._loop("credentials").once()
    answer = await agent.claim()
    assert (answer.status_code, answer.json()["reason"]) == (503, reason)
    assert int(answer.headers["retry-after"]) > 0
    assert "claim.undecided" in capsys.readouterr().out
    world.net.mend()
    world.pass_time(10)
    if lacking == "fleet key":
        world.environ["FLY_GHA_FLEET_KEY"] = key
        await world.fleet._loop("credentials").once()
    assert (await agent.claim()).status_code == 200


async def test_a_claim_while_the_store_is_away_is_asked_again(world):
    agent = await world.booted()
    whole, app, http = world.settings, world.app, world.http
    volume = world.folder / "volume"
    away = whole.fleet.model_copy(update={"database_url": f"sqlite:///{volume}/fleet.db"})
    world.settings = whole.model_copy(update={"fleet": away})
    volume.mkdir()
    replica = world.make_fleet("replica")
    shutil.rmtree(volume)
    await replica._loop("credentials").once()
    world.http = world.connect()
    answer = await agent.claim()
    assert (answer.status_code, answer.json()["reason"]) == (503, Reason.STORE_UNAVAILABLE)
    await world.http.aclose()
    await replica.stop()
    world.settings, world.app, world.http = whole, app, http
    assert (await agent.claim()).status_code == 200


async def test_an_unreadable_issuer_is_not_hammered(world):
    agent = await world.booted()
    world.net.rule("answer", "GET", "/oidc/", status=500)
    for _ in range(20):
        assert (await agent.claim()).status_code == 503
    assert world.net.count("GET", "/oidc/") == 1


async def test_a_binding_without_a_registration_is_no_answer(world):
    """Nothing sealed, nothing handed out: a nonce binds to a registration, never to the hope of one."""
    world.net.rule("answer", "POST", "/generate-jitconfig$", status=403, body={"message": "no"})
    agent = await world.booted()
    assert (await agent.claim()).status_code == 204
    world.net.mend()
    world.pass_time(70)
    await world.plan()
    assert (await agent.claim(nonce="another-nonce".ljust(43, "x"))).status_code == 200
    assert (await world.run(lambda conn: machines.get(conn, agent.machine.name))).state is MachineState.BOUND
