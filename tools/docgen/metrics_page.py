"""docs/metrics.md: every series of GET /metrics."""

from docgen.blocks import code, page, table
from runners.api.metric_counters import BUCKETS
from runners.api.metric_names import PREFIX, SERIES
from runners.upstream.tally import BOUNDS

# What is worth waking somebody for; a test holds every name in here to exist.
ALERTS = (
    (
        "The webhook secret is wrong, or somebody else calls",
        'increase(fly_gha_webhook_refusals_total{reason="signature_wrong"}[10m]) > 0',
    ),
    (
        "A job waits for longer than ten minutes in a pool that serves",
        "fly_gha_queue_oldest_seconds > 600 and fly_gha_pool_drained == 0",
    ),
    ("Nothing is decided", "fly_gha_plan_age_seconds > 60"),
    (
        "A loop is late, as `fly-gha status` says it",
        "fly_gha_loop_lag_seconds > 3 * fly_gha_loop_period_seconds and fly_gha_loop_lag_seconds > 15",
    ),
    ("An upstream keeps failing", 'fly_gha_breaker_state{state="open"} == 1'),
    ("GitHub's hourly quota runs out", "fly_gha_requests_left_ratio < 0.1"),
    ("Four fifths of a pool's day are spent", "fly_gha_spent_today_usd > 0.8 * fly_gha_budget_usd"),
    (
        "More is wasted than used",
        'sum by (pool) (fly_gha_cost_today_usd) > on (pool) 2 * fly_gha_cost_today_usd{spent_on="busy"}',
    ),
)


def metrics_page() -> str:
    """The whole page."""
    rows = [
        (code(PREFIX + name), each.kind, _labels(each.labels), each.help + (" \u2217" if each.whole else ""))
        for name, each in SERIES.items()
    ]
    return page(
        "Metrics",
        "`GET /metrics` answers in Prometheus' text format, for a token with the scope `read`; a token "
        "that is limited to pools or repositories sees its pools only, and nothing of what is marked \u2217. "
        "Gauges are read at the scrape and never drift. Counters and histograms count from the start of this "
        "dispatcher. Several dispatchers on one database each show the whole fleet: take the maximum over "
        "them, not the sum; only calls, loops, plans, streams and webhooks are each one's own.",
        table(("Series", "Kind", "Labels", "Meaning"), rows),
        "## What to alert on",
        table(("When", "PromQL"), [(when, code(expression)) for when, expression in ALERTS]),
        f"Buckets of `{PREFIX}phase_seconds`: {_bounds(BUCKETS)} s; of `{PREFIX}upstream_seconds`: "
        f"{_bounds(BOUNDS)} s. "
        "[architecture.md](architecture.md#phases) has the phases, [reasons.md](reasons.md) the reasons.",
    )


def _labels(labels: tuple[str, ...]) -> str:
    return ", ".join(code(label) for label in labels)


def _bounds(bounds: tuple[float, ...]) -> str:
    return ", ".join(f"{bound:g}" for bound in bounds)
