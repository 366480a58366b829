"""The dispatcher is killed at each named point in the middle of a burst; the world still ends clean."""

import pytest
from crash_verdict import online
from crash_world import crash_world

POINTS = (
    # After intent, before effect.
    ("intents.committed", 2),
    ("launch.committed", 4),
    # After effect, before record.
    ("launch.answered", 4),
    ("mint.answered", 4),
    # In mid-claim: the nonce is bound, the answer never left.
    ("claim.bound", 3),
    # In mid-retire: GitHub or Fly has done it, and nobody wrote it down.
    ("retire.deleted", 1),
    ("destroy.answered", 1),
)
HANDED_OUT = "select runner_name from sealed where nonce_hash is not null"


@pytest.mark.parametrize(("point", "times"), POINTS, ids=[point for point, _ in POINTS])
async def test_a_dispatcher_killed_in_the_burst_leaves_a_world_that_ends_clean(tmp_path, point, times):
    async with crash_world(tmp_path) as world:
        mortal = await world.start_mortal(point, times)
        await mortal.ready()
        await world.queue_burst()

        mark = await mortal.death()

        assert (mark["point"], mark["times"]) == (point, times)
        await world.assert_died_in_mid_burst()
        handed_out = {name for (name,) in world.rows(HANDED_OUT)}
        assert handed_out or point != "claim.bound"
        await world.start_normal()
        await world.assert_ends_clean()
        # Whoever was cut off in mid-claim asked again with its nonce, and got the same registration.
        assert handed_out <= online(await world.journals())
