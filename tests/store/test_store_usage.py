"""Usage: seconds summed by the database, cut to the window and to days, by what they were spent on."""

import random
import time
from dataclasses import replace

import pytest
from sqlalchemy import insert
from store_samples import a_boot, a_job, a_machine, a_runner, keep

from runners.model.states import MachineState, RunnerState
from runners.store import usage
from runners.store.scalars import DAY_S
from runners.store.tables import boots, machines
from runners.store.usage import Used

NOBODYS = Used("gha-medium", "gha-medium", "iad", "", "", None, 0, 0.0, 0.0, 0.0, 0.0)
WEBS = replace(NOBODYS, repository="acme/web", workflow_name="ci", jobs=1)


async def used(store, since, until, **options):
    return await store.run(lambda conn: usage.used(conn, since, until, **options))


async def whole_way(store):
    """100 started, 110 ready, 125 online, 140 busy, 180 done, 200 ended; asked for before it was launched."""
    await keep(
        store,
        a_job(1),
        a_machine(
            requested_at=95.0, boot=a_boot(launched_at=95.0, started_at=100.0, ready_at=110.0, ended_at=200.0)
        ),
        a_runner(
            state=RunnerState.GONE,
            requested_at=95.0,
            online_at=125.0,
            busy_at=140.0,
            finished_at=180.0,
            job_id=1,
        ),
    )


async def test_a_boots_time_is_cut_into_what_it_was_spent_on(store):
    await whole_way(store)
    assert await used(store, 0.0, 1000.0) == (replace(WEBS, busy_s=40.0, boot_s=25.0, idle_s=35.0),)
    assert await used(store, 105.0, 130.0) == (replace(WEBS, boot_s=20.0, idle_s=5.0),)
    assert await used(store, 150.0, 170.0) == (replace(WEBS, busy_s=20.0),)
    assert await used(store, 190.0, 1000.0) == (replace(WEBS, idle_s=10.0),)
    assert await used(store, 200.0, 1000.0) == ()
    assert await used(store, 0.0, 100.0) == ()
    assert await used(store, 100.0, 100.0) == ()


async def test_what_still_runs_counts_up_to_the_end_of_the_window(store):
    await keep(
        store,
        a_job(1),
        a_machine(
            state=MachineState.BOUND, requested_at=95.0, boot=a_boot(launched_at=95.0, started_at=100.0)
        ),
        a_runner(state=RunnerState.BUSY, requested_at=95.0, busy_at=120.0, job_id=1),
    )
    assert await used(store, 0.0, 150.0) == (replace(WEBS, busy_s=30.0, boot_s=20.0),)


async def test_a_spare_is_waste_apart_from_its_boot_and_from_the_way_to_its_job(store):
    await keep(
        store,
        a_job(1),
        a_machine(
            "m-1", requested_at=50.0, boot=a_boot("m-1", launched_at=90.0, started_at=100.0, ready_at=110.0)
        ),
        a_runner(
            "m-1-1", "m-1", requested_at=160.0, online_at=170.0, busy_at=171.0, finished_at=190.0, job_id=1
        ),
        a_machine(
            "m-2", requested_at=95.0, boot=a_boot("m-2", launched_at=95.0, started_at=100.0, ready_at=110.0)
        ),
        a_machine("m-3", requested_at=60.0, state=MachineState.STOPPED),
    )
    taken = replace(WEBS, busy_s=19.0, boot_s=20.0, spare_s=50.0, idle_s=11.0)
    untaken = replace(NOBODYS, boot_s=10.0, spare_s=90.0)
    stopped = replace(NOBODYS, stopped_s=40.0 + 140.0)
    found = await used(store, 0.0, 200.0)
    assert sorted(found, key=lambda one: (one.jobs, one.stopped_s)) == [untaken, stopped, taken]


async def test_a_boot_without_a_job_is_charged_to_nobody_and_one_never_started_is_free(store):
    await keep(
        store,
        a_machine(
            "m-2",
            requested_at=1.0,
            state=MachineState.GONE,
            boot=a_boot("m-2", launched_at=1.0),
            gone_at=500.0,
        ),
        a_machine(
            "m-3",
            requested_at=1.0,
            state=MachineState.GONE,
            boot=a_boot("m-3", launched_at=1.0, started_at=105.0),
            gone_at=130.0,
        ),
        # Two runners of one Boot: the first one's mint was lost. It is one Boot all the same.
        a_runner("m-3-1", "m-3", state=RunnerState.GONE),
        a_runner("m-3-2", "m-3", state=RunnerState.GONE),
    )
    assert await used(store, 0.0, 200.0) == (replace(NOBODYS, boot_s=25.0),)


async def test_a_boot_over_midnight_is_cut_there_and_its_job_counts_once(store):
    midnight = 20_000 * DAY_S
    await keep(
        store,
        a_job(1),
        a_machine(
            requested_at=midnight - 20,
            boot=a_boot(launched_at=midnight - 20, started_at=midnight - 10, ended_at=midnight + DAY_S + 30),
        ),
        a_runner(
            state=RunnerState.GONE,
            requested_at=midnight - 20,
            busy_at=midnight,
            finished_at=midnight + DAY_S,
            job_id=1,
        ),
    )
    found = await used(store, midnight - 5, midnight + 2 * DAY_S, by_day=True)
    assert found == (
        replace(WEBS, day=19_999, boot_s=5.0),
        replace(WEBS, day=20_000, jobs=0, busy_s=DAY_S),
        replace(WEBS, day=20_001, jobs=0, idle_s=30.0),
    )


