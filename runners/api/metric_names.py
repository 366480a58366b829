"""Every series of GET /metrics, with its kind, labels and help: docs/metrics.md is generated from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

PREFIX = "fly_gha_"


@dataclass(frozen=True, slots=True)
class Series:
    """One series.

    Attributes:
        help: one sentence.
        labels: names.
        whole: shown to tokens without limits only, since it is about the whole fleet.
    """

    kind: Literal["gauge", "counter", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    whole: bool = False


SERIES: Mapping[str, Series] = {
    "revision": Series("gauge", "Highest sequence number of the event log."),
    "paused": Series("gauge", "1 while the fleet launches nothing."),
    "plan_age_seconds": Series("gauge", "Time since the planner last decided."),
    "queue_jobs": Series("gauge", "Jobs that have not completed, by pool and state.", ("pool", "state")),
    "queue_oldest_seconds": Series("gauge", "Age of the oldest queued job, 0 without one.", ("pool",)),
    "machines": Series("gauge", "Machines that are not gone, by pool and state.", ("pool", "state")),
    "machines_max": Series("gauge", "The pool's cap on Machines.", ("pool",)),
    "runners": Series("gauge", "Runners that are not gone, by pool and state.", ("pool", "state")),
    "spares": Series(
        "gauge",
        "Spare Machines there are, by pool and kind; the outdated are also in the other kinds.",
        ("pool", "kind"),
    ),
    "spares_wanted": Series("gauge", "Spare Machines to keep, by pool and kind.", ("pool", "kind")),
    "pool_drained": Series("gauge", "1 while the pool takes no new work.", ("pool",)),
    "held": Series(
        "gauge", "Jobs and spares held back by the latest plan, by pool and Reason.", ("pool", "reason")
    ),
    "spent_today_usd": Series("gauge", "Cost since 00:00 UTC, by pool, as budgets count it.", ("pool",)),
    "cost_today_usd": Series(
        "gauge",
        "Cost since 00:00 UTC by what it was spent on: busy; and as waste boot, spare, idle, stopped.",
        ("pool", "spent_on"),
    ),
    "budget_usd": Series("gauge", "The pool's budget for a day, where it has one.", ("pool",)),
    "upstream_blocked_seconds": Series(
        "gauge",
        "Time until an upstream's breaker or rate limit lets calls through, 0 when it does.",
        ("upstream",),
    ),
    "credential_left_seconds": Series(
        "gauge", "Life left of each credential that is known to end.", ("credential",), whole=True
    ),
    "breaker_state": Series(
        "gauge", "1 for the state an upstream's breaker is in: closed, open or trying.", ("upstream", "state")
    ),
    "creates_left": Series("gauge", "Creates that Fly takes at once now, by app.", ("app",)),
    "writes_left": Series("gauge", "Writes left in this minute at GitHub, by owner.", ("owner",)),
    "requests_left_ratio": Series(
        "gauge", "Share of the hour's GitHub requests that is left, by owner.", ("owner",)
    ),
    "loop_lag_seconds": Series("gauge", "Time since the loop's last good pass.", ("loop",)),
    "loop_period_seconds": Series("gauge", "The loop's period; a lag of three periods is late.", ("loop",)),
    "loop_passes_total": Series("counter", "Good passes.", ("loop",)),
    "loop_failures_total": Series("counter", "Failed passes.", ("loop",)),
    "streams": Series("gauge", "Open status streams.", whole=True),
    "plans_total": Series(
        "counter", "Passes of the planner, carried_out or only explained.", ("outcome",), whole=True
    ),
    "plan_actions_total": Series(
        "counter", "What plans had done, by kind of action.", ("action",), whole=True
    ),
    "events_total": Series(
        "counter",
        "Events, by who did what and why; `held` ones tell how often jobs began to be held back.",
        ("actor", "verb", "reason"),
        whole=True,
    ),
    "operator_actions_total": Series(
        "counter", "What was done with API tokens, and what was denied to them.", ("verb",), whole=True
    ),
    "webhooks_total": Series("counter", "Webhook deliveries taken, by Reason.", ("reason",), whole=True),
    "webhook_refusals_total": Series(
        "counter",
        "Webhook deliveries refused, by Reason; signature_wrong means a wrong webhook secret.",
        ("reason",),
        whole=True,
    ),
    "upstream_calls_total": Series(
        "counter",
        "Calls to Fly, GitHub and Infisical, by outcome: ok, not_found, no_capacity, try_later, refused, "
        "our_fault, rate_limited, or lost without an answer.",
        ("upstream", "operation", "outcome"),
    ),
    "upstream_seconds": Series("histogram", "How long calls to an upstream took.", ("upstream",), whole=True),
    "phase_seconds": Series(
        "histogram",
        "How long each phase of a runner's way took, of runners gone since this dispatcher started.",
        ("pool", "phase"),
    ),
}
"""By name, without PREFIX."""


def series() -> tuple[str, ...]:
    """Every series by its whole name."""
    return tuple(f"{PREFIX}{name}" for name in SERIES)
