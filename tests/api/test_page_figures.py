"""The page's words and pictures: pure functions of figures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Histogram as Measured

from runners.api.page import bars, crews, words
from runners.api.page.bars import HEIGHT, WIDTH
from runners.model.states import RunnerState
from runners.wire.pool import Budget, PoolView, QueueSummary, Spares
from runners.wire.times import rfc3339

NOW = 1_795_000_000.0


def a_pool(runners=(), spares=(0, 0), machines=0, most=10):
    counts = dict.fromkeys((state for state in RunnerState if state != "gone"), 0) | dict(runners)
    return PoolView(
        name="p", labels=(), scope="orgs/acme", machine_class="c", registration="jit", apps=("a",),
        regions=("iad",), allow_public=False, fallback=None, drained=False, overrides=(), max_machines=most,
        live_machines=machines, room=0, machines={}, runners={str(k): v for k, v in counts.items()},
        spares=Spares(ready_wanted=0, stopped_wanted=0, ready=spares[0], stopped=spares[1]),
        queue=QueueSummary(), budget=Budget(daily_usd=None, spent_today_usd=0, left_usd=None),
        usd_per_hour=0.0, held=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"), (0.9, "0 s"), (59.9, "59 s"), (60, "1 min"), (185, "3 min 5 s"), (3600, "1 h"),
        (7500, "2 h 5 min"), (86_400, "1 d"), (273_600, "3 d 4 h"),
    ],
)  # fmt: skip
def test_a_duration_has_two_figures_at_most(seconds, text):
    assert words.duration(seconds) == text


def test_a_moment_is_written_relative_to_now_or_left_to_the_script():
    moment = rfc3339(NOW - 65)
    assert (
        words.Times(NOW, live=False).since(moment) == f'<time datetime="{moment}" data-since>1 min 5 s</time>'
    )
    assert words.Times(NOW, live=True).since(moment) == f'<time datetime="{moment}" data-since></time>'
    assert ">now<" in words.Times(NOW, live=False).until(moment)
    assert ">in 10 s<" in words.Times(NOW, live=False).until(rfc3339(NOW + 10))


def test_a_clock_names_the_day_when_it_is_another():
    times = words.Times(NOW, live=True)
    assert times.clock(rfc3339(NOW)).endswith(f">{rfc3339(NOW)[11:19]}</time>")
    assert times.clock(rfc3339(NOW - 86_400)).endswith(f">Nov 17 {rfc3339(NOW)[11:16]}</time>")


def test_words_in_backticks_are_set_as_code_and_nothing_else_is_markup():
    assert words.code("raise `a <b>` now & `c`") == "raise <code>a &lt;b&gt;</code> now &amp; <code>c</code>"


def test_a_bar_shows_what_each_machine_is_for_in_order_and_what_others_use():
    pool = a_pool({RunnerState.BUSY: 4, RunnerState.BOOTING: 1, RunnerState.CLAIMED: 1}, (1, 1), 10)
    found = bars.segments(pool)
    assert [(each.kind, each.count) for each in found] == [
        ("busy", 4), ("coming", 2), ("ready", 1), ("stopped", 1), ("other", 2),
    ]  # fmt: skip
    assert found[-1].x + found[-1].width == WIDTH


@given(
    st.dictionaries(st.sampled_from([s for s in RunnerState if s != "gone"]), st.integers(0, 3000)),
    st.tuples(st.integers(0, 50), st.integers(0, 50)),
    st.integers(0, 5000),
    st.integers(0, 3000),
)
def test_a_bar_never_leaves_its_frame_and_hides_nothing(runners, spares, machines, most):
    pool = a_pool(runners, spares, machines, most)
    found = bars.segments(pool)
    assert sum(each.count for each in found) == max(machines, sum(runners.values()) + sum(spares))
    assert all(each.width >= 1 for each in found)
    assert all(each.x + each.width <= WIDTH + 1 for each in found)


def test_a_meter_is_full_at_its_cap_and_beyond():
    assert [bars.share(*each) for each in ((0, 10), (5, 10), (10, 10), (12, 10), (0, 0))] == [
        0, WIDTH // 2, WIDTH, WIDTH, WIDTH,
    ]  # fmt: skip


def test_a_histogram_is_the_sum_over_pools_and_says_where_half_and_most_are():
    measured = Measured("p", "h", ("pool", "phase"), registry=None, buckets=(1, 5, 60))
    for pool, seconds in (("a", 0.5), ("a", 3), ("b", 4), ("b", 4), ("b", 50)):
        measured.labels(pool, "started").observe(seconds)
    (started, gone) = bars.histograms(measured.collect(), ("started", "gone"), (1.0, 5.0, 60.0))
    assert (started.count, started.half, started.most) == (5, 5.0, 60.0)
    assert started.heights == (round(HEIGHT / 3), HEIGHT, round(HEIGHT / 3), 0)
    assert (gone.count, gone.half, gone.heights) == (0, None, (0, 0, 0, 0))


def test_what_took_longer_than_the_last_bucket_has_no_figure():
    measured = Measured("p", "h", ("pool", "phase"), registry=None, buckets=(1,))
    measured.labels("a", "started").observe(100)
    (found,) = bars.histograms(measured.collect(), ("started",), (1.0,))
    assert (found.count, found.half, found.most) == (1, None, None)


def test_every_live_state_has_a_mark_of_its_own():
    assert set(crews.MARKS) == set(RunnerState) - {RunnerState.GONE}
    assert len(set(crews.MARKS.values())) == len(crews.MARKS)
