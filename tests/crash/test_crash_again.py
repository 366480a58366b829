"""The dispatcher dies again and again in one burst: wherever it happens to be, and while it commits."""

from crash_world import crash_world

LIVES = 3
STEPS_PER_LIFE = 9
# When in a life the deadly commit comes, and how many microseconds into it: begun, written, synced, done.
COMMITS = ((30, 0), (25, 150), (35, 400))


async def test_a_dispatcher_that_dies_every_few_steps_still_brings_the_burst_to_its_end(tmp_path):
    async with crash_world(tmp_path) as world:
        mortal = await world.start_mortal("any", STEPS_PER_LIFE)
        await mortal.ready()
        await world.queue_burst()
        for life in range(LIVES):
            if life:
                mortal = await world.start_mortal("any", STEPS_PER_LIFE)
            assert (await mortal.death())["times"] == STEPS_PER_LIFE
            await world.assert_died_in_mid_burst()

        await world.start_normal()
        await world.assert_ends_clean()


async def test_a_dispatcher_killed_while_sqlite_commits_loses_nothing_it_acknowledged(tmp_path):
    async with crash_world(tmp_path) as world:
        times, delay_us = COMMITS[0]
        mortal = await world.start_mortal("store.commit", times, delay_us=delay_us)
        await mortal.ready()
        await world.queue_burst()
        for life, (times, delay_us) in enumerate(COMMITS):
            if life:
                mortal = await world.start_mortal("store.commit", times, delay_us=delay_us)
            assert (await mortal.death())["times"] == times
            await world.assert_died_in_mid_burst()

        await world.start_normal()
        await world.assert_ends_clean()
