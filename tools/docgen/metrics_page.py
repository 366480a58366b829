"""docs/metrics.md: every series of GET /metrics."""

from docgen.blocks import code, page, table
from runners.api.metric_counters import BUCKETS
from runners.api.metric_names import PREFIX, SERIES
from runners.upstream.tally import BOUNDS


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
        "dispatcher.",
        table(("Series", "Kind", "Labels", "Meaning"), rows),
        f"Buckets of `{PREFIX}phase_seconds`: {_bounds(BUCKETS)} s; of `{PREFIX}upstream_seconds`: "
        f"{_bounds(BOUNDS)} s. "
        "[architecture.md](architecture.md#phases) has the phases, [reasons.md](reasons.md) the reasons.",
    )


def _labels(labels: tuple[str, ...]) -> str:
    return ", ".join(code(label) for label in labels)


def _bounds(bounds: tuple[float, ...]) -> str:
    return ", ".join(f"{bound:g}" for bound in bounds)
