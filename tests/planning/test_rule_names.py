"""Names and buckets: made once, understood again; budgets replayed from committed intents."""

import re

import pytest

from runners.model.snapshot import Limits
from runners.planning.buckets import create_again_at, creates_left, write_again_at, writes_left
from runners.planning.names import is_fleet_name, is_runner_of, machine_name, machine_of, runner_name
from tests.planning.builders import NOW, snapshot

LONG = "a" * 30
UNIQUE = "0123456789"


@pytest.mark.parametrize(
    ("fleet", "pool"), [("ci", "web"), (LONG, LONG), ("a-b", "c-" + "d" * 28), (LONG, "x")]
)
def test_a_name_fits_both_sides_and_leads_back_to_its_machine(fleet, pool):
    machine = machine_name(fleet, pool, UNIQUE)
    runner = runner_name(machine, 12)
    assert re.fullmatch(r"[a-z0-9-]+", machine)
    assert len(machine) < 63
    assert len(runner) <= 64
    assert is_fleet_name(runner)
    assert is_runner_of(fleet, [pool], runner)
    assert machine_of(runner) == machine


@pytest.mark.parametrize(
    "name", ["", "GitHub Actions 12", "ci-web-0123456789", "ci-web-short-1", "ci-web-01234_6789-1"]
)
def test_a_name_of_another_form_is_not_ours_and_names_no_machine(name):
    assert not is_fleet_name(name)
    assert not is_runner_of("ci", ["web"], name)
    assert machine_of(name) == name


def _creates(*ages):
    return snapshot(limits=Limits(creates={"a": tuple(NOW - age for age in ages)}))


@pytest.mark.parametrize(
    ("ages", "left"),
    [((), 3.0), ((0, 0, 0), 0.0), ((1, 1, 1), 1.0), ((60, 60, 60), 3.0), ((0.5,), 2.5), ((3, 2, 1, 0), 2.0)],
)
def test_the_create_bucket_refills_by_one_a_second_up_to_its_burst(ages, left):
    assert creates_left(_creates(*ages), "a") == pytest.approx(left)


def test_more_creates_than_the_bucket_held_leave_a_debt_that_is_waited_for():
    before = _creates(0, 0, 0, 0, 0)
    left = creates_left(before, "a")
    assert left == pytest.approx(-2.0)
    assert create_again_at(before, left) == pytest.approx(NOW + 3.0)


def test_writes_count_for_a_minute_and_the_oldest_says_when_there_is_one_more():
    limits = Limits(writes_per_minute=2, writes={"acme": (NOW - 61, NOW - 59, NOW - 10)})
    before = snapshot(limits=limits)
    assert writes_left(before, "acme") == 0
    assert write_again_at(before, "acme") == pytest.approx(NOW + 1)
    assert writes_left(before, "other") == 2
