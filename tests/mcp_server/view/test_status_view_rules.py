"""The pure rules: which history is believed, how old a view is, whose floor is where."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from view_world import EVERYTHING, NOW, SOME_POOLS, status_of

from mcp_server.view.fleet_view import FleetView, Verdict
from mcp_server.view.floors import Floors
from mcp_server.view.history import Asked, History
from mcp_server.view.reading import Unreadable, read_message, read_status
from mcp_server.view.session import Session
from mcp_server.view.skew import Skew
from mcp_server.view.visit import Visit, Wish
from runners.wire.stream import StreamMessage
from runners.wire.times import rfc3339

STALE_AFTER_S = 30.0


def history(*told):
    return History(STALE_AFTER_S, *told)


class World:
    def __init__(self):
        self.history = history()
        self.skew = Skew()
        self.view = FleetView(self.history, self.skew, STALE_AFTER_S)

    def take(self, revision, read_at, now, asked=None, word="w"):
        asked = asked or self.history.asked()
        return self.view.take(status_of(word, revision, read_at), read_at, asked, now)


def message(kind, revision, at, word="w"):
    status = status_of(word, revision, at) if kind == "status" else None
    return StreamMessage(kind=kind, revision=revision, as_of=rfc3339(at), status=status)


# --- history


def test_an_answer_that_is_not_below_what_was_known_when_it_was_asked_for_is_believed():
    log = history()
    asked = log.asked()
    assert log.believes(10, asked, NOW)
    # Another question brought more meanwhile; this one was only slow.
    assert log.believes(20, log.asked(), NOW)
    assert log.believes(15, Asked(0, 10), NOW)
    assert (log.highest, log.epoch, log.disbelieved) == (20, 0, 0)


@pytest.mark.parametrize(("silence", "believed"), [(STALE_AFTER_S, False), (STALE_AFTER_S + 0.001, True)])
def test_another_history_is_believed_only_once_the_old_one_is_stale(silence, believed):
    told = []
    log = history(lambda old, new: told.append((old, new)))
    log.believes(100, log.asked(), NOW)
    assert log.believes(40, log.asked(), NOW + silence) is believed
    assert (log.epoch, log.highest) == ((1, 40) if believed else (0, 100))
    assert told == ([(100, 40)] if believed else [])
    assert log.disbelieved == (0 if believed else 1)


def test_a_question_of_the_history_before_is_not_believed_whatever_its_answer_says():
    log = history()
    log.believes(100, log.asked(), NOW)
    asked = log.asked()
    log.believes(40, log.asked(), NOW + 31)
    assert not log.believes(101, asked, NOW + 31)
    assert log.highest == 40


def test_what_is_late_does_not_keep_a_history_alive_and_cannot_begin_another():
    log = history()
    log.believes(100, log.asked(), NOW)
    asked = Asked(0, 50)
    assert log.believes(60, asked, NOW + 29)
    assert not log.believes(60, asked, NOW + 31)
    assert log.epoch == 0
    assert log.believes(60, log.asked(), NOW + 31)
    assert log.epoch == 1


def test_a_clock_that_is_set_back_makes_the_wait_begin_anew_and_not_last_for_ever():
    log = history()
    log.believes(100, log.asked(), NOW)
    assert not log.believes(40, log.asked(), NOW - 3600)
    assert log.believes(40, log.asked(), NOW - 3600 + 31)


# --- the view


@given(st.permutations(range(8)))
def test_in_whatever_order_they_arrive_the_newest_is_the_view(order):
    world = World()
    asked = world.history.asked()
    best = -1
    for place, revision in enumerate(order):
        verdict = world.take(revision, NOW + revision, NOW + 10 + place, asked)
        assert verdict is (Verdict.TAKEN if revision > best else Verdict.OLDER)
        best = max(best, revision)
        assert world.view.view.revision == best


def test_at_one_revision_the_one_that_was_read_later_is_the_view():
    world = World()
    world.take(5, NOW + 2, NOW + 3, word="later")
    assert world.take(5, NOW + 1, NOW + 4, word="earlier") is Verdict.OLDER
    assert world.view.view.status.fleet == "later"


def test_a_view_of_a_history_that_is_over_is_no_view():
    world, other = World(), None
    other = FleetView(world.history, world.skew, STALE_AFTER_S)
    world.take(100, NOW, NOW)
    assert (
        other.take(status_of("w", 40, NOW + 31), NOW + 31, world.history.asked(), NOW + 31) is Verdict.TAKEN
    )
    assert world.view.view is None
    assert other.view.revision == 40


# --- age


@pytest.mark.parametrize("skew", [0.0, 3600.0, -86_400.0])
def test_age_counts_from_when_the_dispatcher_read_whatever_its_clock_says(skew):
    world = World()
    world.take(1, NOW + skew, NOW + 0.2)
    world.take(2, NOW + 10 + skew, NOW + 10.1)
    view = world.view.view
    # The least delay seen counts as none.
    assert world.view.age(view, NOW + 10.1) == pytest.approx(0.0, abs=1e-6)
    assert world.view.age(view, NOW + 40.1) == pytest.approx(30.0, abs=1e-6)
    assert not world.view.stale(view, NOW + 40.0)
    assert world.view.stale(view, NOW + 40.2)


def test_a_message_that_was_held_back_is_as_old_as_it_is():
    world = World()
    world.take(1, NOW, NOW)
    world.take(2, NOW + 1, NOW + 61)
    assert world.view.age(world.view.view, NOW + 61) == pytest.approx(60.0)
    assert world.view.stale(world.view.view, NOW + 61)


def test_what_was_learned_of_the_clocks_later_ages_what_arrived_before():
    world = World()
    world.take(1, NOW, NOW + 50)
    assert world.view.age(world.view.view, NOW + 50) == 0.0
    world.skew.answered(NOW + 50.1, NOW + 50, NOW + 50.2)
    assert world.view.age(world.view.view, NOW + 50.2) == pytest.approx(50.1)


def test_a_clock_that_was_set_is_noticed_by_the_next_exchange_and_harms_no_longer():
    world = World()
    world.take(1, NOW, NOW)
    # Their clock goes back by an hour: what comes now looks an hour old …
    world.take(2, NOW - 3600 + 10, NOW + 10)
    assert world.view.stale(world.view.view, NOW + 10)
    # … until a question and its answer, which the dispatcher stamped in between, say otherwise.
    world.skew.answered(NOW - 3600 + 11, NOW + 11, NOW + 11.1)
    assert world.skew.frame == 1
    world.take(2, NOW - 3600 + 11, NOW + 11.1)
    assert world.view.age(world.view.view, NOW + 12) == pytest.approx(0.9, abs=0.11)


def test_once_our_clock_was_set_back_nobody_can_tell_the_age():
    world = World()
    world.take(1, NOW, NOW)
    assert world.view.stale(world.view.view, NOW - 3600)
    assert world.view.age(world.view.view, NOW - 3600) == 0.0


# --- a stream


def test_a_heartbeat_says_again_what_the_stream_said_and_not_what_a_question_brought():
    world = World()
    session = Session(world.view, world.history)
    session.take(message("status", 5, NOW, "before"), NOW, NOW)
    world.take(8, NOW + 1, NOW + 1, word="between")
    assert session.take(message("heartbeat", 9, NOW + 2), NOW + 2, NOW + 2) is Verdict.TAKEN
    view = world.view.view
    assert (view.status.fleet, view.revision, view.status.revision) == ("before", 9, 9)
    assert view.status.as_of == rfc3339(NOW + 2)


def test_a_stream_may_be_later_than_an_answer_and_is_still_believed():
    world = World()
    session = Session(world.view, world.history)
    session.take(message("status", 5, NOW), NOW, NOW)
    world.take(9, NOW + 1, NOW + 1)
    assert session.take(message("status", 7, NOW + 0.5), NOW + 0.5, NOW + 2) is Verdict.OLDER
    assert session.take(message("status", 8, NOW + 0.6), NOW + 0.6, NOW + 2) is Verdict.OLDER
    assert world.view.view.revision == 9
    assert world.history.disbelieved == 0


def test_a_stream_that_goes_back_or_begins_with_a_heartbeat_is_unreadable():
    world = World()
    session = Session(world.view, world.history)
    with pytest.raises(Unreadable):
        session.take(message("heartbeat", 5, NOW), NOW, NOW)
    session.take(message("status", 5, NOW), NOW, NOW)
    with pytest.raises(Unreadable):
        session.take(message("status", 4, NOW), NOW, NOW)


def test_a_new_connection_that_begins_lower_is_not_believed_until_the_view_is_stale():
    world = World()
    Session(world.view, world.history).take(message("status", 50, NOW, "old"), NOW, NOW)
    early = Session(world.view, world.history)
    assert early.take(message("status", 20, NOW + 5), NOW + 5, NOW + 5) is Verdict.DISBELIEVED
    assert world.view.view.revision == 50
    late = Session(world.view, world.history)
    assert late.take(message("status", 21, NOW + 31, "new"), NOW + 31, NOW + 31) is Verdict.TAKEN
    assert (world.view.view.revision, world.view.view.epoch) == (21, 1)
    # The new history goes on as any.
    assert late.take(message("status", 22, NOW + 32), NOW + 32, NOW + 32) is Verdict.TAKEN


# --- floors


def test_what_a_call_requires_is_the_higher_of_its_callers_floor_and_its_min_revision():
    floors = Floors()
    floors.served("a", 0, 10)
    floors.served("a", 0, 7)
    visit = Visit("a", "id", floors.of("a", 0))
    assert visit.required(Wish("x"), 0) == 10
    assert visit.required(Wish("x", 5), 0) == 10
    assert visit.required(Wish("x", 15), 0) == 15
    # The floor is of a history that is over; what the caller asks for stays asked for.
    assert visit.required(Wish("x"), 1) == 0
    assert visit.required(Wish("x", 15), 1) == 15


def test_a_new_history_forgets_every_floor_and_the_old_one_sets_none():
    floors = Floors()
    floors.served("a", 0, 10)
    floors.served("b", 1, 3)
    floors.served("a", 0, 50)
    assert floors.of("a", 1).revision == 0
    assert floors.of("b", 1).revision == 3
    assert floors.of("a", 0).revision == 0


def test_floors_are_bounded_and_whoever_is_forgotten_has_none_too_low():
    floors = Floors(callers_max=3)
    for number in range(10):
        floors.served(str(number), 0, 100 - number)
    assert all(floors.of(str(number), 0).revision >= 100 - number for number in range(10))
    assert len(floors._floors) <= 3


def test_a_call_can_claim_the_least_revision_that_it_used():
    visit = Visit("a", "id", Floors().of("a", 0))
    visit.used(9, ("r1",))
    visit.used(12, ("r1", "r2", ""))
    assert (visit.revision, visit.upstream_ids) == (9, ["r1", "r2"])


# --- reading


@pytest.mark.parametrize(
    "change",
    [
        {"revision": -1},
        {"revision": 2**63},
        {"revision": "x"},
        {"as_of": "2026-99-99T00:00:00.000Z"},
        {"as_of": "yesterday"},
        {"pools": None},
    ],
)
def test_a_status_that_is_none_is_unreadable(change):
    body = status_of("w", 1, NOW).model_dump() | change
    with pytest.raises(Unreadable):
        read_status(json.dumps(body).encode(), EVERYTHING)


@pytest.mark.parametrize("data", ["", "{", "[]", "null", "[" * 100_000, '{"kind":"status","revision":1}'])
def test_a_message_that_is_none_is_unreadable(data):
    with pytest.raises(Unreadable):
        read_message(data, EVERYTHING)


def test_a_message_that_contradicts_itself_is_unreadable():
    good = message("status", 5, NOW)
    for wrong in (
        good.model_copy(update={"revision": 6}),
        good.model_copy(update={"status": None}),
        message("heartbeat", 5, NOW).model_copy(update={"status": status_of("w", 5, NOW)}),
    ):
        with pytest.raises(Unreadable):
            read_message(wrong.model_dump_json(), EVERYTHING)


def test_a_status_with_pools_that_were_not_asked_for_is_unreadable():
    pool = {
        "name": "large", "labels": [], "scope": "orgs/acme", "machine_class": "c", "registration": "jit",
        "apps": [], "regions": [], "allow_public": False, "fallback": None, "drained": False, "overrides": [],
        "max_machines": 1, "live_machines": 0, "room": 1, "machines": {}, "runners": {},
        "spares": {"stopped_wanted": 0, "stopped": 0, "ready_wanted": 0, "ready": 0}, "queue": {},
        "budget": {"daily_usd": None, "spent_today_usd": 0, "left_usd": None}, "usd_per_hour": 0, "held": [],
    }  # fmt: skip
    body = status_of("w", 1, NOW).model_dump() | {"pools": [pool]}
    text = json.dumps(body).encode()
    assert read_status(text, EVERYTHING).status.pools[0].name == "large"
    with pytest.raises(Unreadable):
        read_status(text, SOME_POOLS)
