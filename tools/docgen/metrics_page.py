"""docs/metrics.md: every series of GET /metrics."""

from docgen.blocks import code, page, table
from runners.api.metrics import BUCKETS, GAUGES, PHASE_HELP, PHASE_SECONDS, PREFIX


def metrics_page() -> str:
    """The whole page."""
    rows = [(code(PREFIX + name), "gauge", _labels(labels), text) for name, (text, labels) in GAUGES.items()]
    rows.append((code(PHASE_SECONDS), "histogram", _labels(("pool", "phase")), PHASE_HELP))
    return page(
        "Metrics",
        "`GET /metrics` answers in Prometheus' text format, for a token with the scope `read`; a token "
        "that is limited to pools sees those only. Gauges are read at the scrape and never drift. The "
        "histogram counts from the start of this dispatcher.",
        table(("Series", "Kind", "Labels", "Meaning"), rows),
        f"Buckets of the histogram, in seconds: {', '.join(f'{bound:g}' for bound in BUCKETS)}. "
        "[architecture.md](architecture.md#phases) has the phases, [reasons.md](reasons.md) the reasons.",
    )


def _labels(labels: tuple[str, ...]) -> str:
    return ", ".join(code(label) for label in labels)