@pytest.mark.parametrize("seed", range(5))
async def test_the_sums_are_those_of_the_boots_one_by_one(store, seed):
    """An oracle in plain Python, over random lives with gaps, late stamps and overlaps."""
    rng = random.Random(seed)
    start = 20_000 * DAY_S
    nouns, lives = [], []
    for number in range(60):
        life = a_life(rng, start)
        lives.append(life)
        nouns += as_rows(number, life)
    await keep(store, *nouns)
    for _ in range(6):
        since = start + rng.uniform(-1, 3) * DAY_S
        until = since + rng.choice((10.0, 3600.0, DAY_S, 3.3 * DAY_S))
        expected = oracle(lives, since, until)
        for by_day in (False, True):
            found = await used(store, since, until, by_day=by_day)
            sums = [sum(getattr(one, f"{kind}_s") for one in found) for kind in KINDS]
            assert sums == pytest.approx(expected, abs=1e-3)
            for one in found:
                if by_day:
                    assert one.started_s + one.stopped_s <= 120 * DAY_S


KINDS = ("busy", "boot", "spare", "idle", "stopped")


def a_life(rng, start):
    """launched, started, ready, requested, online, busy, done, ended: in order, some of them missing."""
    at = start + rng.uniform(0, 2) * DAY_S
    marks = [at]
    for _ in range(7):
        marks.append(marks[-1] + rng.choice((0.0, rng.uniform(0, 60), rng.uniform(0, DAY_S / 2))))
    launched, started, ready, requested, online, busy, done, ended = marks
    spare = rng.random() < 0.3
    return {
        "created": launched - rng.choice((0.0, 500.0)),
        "launched": launched,
        "started": started,
        "ready": ready if rng.random() < 0.8 else None,
        "requested": requested if spare else launched,
        "online": online if rng.random() < 0.8 else None,
        "busy": busy,
        "done": done if rng.random() < 0.9 else None,
        "ended": ended if rng.random() < 0.8 else None,
        "runner": rng.random() < 0.8,
    }


def as_rows(number, life):
    name = f"m-{number}"
    boot = a_boot(
        name,
        launched_at=life["launched"],
        started_at=life["started"],
        ready_at=life["ready"],
        ended_at=life["ended"],
    )
    yield a_job(number + 1)
    yield a_machine(name, requested_at=life["created"], boot=boot)
    if life["runner"]:
        stamps = {"requested_at": life["requested"], "online_at": life["online"], "busy_at": life["busy"]}
        yield a_runner(f"{name}-1", name, finished_at=life["done"], job_id=number + 1, **stamps)


def oracle(lives, since, until):
    sums = dict.fromkeys(KINDS, 0.0)

    def add(kind, begin, end):
        sums[kind] += max(0.0, min(end, until) - max(begin, since))

    for life in lives:
        started = life["started"]
        add("stopped", life["created"], life["launched"])
        ended = max(until if life["ended"] is None else life["ended"], started)
        if not (started < until and ended > since):
            continue

        def after(wish, before, end=ended):
            return min(max(end if wish is None else wish, before), end)

        runner = life["runner"]
        ready = life["ready"] if life["ready"] is not None else (started if runner else None)
        marks = [started, after(ready, started)]
        wishes = ["requested", "online", "busy", "done"]
        for wish in wishes:
            value = life[wish] if runner else None
            if wish == "online" and runner and value is None:
                value = life["busy"]
            marks.append(after(value, marks[-1]))
        marks.append(ended)
        kinds = ("boot", "spare", "boot", "idle", "busy", "idle")
        for kind, begin, end in zip(kinds, marks[:-1], marks[1:], strict=True):
            add(kind, begin, end)
    return [sums[kind] for kind in KINDS]


async def test_a_quarter_of_a_busy_fleet_is_summed_in_the_time_of_one_request(shared_place):
    """92 days with 1,000 boots each; the rows stay in the database."""
    store = shared_place.open()
    start, days, each = 20_000 * DAY_S, 92, 1000

    def fill(conn):
        rows = [(day, number) for day in range(days) for number in range(each)]
        at = {row: start + row[0] * DAY_S + row[1] * DAY_S / each for row in rows}
        conn.execute(
            insert(machines),
            [
                {
                    "name": f"m-{day}-{number}", "pool": "p", "machine_class": "c", "image": "i", "app": "a",
                    "region": "iad", "state": MachineState.GONE, "requested_at": at[day, number],
                    "state_at": at[day, number], "gone_at": at[day, number] + 300, "last_boot": 1,
                }
                for day, number in rows
            ],
        )  # fmt: skip
        conn.execute(
            insert(boots),
            [
                {
                    "machine_name": f"m-{day}-{number}", "seq": 1, "launched_at": at[day, number],
                    "started_at": at[day, number], "ended_at": at[day, number] + 300,
                }
                for day, number in rows
            ],
        )  # fmt: skip

    await store.run(fill)
    began = time.perf_counter()
    found = await used(store, start, start + days * DAY_S, by_day=True)
    took = time.perf_counter() - began
    assert len({one.day for one in found}) == days
    assert sum(one.boot_s for one in found) == pytest.approx(days * each * 300, rel=0.001)
    assert took < 20, "a bound for a loaded test machine; it takes about a second"
