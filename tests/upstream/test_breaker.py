"""The breaker at each of its edges."""

import pytest

from runners.upstream.breaker import Breaker, BreakerState, Pass

T0 = 1_000_000.0


def leave(breaker: Breaker, now: float) -> Pass:
    granted = breaker.admit(now)
    assert granted is not None
    return granted


def fail(breaker: Breaker, *times: float) -> None:
    for at in times:
        breaker.failed(leave(breaker, at), at)


def opened() -> Breaker:
    breaker = Breaker()
    fail(breaker, *(T0 + second for second in range(5)))
    return breaker


def test_four_errors_leave_it_closed_and_the_fifth_opens_it_for_fifteen_minutes():
    breaker = Breaker()
    fail(breaker, T0, T0 + 1, T0 + 2, T0 + 3)
    assert breaker.state(T0 + 3) is BreakerState.CLOSED
    assert breaker.open_until is None
    fail(breaker, T0 + 4)
    assert breaker.state(T0 + 4) is BreakerState.OPEN
    assert breaker.open_until == T0 + 4 + 900


def test_an_error_exactly_as_old_as_the_window_is_forgotten():
    breaker = Breaker()
    fail(breaker, T0, T0 + 1, T0 + 2, T0 + 3, T0 + 300)
    assert breaker.open_until is None


def test_an_error_just_inside_the_window_counts():
    breaker = Breaker()
    fail(breaker, T0, T0 + 1, T0 + 2, T0 + 3, T0 + 299.9)
    assert breaker.open_until == T0 + 299.9 + 900


def test_good_answers_do_not_erase_errors_within_the_window():
    breaker = Breaker()
    for second in range(5):
        fail(breaker, T0 + second)
        if second < 4:
            breaker.succeeded(leave(breaker, T0 + second))
    assert breaker.state(T0 + 5) is BreakerState.OPEN


def test_an_open_breaker_lets_nothing_through_until_its_very_end():
    breaker = opened()
    until = breaker.open_until
    assert until is not None
    assert breaker.admit(until - 0.001) is None
    assert breaker.admit(until) is not None


def test_three_good_trials_close_it_and_two_do_not():
    breaker = opened()
    now = T0 + 1000
    for _ in range(2):
        breaker.succeeded(leave(breaker, now))
        assert breaker.state(now) is BreakerState.TRYING
    breaker.succeeded(leave(breaker, now))
    assert breaker.state(now) is BreakerState.CLOSED


def test_once_closed_again_it_takes_five_new_errors_to_open():
    breaker = opened()
    now = T0 + 1000
    for _ in range(3):
        breaker.succeeded(leave(breaker, now))
    fail(breaker, now, now, now, now)
    assert breaker.state(now) is BreakerState.CLOSED
    fail(breaker, now)
    assert breaker.state(now) is BreakerState.OPEN


def test_one_bad_trial_opens_it_again_for_the_whole_time_even_after_two_good_ones():
    breaker = opened()
    now = T0 + 1000
    breaker.succeeded(leave(breaker, now))
    breaker.succeeded(leave(breaker, now))
    fail(breaker, now + 5)
    assert breaker.open_until == now + 5 + 900


def test_no_more_trials_are_under_way_at_once_than_are_still_needed():
    breaker = opened()
    now = T0 + 1000
    first = leave(breaker, now)
    leave(breaker, now)
    leave(breaker, now)
    assert breaker.admit(now) is None
    breaker.succeeded(first)
    assert breaker.admit(now) is None


def test_an_abandoned_trial_makes_room_for_another_and_proves_nothing():
    breaker = opened()
    now = T0 + 1000
    passes = [leave(breaker, now) for _ in range(3)]
    breaker.abandoned(passes[0])
    again = leave(breaker, now)
    for each in (passes[1], passes[2]):
        breaker.succeeded(each)
    assert breaker.state(now) is BreakerState.TRYING
    breaker.succeeded(again)
    assert breaker.state(now) is BreakerState.CLOSED


def test_late_results_of_calls_from_before_it_opened_change_nothing():
    breaker = Breaker()
    early = [leave(breaker, T0) for _ in range(8)]
    for each in early[:5]:
        breaker.failed(each, T0 + 1)
    until = breaker.open_until
    breaker.failed(early[5], T0 + 9)
    assert breaker.open_until == until
    assert until is not None
    trial = leave(breaker, until)
    breaker.failed(early[6], until)
    breaker.succeeded(early[7])
    assert breaker.state(until) is BreakerState.TRYING
    breaker.succeeded(trial)
    assert breaker.state(until) is BreakerState.TRYING


@pytest.mark.parametrize("figures", [{"errors": 0}, {"trials": 0}, {"window": 0}, {"open_for": -1}])
def test_figures_that_make_no_breaker_are_refused(figures):
    with pytest.raises(ValueError, match="positive figures"):
        Breaker(**figures)


def test_every_figure_is_an_argument():
    breaker = Breaker(errors=1, window=2, open_for=3, trials=1)
    fail(breaker, T0)
    assert breaker.open_until == T0 + 3
    breaker.succeeded(leave(breaker, T0 + 3))
    assert breaker.state(T0 + 3) is BreakerState.CLOSED
