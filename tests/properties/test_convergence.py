"""Whatever went wrong: once demand is over, every row ends, and nothing is left at Fly or at GitHub.

The small world also judges every plan on the way: caps, budgets, no kill under a job, no plan that changes
the planned world. Livelocks show as launches without end, leaks as a world that does not become empty.
"""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runners.model.states import JobState, MachineState
from runners.model.timing import Timing
from runners.planning.plan import Destroy
from runners.planning.spares import is_in_place
from runners.planning.tally import tally
from tests.planning.builders import pool
from tests.properties.script import scripted_world
from tests.properties.things import Disk, Luck, SpareLuck, VolumeLuck
from tests.properties.world import START, World

HOUR = 3600.0


@settings(max_examples=16, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**6))
@example(120)  # spares of a full host were started again and again, each time with a new registration
@example(92)  # spares were launched for jobs that were held back, and destroyed as surplus, for ever
@example(106)
@example(109)
@example(20)  # a spare just started was destroyed under its job: the list in hand still said stopped
@example(57)
def test_after_demand_ends_every_row_is_gone_and_nothing_is_left(seed: int):
    world = scripted_world(seed)
    emptied = world.run(12 * HOUR)
    assert world.breaches == []
    assert emptied, world.left()
    assert all(job.state is JobState.COMPLETED for job in world.hub.values())
    # Each job may need several tries and each spare several lives, but never a launch for every other minute.
    assert world.launches <= 40 + 2 * (world.now - START) / 60


def _calm(luck: Luck, *, jobs: int = 10, seconds: float = 30.0, **settings_of_pool) -> World:
    world = World((pool("web", apps=("a", "b"), max_machines=20, **settings_of_pool),), Timing(), luck, 5)
    for number in range(jobs):
        world.queue(number, "web", seconds=seconds)
    return world


@pytest.mark.parametrize(
    "luck",
    [
        pytest.param(Luck(), id="all well"),
        pytest.param(Luck(lost_hook=1.0), id="no hook arrives"),
        pytest.param(Luck(late_webhook=0.5), id="half of the webhooks are late"),
        pytest.param(Luck(late_webhook=1.0), id="all webhooks are late"),
        pytest.param(Luck(lost_webhook=1.0), id="no webhook arrives"),
        pytest.param(Luck(lost_delete=1.0), id="no DELETE arrives"),
    ],
)
def test_each_job_gets_one_machine_however_late_github_names_what_its_runner_took(luck: Luck):
    world = _calm(luck)
    assert world.run(HOUR)
    assert (world.launches, len(world.rows.runners), world.breaches) == (10, 10, [])


def test_orphan_volumes_are_gone_in_the_end_however_often_their_deletes_and_lists_fail():
    world = _calm(Luck(), jobs=3)
    world.volume_luck = VolumeLuck(lost_delete=0.5, bad_lists=0.3)
    for number in range(20):
        world.disks[f"vol_{number}"] = Disk(f"vol_{number}", "ab"[number % 2], "nobody")
    assert world.run(HOUR), world.left()
    assert world.breaches == []


def test_orphan_volumes_stay_while_no_list_can_be_read():
    world = _calm(Luck(), jobs=1)
    world.volume_luck = VolumeLuck(bad_lists=1.0)
    world.disks["vol_1"] = Disk("vol_1", "a", "nobody")
    assert not world.run(HOUR)
    assert "vol_1" in world.disks


def test_machines_that_never_boot_are_replaced_once_per_boot_deadline():
    world = _calm(Luck(never_boots=1.0), jobs=2)
    world.run(HOUR)
    assert world.breaches == []
    assert world.launches <= 2 * (HOUR / Timing().boot_deadline + 1)


def test_a_region_without_capacity_is_asked_once_per_memory_and_not_by_every_job():
    world = _calm(Luck(no_capacity=1.0), jobs=5)
    world.run(HOUR)
    assert world.breaches == []
    assert world.launches <= 5 * (HOUR / Timing().capacity_memory + 1)


