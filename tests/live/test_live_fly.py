"""One throw-away Machine in a Fly app of its own: does Fly take, keep and do what our configuration says?"""

import asyncio
import contextlib
import json
import time

import pytest
from live_settings import FLY_APP, FLY_IMAGE, LOOK, told
from throwaway import OWNER, gone, not_kept, sweep_machines, tiny_create

from fly.errors import FlyError, FlyNameTaken

pytestmark = [pytest.mark.needs(FLY_APP), pytest.mark.timeout(900)]
MIGHT_START = ("created", "stopped")
START_TRIES_S = 90.0


@pytest.fixture
async def place(live):
    """Where the Machine goes, after what earlier runs left there is gone."""
    app = told(FLY_APP)
    assert app not in {each for pool in live.settings.pools for each in pool.apps}, f"{FLY_APP} is a pool's"
    fly = live.fly()
    if swept := await sweep_machines(fly, app, time.time()):
        live.say(f"swept what an earlier run left: {', '.join(swept)}")
    return fly, app


@contextlib.asynccontextmanager
async def a_machine(live, place, *, start):
    """Create one; whatever happens, it is destroyed."""
    fly, app = place
    name = f"{OWNER}-{live.run}"
    image = told(FLY_IMAGE) if told(FLY_IMAGE) != "fly.image" else live.settings.fly.image
    request = tiny_create(name, app, live.settings.pools[0].regions[0], image, start=start)
    try:
        yield request, await fly.create_machine(app, request)
    finally:
        # By name: the answer of the create may have been lost.
        for each in await fly.list_machines(app):
            if each.name == name:
                await gone(fly, app, each.id)


@pytest.mark.only_reality(
    "that Fly keeps every option we send and ignores none",
    "whether a Machine created with skip_launch becomes stopped or stays created",
    "how long a start of it takes",
    "that auto_destroy ends a Machine whose process fails",
)
async def test_a_stopped_spare_is_kept_as_sent_starts_and_is_destroyed_by_its_own_exit(live, place):
    fly, app = place
    async with a_machine(live, place, start=False) as (request, made):
        sent = request.model_dump(mode="json")["config"]
        created = json.loads(live.exchanges[-1].body)
        assert not_kept(sent, created["config"]) == {}
        await fly.get_machine(app, made.id)
        assert not_kept(sent, json.loads(live.exchanges[-1].body)["config"]) == {}

        began = time.monotonic()
        settled = await prepared(live, fly, app, made.id)
        assert settled in MIGHT_START, settled
        live.say(f"created with skip_launch it was {settled!r} after {time.monotonic() - began:.1f} s")

        began = time.monotonic()
        refused = await started(fly, app, made.id)
        live.say(f"its start was accepted after {time.monotonic() - began:.1f} s; refused: {refused or 'no'}")

        seen: list[str] = []

        async def ended():
            machine = await fly.get_machine(app, made.id)
            if machine.state not in seen:
                seen.append(machine.state)
            return machine if machine.state == "destroyed" else None

        last = await live.until(ended, within=300)
        live.say(f"after its start it was {' -> '.join(seen)}, {time.monotonic() - began:.1f} s in all")
        exits = [event.exit_event for event in await fly.list_events(app, last.id) if event.exit_event]
        assert exits, "no event told of an exit"
        assert exits[0].exit_code != 0, "the agent found no dispatcher, and yet it ended well"


@pytest.mark.only_reality("that a name is unique among live Machines, and that the refusal names the holder")
async def test_a_second_create_of_a_name_is_refused_with_the_first_ones_id(live, place):
    fly, app = place
    async with a_machine(live, place, start=False) as (request, made):
        with pytest.raises(FlyNameTaken) as refused:
            await fly.create_machine(app, request)
        assert refused.value.machine_id == made.id
        # GitHub's and ours alike rest on this: what is gone is told as gone, not as unknown.
        await gone(fly, app, made.id)

        async def ended():
            return (await fly.get_machine(app, made.id)).state == "destroyed"

        await live.until(ended, within=120)


async def prepared(live, fly, app, machine_id):
    """The state in which a Machine that was not launched stays, as far as half a minute shows."""
    deadline = time.monotonic() + 15 * float(told(LOOK))
    while True:
        state = (await fly.get_machine(app, machine_id)).state
        if state == "stopped" or time.monotonic() > deadline:
            return state
        await asyncio.sleep(float(told(LOOK)))


async def started(fly, app, machine_id):
    """Start it; Fly may refuse for a while (412) what it has only just made. Returns what it refused with."""
    refused: list[str] = []
    deadline = time.monotonic() + START_TRIES_S
    while True:
        try:
            await fly.start_machine(app, machine_id)
        except FlyError as error:
            refused.append(f"{error.status} {error.text}")
            assert time.monotonic() < deadline, refused
            await asyncio.sleep(float(told(LOOK)))
        else:
            return sorted(set(refused))
