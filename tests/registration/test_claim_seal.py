"""What lies sealed between mint and claim opens with the fleet key, for its own Runner, or not at all."""

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from runners.model.reason import Reason
from runners.model.states import MachineState, RunnerState
from runners.registration.registration import Registration, SealBroken, Sealer
from runners.store import sealed
from runners.store.tables import sealed as sealed_table

CONFIGURE = {
    "url": "http://github.sim/acme",
    "labels": ["a"],
    "runner_group": "Default",
    "work_folder": "_work",
}


def sealer(key="k" * 32):
    return Sealer(SecretStr(key), lambda size: b"n" * size)


def registration(runner="r-1", kind="jit"):
    configure = CONFIGURE if kind == "token" else {}
    return Registration(runner, kind, SecretStr("the-secret"), SecretStr("the-hook-token"), configure)


@pytest.mark.parametrize("kind", ["jit", "token"])
def test_what_is_sealed_opens_as_it_was(kind):
    ours = sealer()
    assert ours.open("r-1", ours.seal(registration(kind=kind))) == registration(kind=kind)


def test_a_sealed_registration_shows_no_secret():
    ciphertext = sealer().seal(registration())
    assert b"the-secret" not in ciphertext
    assert b"the-hook-token" not in ciphertext
    assert "the-secret" not in repr(registration())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda ciphertext: (sealer("o" * 32), "r-1", ciphertext),
        lambda ciphertext: (sealer(), "r-2", ciphertext),
        lambda ciphertext: (sealer(), "r-1", ciphertext[:-1] + bytes([ciphertext[-1] ^ 1])),
        lambda ciphertext: (sealer(), "r-1", ciphertext[:20]),
        lambda _: (sealer(), "r-1", b""),
    ],
    ids=["another key", "another runner", "a changed bit", "cut short", "empty"],
)
def test_what_was_tampered_with_does_not_open(spoil):
    opener, runner, ciphertext = spoil(sealer().seal(registration()))
    with pytest.raises(SealBroken, match=f"runner {runner} does not open"):
        opener.open(runner, ciphertext)


async def rotate(world, key):
    world.environ["FLY_GHA_FLEET_KEY"] = key
    await world.fleet._loop("credentials").once()


async def test_after_a_change_of_the_fleet_key_the_machine_gets_a_new_registration_at_once(world):
    agent = await world.booted()
    (old,) = await world.runners()
    await rotate(world, "another-fleet-key-0123456789012345")
    planner = world.fleet._loop("planner")
    planner._woken.clear()
    waiting = await agent.claim()
    assert waiting.status_code == 204
    assert planner._woken.is_set()
    retired = await world.runner(old.name)
    assert (retired.state, retired.reason) == (RunnerState.RETIRING, Reason.SEAL_BROKEN)
    assert retired.claimed_at is None
    (event,) = [e for e in await world.events(target=f"runner/{old.name}") if e.reason is Reason.SEAL_BROKEN]
    assert "FLY_GHA_FLEET_KEY" in event.detail
    await world.plan(2)
    answer = await agent.claim()
    assert answer.status_code == 200
    assert answer.json()["runner"] == f"{agent.machine.name}-2"
    assert [registration.name for registration in world.github.registrations.all()] == [
        f"{agent.machine.name}-2"
    ]
    assert len(world.started()) == 1


async def test_dispatchers_that_differ_in_their_key_do_not_mint_without_end(world):
    agent = await world.booted()
    mints, claims = world.environ["FLY_GHA_FLEET_KEY"], "another-fleet-key-0123456789012345"
    codes = []
    for _ in range(5):
        await rotate(world, claims)
        codes.append((await agent.claim()).status_code)
        await rotate(world, mints)
        await world.plan(2)
    assert codes == [204, 503, 503, 503, 503]
    assert world.net.count("POST", "/generate-jitconfig$") == 2


async def test_a_second_broken_seal_is_said_in_answer_and_log(world, capsys):
    agent = await world.booted()
    await rotate(world, "another-fleet-key-0123456789012345")
    await agent.claim()
    await world.plan(2)
    await rotate(world, "a-third-fleet-key-01234567890123456")
    answer = await agent.claim()
    assert (answer.status_code, answer.json()["reason"]) == (503, Reason.SEAL_BROKEN)
    assert "FLY_GHA_FLEET_KEY" in capsys.readouterr().out
    # Nothing was bound by it: the key that sealed it still opens it, for whoever asks first.
    await rotate(world, "another-fleet-key-0123456789012345")
    assert (await agent.claim(nonce="n" * 43)).status_code == 200


async def test_a_key_changed_between_answer_and_repetition_retires_the_machine(world):
    agent = await world.booted()
    body = (await agent.claim()).json()
    await rotate(world, "another-fleet-key-0123456789012345")
    again = await agent.claim()
    assert (again.status_code, again.json()["reason"]) == (410, Reason.CLAIM_AFTER_RETIRE)
    runner = await world.runner(body["runner"])
    assert (runner.state, runner.reason) == (RunnerState.RETIRING, Reason.SEAL_BROKEN)
    assert (await world.machine(agent.machine.name)).state is MachineState.BOUND


async def test_a_row_copied_under_another_runners_name_hands_nothing_out(world):
    await world.arrive("one", "two")
    await world.plan()
    world.pass_time(15)
    first, second = (world.agent(machine) for machine in world.started())
    mine, yours = await world.runners()

    def copy(conn):
        stolen = sealed.get(conn, yours.name).ciphertext
        conn.execute(
            update(sealed_table).where(sealed_table.c.runner_name == mine.name).values(ciphertext=stolen)
        )

    await world.run(copy)
    agents = {agent.machine.name: agent for agent in (first, second)}
    assert (await agents[mine.machine_name].claim()).status_code == 204
    assert (await agents[yours.machine_name].claim()).json()["runner"] == yours.name