def test_spares_whose_host_is_full_are_replaced_and_the_job_does_not_wait_for_them():
    world = _calm(Luck(host_full=1.0), jobs=3, stopped=3)
    world.at(60.0, lambda: None)
    world.run(HOUR)
    assert world.breaches == []
    assert all(job.state is JobState.COMPLETED for job in world.hub.values())
    assert len(world.rows.runners) <= 10


@pytest.mark.parametrize(
    "luck",
    [
        pytest.param(SpareLuck(stays_created=1.0), id="they stay created"),
        pytest.param(SpareLuck(not_ready=1.0), id="none is ever ready to be started"),
        pytest.param(SpareLuck(lost_start=1.0), id="no start reaches Fly"),
    ],
)
def test_whatever_becomes_of_stopped_spares_every_job_is_served_soon(luck: SpareLuck):
    world = World((pool("web", max_machines=9, stopped=3),), Timing(), Luck(), 5, spare_luck=luck)
    for number in range(6):
        world.at(200.0 * number, lambda number=number: world.queue(number, "web", seconds=30.0))
    world.run(HOUR)
    assert world.breaches == []
    waits = [row.in_progress_at - row.accepted_at for row in world.rows.jobs.values()]
    assert len(waits) == 6
    assert max(waits) < 90
    assert world.launches <= 30


@pytest.mark.parametrize(("cap", "least"), [(20, 5), (6, 5), (5, 4)])
def test_a_new_image_or_class_file_leaves_the_fleet_as_warm_as_it_was(cap, least):
    """Where the cap has room for one more Machine; without any, one spare less for a while."""
    of_pool = pool("web", stopped=3, ready=2, max_machines=cap)
    world = World((of_pool,), Timing(), Luck(), 5, max_machines=20)
    warmest: list[int] = []

    def count(_world, before, plan):
        ends = {action.machine for action in plan.actions if isinstance(action, Destroy)}
        books = tally(before, of_pool)
        usable = [row for row in books.ready_spares if row.state is MachineState.READY]
        usable += [row for row in books.stopped_spares if is_in_place(before, row)]
        warmest.append(len([row for row in usable if row.name not in ends]))

    world.run(300)
    world.every_pass = count
    for change in ({"image": "image@sha256:bb"}, {"fingerprints": {"web": "f-2"}}):
        for name, value in change.items():
            setattr(world.rows, name, value)
        world.run(1200)
        rows = world.rows.live_machines()
        assert len(rows) == 5
        assert {(row.image, row.fingerprint) for row in rows} == {
            (world.rows.image, world.rows.fingerprints.get("web"))
        }
    assert min(warmest) == least
    assert world.breaches == []


def test_a_refused_mint_is_asked_again_once_per_backoff_and_keeps_the_machine():
    world = _calm(Luck(refused_mint=1.0), jobs=3)
    world.run(HOUR)
    assert world.breaches == []
    assert len(world.rows.runners) <= 3 * (HOUR / Timing().backoff_first + 1)


def test_a_runner_that_max_lifetime_ends_is_not_asked_about_in_a_hot_loop():
    world = World((pool("web"),), Timing(max_lifetime=600), Luck(lost_destroy=0.5), 3)
    world.queue(1, "web", seconds=10 * HOUR)
    assert world.run(3 * HOUR), world.left()
    (name,) = [name for name, count in world.retires.items() if count]
    assert world.retires[name] <= 10
    assert world.deletes_sent[name] <= 40


def test_a_dark_hour_of_machine_lists_ends_nothing_that_works_and_leaves_nothing_behind():
    world = _calm(Luck(), seconds=900.0)
    world.blind = lambda at: START + 20 < at < START + HOUR
    assert world.run(3 * HOUR), world.left()
    assert (world.launches, world.breaches) == (10, [])
