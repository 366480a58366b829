"""The dispatcher is killed at each named point in the middle of a burst; the world still ends clean."""

import pytest
from crash_verdict import online, registered
from crash_world import crash_world

# The point, how often it is reached until the end, and in the effects of which pool (of any when "").
POINTS = (
    # After intent, before effect.
    ("intents.committed", 2, ""),
    ("launch.committed", 4, ""),
    # After effect, before record: by jit GitHub then has a registration that we know nothing of, by token a
    # Machine waits for one that was never sealed.
    ("launch.answered", 4, ""),
    ("mint.answered", 3, "gha-medium"),
    ("mint.answered", 2, "gha-small"),
    # In mid-claim: the nonce is bound, the answer never left.
    ("claim.bound", 3, ""),
    # In mid-retire: GitHub or Fly has done it, and nobody wrote it down.
    ("retire.deleted", 1, ""),
    ("destroy.answered", 1, ""),
)
HANDED_OUT = "select runner_name from sealed where nonce_hash is not null"
KNOWN = "select name from runners where github_id is not null"


@pytest.mark.parametrize(("point", "times", "only"), POINTS, ids=[f"{at}-{only}" for at, _, only in POINTS])
async def test_a_dispatcher_killed_in_the_burst_leaves_a_world_that_ends_clean(tmp_path, point, times, only):
    async with crash_world(tmp_path) as world:
        mortal = await world.start_mortal(point, times, only=only)
        await mortal.ready()
        await world.queue_burst()

        mark = await mortal.death()

        assert (mark["point"], mark["times"]) == (point, times)
        await world.assert_died_in_mid_burst()
        handed_out = {name for (name,) in world.rows(HANDED_OUT)}
        assert handed_out or point != "claim.bound"
        ghosts = registered(await world.journals()) - {name for (name,) in world.rows(KNOWN)}
        assert ghosts or only != "gha-medium"
        await world.start_normal()
        await world.assert_ends_clean()
        # Whoever was cut off in mid-claim asked again with its nonce, and got the same registration.
        assert handed_out <= online(await world.journals())
