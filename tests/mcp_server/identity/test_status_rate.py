"""The rate limit: exact at its edges, free when it refuses, bounded in memory, and unmoved by a clock."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_server.rate import Admitted, Limited, Rates
from mcp_server.rule import Rule
from mcp_server.settings import Envelope

NOW = 1_795_000_000.0
TICK = 1e-6


def default_rates():
    figures = Envelope()
    return Rates(figures.calls_per_minute, figures.burst, figures.project_calls_per_minute)


def calls(rates, count, now, caller="a", project="p"):
    return [rates.admit(caller, project, now) for _ in range(count)]


def test_after_a_pause_a_caller_may_make_the_whole_burst_at_once_and_not_one_call_more():
    rates = default_rates()
    verdicts = calls(rates, 121, NOW)
    assert verdicts[:120] == [Admitted()] * 120
    assert verdicts[120] == Limited(Rule.CALLER_RATE, 1.0)


def test_in_the_long_run_a_caller_gets_the_calls_per_minute():
    rates = default_rates()
    calls(rates, 120, NOW)
    admitted = [isinstance(rates.admit("a", "p", NOW + second / 4), Admitted) for second in range(1, 2401)]
    assert sum(admitted) == 600


def test_coming_back_when_told_is_admitted_and_a_microsecond_before_is_not():
    for figures in [(60, 120, 600), (7, 3, 100), (0.001, 1, 10), (59_999.7, 11, 600_000), (60, 1, 1)]:
        rates = Rates(*figures)
        last = Admitted()
        while isinstance(last, Admitted):
            last = rates.admit("a", "p", NOW)
        assert isinstance(rates.admit("a", "p", NOW + last.retry_after_s - TICK), Limited)
        assert rates.admit("a", "p", NOW + last.retry_after_s) == Admitted()


def test_the_ceiling_of_a_project_holds_for_all_its_callers_together():
    rates = default_rates()
    verdicts = [rates.admit(f"caller-{number % 10}", "p", NOW) for number in range(601)]
    assert verdicts[:600] == [Admitted()] * 600
    assert verdicts[600] == Limited(Rule.PROJECT_RATE, 0.1)
    assert rates.admit("caller-1", "another", NOW) == Admitted()


def test_a_ceiling_below_the_burst_holds_for_a_single_caller():
    rates = Rates(60, 120, 5)
    assert calls(rates, 6, NOW)[5] == Limited(Rule.PROJECT_RATE, 12.0)


def test_a_ceiling_below_one_call_a_minute_lets_one_call_through():
    rates = Rates(60, 120, 0.5)
    assert calls(rates, 2, NOW) == [Admitted(), Limited(Rule.PROJECT_RATE, 120.0)]


def test_of_two_limits_the_one_that_lasts_longest_is_told():
    rates = Rates(6, 1, 600)
    rates.admit("a", "p", NOW)
    for number in range(599):
        rates.admit(f"b{number}", "p", NOW)
    assert rates.admit("a", "p", NOW) == Limited(Rule.CALLER_RATE, 10.0)
    assert rates.admit("c", "p", NOW) == Limited(Rule.PROJECT_RATE, 0.1)


def test_a_call_refused_for_the_caller_costs_the_project_nothing_and_the_other_way_round():
    rates = Rates(60, 1, 2)
    assert [type(each) for each in calls(rates, 50, NOW)] == [Admitted] + [Limited] * 49
    assert rates.admit("b", "p", NOW) == Admitted()
    assert rates.admit("c", "p", NOW) == Limited(Rule.PROJECT_RATE, 30.0)
    assert rates.admit("c", "q", NOW) == Admitted()


def test_a_clock_that_goes_back_takes_nothing_and_the_wait_told_still_holds():
    rates = Rates(60, 2, 600)
    calls(rates, 2, NOW)
    back = NOW - 86_400
    assert rates.admit("a", "p", back) == Limited(Rule.CALLER_RATE, 1.0)
    assert rates.admit("a", "p", back + 1.0) == Admitted()


def test_buckets_that_are_full_again_are_forgotten():
    rates = Rates(60, 2, 600)
    for number in range(20_000):
        rates.admit(f"caller-{number}", f"project-{number}", NOW + number)
    assert rates.remembered <= 200


def test_whoever_is_still_limited_is_never_forgotten():
    rates = Rates(1, 1, 600_000)
    for number in range(1000):
        assert rates.admit(f"caller-{number}", "p", NOW) == Admitted()
    assert all(isinstance(rates.admit(f"caller-{number}", "p", NOW), Limited) for number in range(1000))


@pytest.mark.parametrize("figures", [(0, 1, 1), (1, 0, 1), (1, 1, 0), (-1, 1, 1)])
def test_figures_that_let_nothing_through_are_an_error(figures):
    with pytest.raises(ValueError, match="positive"):
        Rates(*figures)


STEPS = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from("pq"), st.integers(min_value=-3_000_000, max_value=9_000_000)
    ),
    max_size=120,
)
FIGURES = st.tuples(
    st.floats(min_value=0.01, max_value=600), st.integers(1, 6), st.floats(min_value=0.01, max_value=900)
)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, figures=FIGURES)
def test_it_decides_as_exact_arithmetic_does(steps, figures):
    """The model: each bucket a Fraction of calls, filled by time that passed, never by time taken back."""
    per_minute, burst, project = figures
    rates = Rates(per_minute, burst, project)
    rate = {"a": Fraction(per_minute), "p": Fraction(project)}
    rate = {kind: each.limit_denominator(1_000_000) / 60_000_000 for kind, each in rate.items()}
    size = {"a": burst, "p": max(1, int(project))}
    level = {}
    told = round(NOW * 1e6)
    for caller, owner, step in steps:
        passed = max(0, step)
        told += step
        level = {key: min(size[key[0]], left + passed * rate[key[0]]) for key, left in level.items()}
        keys = ("a", caller), ("p", owner)
        fits = all(level.get(key, size[key[0]]) >= 1 for key in keys)
        verdict = rates.admit(caller, owner, told / 1e6)
        assert isinstance(verdict, Admitted) == fits
        if fits:
            level |= {key: level.get(key, size[key[0]]) - 1 for key in keys}
        else:
            short = [max(0, -(-(1 - level.get(key, size[key[0]])) // rate[key[0]])) for key in keys]
            assert round(verdict.retry_after_s * 1e6) == max(short)
            assert verdict.rule is (Rule.CALLER_RATE if short[0] >= short[1] else Rule.PROJECT_RATE)


@settings(max_examples=100, deadline=None)
@given(steps=STEPS, figures=FIGURES)
def test_no_window_lets_more_through_than_the_burst_and_what_the_rate_gives_in_it(steps, figures):
    per_minute, burst, project = figures
    rates = Rates(per_minute, burst, project)
    now, admitted = NOW, []
    for caller, _, step in steps:
        now += max(0, step) / 1e6
        if isinstance(rates.admit(caller, "p", now), Admitted) and caller == "a":
            admitted.append(now)
    for first, began in enumerate(admitted):
        for last in range(first, len(admitted)):
            allowed = burst + (admitted[last] - began + 2e-6) * per_minute / 60
            assert last - first + 1 <= allowed + 1e-6
