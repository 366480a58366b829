"""Absence, and presence without a row, are believed of a series of readings, never of one."""

import pytest

from runners.control.readings import STALE_PERIODS, Readings
from runners.model.snapshot import End, SeenMachine, SeenRunner


def machine(name):
    return SeenMachine("id", name, "app-a", "iad", "started", host_ok=True, ours=True, first_seen_at=0.0)


def runner(name):
    return SeenRunner(1, name, online=True, busy=False, first_seen_at=0.0)


class Lists:
    """Readings of one app and one scope, both told the same."""

    def __init__(self):
        self.readings = Readings(15.0, 30.0)

    def read(self, at, expected=(), seen=()):
        self.readings.machines_read("app-a", at, expected, [machine(name) for name in seen], {})
        owned = frozenset(expected)
        self.readings.runners_read("orgs/acme", at, owned, expected, [runner(name) for name in seen])

    def both(self, now):
        fly, github = self.readings.fly(["app-a"], now)["app-a"], self.readings.github(["orgs/acme"], now)
        return fly, github["orgs/acme"]

    def absent(self, now):
        fly, github = self.both(now)
        assert fly.absent_since == github.absent_since
        return fly.absent_since

    def first_seen(self, now, name):
        fly, github = self.both(now)
        found = {fly.machines[name].first_seen_at, github.runners[name].first_seen_at}
        assert len(found) == 1
        return found.pop()


@pytest.fixture
def lists():
    return Lists()


def test_what_was_never_read_is_unknown_not_absent(lists):
    assert lists.both(100.0) == (None, None)


def test_absence_counts_from_the_first_reading_that_lacked_the_name(lists):
    lists.read(100.0, expected=["m"])
    lists.read(115.0, expected=["m"])
    assert lists.absent(115.0) == {"m": 100.0}


def test_one_reading_that_shows_the_name_ends_the_series(lists):
    lists.read(100.0, expected=["m"])
    lists.read(115.0, expected=["m"], seen=["m"])
    assert lists.absent(115.0) == {}
    lists.read(130.0, expected=["m"])
    assert lists.absent(130.0) == {"m": 130.0}


def test_a_name_that_had_no_row_when_the_list_was_asked_for_is_not_missing(lists):
    lists.read(100.0)
    assert lists.absent(100.0) == {}


def test_a_failed_reading_adds_nothing_and_an_old_one_is_unknown_again(lists):
    lists.read(100.0, expected=["m"])
    fly, github = lists.both(100.0 + 15.0 * STALE_PERIODS)
    assert fly is not None
    assert github is not None
    fly, github = lists.both(100.0 + 15.0 * STALE_PERIODS + 1)
    assert fly is None
    assert github is not None
    assert lists.both(100.0 + 30.0 * STALE_PERIODS + 1) == (None, None)


def test_presence_without_a_row_counts_from_the_first_reading_that_showed_it(lists):
    lists.read(100.0, seen=["ghost"])
    lists.read(115.0, seen=["ghost"])
    assert lists.first_seen(115.0, "ghost") == 100.0


def test_presence_begins_anew_while_the_name_has_a_row(lists):
    lists.read(100.0, expected=["m"], seen=["m"])
    lists.read(115.0, expected=["m"], seen=["m"])
    lists.read(130.0, seen=["m"])
    assert lists.first_seen(130.0, "m") == 115.0


def test_presence_begins_anew_after_a_reading_without_it(lists):
    lists.read(100.0, seen=["ghost"])
    lists.read(115.0)
    lists.read(130.0, seen=["ghost"])
    assert lists.first_seen(130.0, "ghost") == 130.0


def test_an_end_stands_only_in_the_reading_that_brought_it():
    readings = Readings(15.0, 30.0)
    readings.machines_read("app-a", 100.0, ["m"], [], {"m": End(100.0, exit_code=0)})
    assert readings.fly(["app-a"], 100.0)["app-a"].ended == {"m": End(100.0, exit_code=0)}
    readings.machines_read("app-a", 115.0, [], [], {})
    assert readings.fly(["app-a"], 115.0)["app-a"].ended == {}


def test_each_app_and_scope_has_its_own_series():
    readings = Readings(15.0, 30.0)
    readings.machines_read("app-a", 100.0, ["m"], [], {})
    assert readings.fly(["app-a", "app-b"], 100.0)["app-b"] is None
