"""GET /metrics: Prometheus text, made per scrape from the store and the planner's latest pass.

Gauges are read at the scrape, so they can neither drift nor outlive what they count. Counters and histograms
begin at zero with the dispatcher.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import cast

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from sqlalchemy import Connection

from runners.api.access import Fleet, Viewer
from runners.api.access import Reader as MayRead
from runners.api.metric_counters import BUCKETS, EventCounts, Phases
from runners.api.metric_names import PREFIX, SERIES
from runners.api.port import FleetPort
from runners.api.reading import Reader
from runners.api.status_view import fleet_status
from runners.control.cost import Cost, today
from runners.model.reason import Reason
from runners.planning.buckets import creates_left, writes_left
from runners.upstream.breaker import BreakerState
from runners.upstream.tally import BOUNDS, Durations
from runners.wire.status import FleetStatus
from runners.wire.times import unix_seconds

__all__ = ("BUCKETS", "Phases", "router")

router = APIRouter(tags=["read"])
Sample = tuple[str, tuple[str, ...], float]
# Shown from the start: a counter that appears with its first count has no increase that an alert could see.
_REFUSALS = (
    Reason.SIGNATURE_WRONG,
    Reason.SIGNATURE_MISSING,
    Reason.BODY_TOO_LARGE,
    Reason.BODY_NOT_JSON,
    Reason.CONTENT_TYPE_WRONG,
    Reason.PAYLOAD_MALFORMED,
    Reason.CREDENTIAL_MISSING,
)
_SPENT_ON = ("busy", "boot", "spare", "idle", "stopped")


@router.get("/metrics")
async def metrics(fleet: Fleet, viewer: MayRead, request: Request) -> Response:
    """The fleet in numbers, as far as the token may see it."""
    rows = cast(Reader, request.app.state.reader)
    phases = cast(Phases, request.app.state.phases)
    counts = cast(EventCounts, request.app.state.event_counts)

    def op(conn: Connection) -> dict[str, Cost]:
        phases.catch_up(conn)
        counts.catch_up(conn)
        return today(conn, fleet.clock.now(), fleet.prices)

    costs = await fleet.store.run(op)
    status = fleet_status(fleet, await rows.read(), viewer.sight)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Scrape(fleet, status, viewer, phases, counts, costs))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


class _Scrape:
    """The collector of one scrape."""

    def __init__(
        self,
        fleet: FleetPort,
        status: FleetStatus,
        viewer: Viewer,
        phases: Phases,
        counts: EventCounts,
        costs: Mapping[str, Cost],
    ) -> None:
        self._fleet = fleet
        self._status = status
        self._everything = viewer.sight.everything
        self._phases = phases
        self._counts = counts
        self._costs = costs
        self._keys = {upstream.key for upstream in status.upstreams}

    def collect(self) -> Iterator[Metric]:
        """Every family, those without samples left out."""
        samples: dict[str, list[tuple[tuple[str, ...], float]]] = {name: [] for name in SERIES}
        parts = (self._whole(), self._pools(), self._elsewhere(), self._upstreams(), self._loops())
        for part in parts:
            for name, labels, value in part:
                samples[name].append((labels, value))
        for name, found in samples.items():
            known = SERIES[name]
            if not found or (known.whole and not self._everything):
                continue
            kind = CounterMetricFamily if known.kind == "counter" else GaugeMetricFamily
            family = kind(f"{PREFIX}{name}", known.help, labels=known.labels)
            for values, value in found:
                family.add_metric(values, value)
            yield family
        if self._everything:
            yield _durations(self._fleet.meters.calls.durations)
        yield from self._phases.collect(frozenset(pool.name for pool in self._status.pools))

    def _whole(self) -> Iterator[Sample]:
        yield "revision", (), self._status.revision
        yield "paused", (), float(self._status.paused)
        latest = self._fleet.latest
        if latest is not None:
            yield "plan_age_seconds", (), max(0.0, self._fleet.clock.now() - latest.snapshot.now)
        yield "streams", (), self._fleet.changes.listening
        yield from (
            ("credential_left_seconds", (name,), left) for name, left in self._fleet.tokens_left().items()
        )
        meters = self._fleet.meters
        yield from (("plans_total", (outcome,), n) for outcome, n in meters.plans.items())
        yield from (("plan_actions_total", (action,), n) for action, n in meters.actions.items())
        yield from (("events_total", labels, n) for labels, n in sorted(self._counts.counts.items()))
        yield from (("operator_actions_total", (verb,), n) for verb, n in self._counts.by_operators().items())
        yield from (("webhooks_total", (reason,), n) for reason, n in meters.webhooks.items())
        refused: dict[str, int] = {**dict.fromkeys(map(str, _REFUSALS), 0), **meters.refused_webhooks}
        yield from (("webhook_refusals_total", (reason,), n) for reason, n in refused.items())

    def _pools(self) -> Iterator[Sample]:
        now = self._fleet.clock.now()
        for pool in self._status.pools:
            name = pool.name
            queue = pool.queue
            yield "queue_jobs", (name, "waiting"), queue.waiting
            yield "queue_jobs", (name, "queued"), queue.queued
            yield "queue_jobs", (name, "in_progress"), queue.in_progress
            oldest = queue.oldest_queued_at
            yield "queue_oldest_seconds", (name,), _age(now, oldest)
            yield from (("machines", (name, state), n) for state, n in pool.machines.items())
            yield from (("runners", (name, state), n) for state, n in pool.runners.items())
            yield "machines_max", (name,), pool.max_machines
            yield "spares", (name, "stopped"), pool.spares.stopped
            yield "spares", (name, "ready"), pool.spares.ready
            yield "spares", (name, "outdated"), pool.spares.outdated
            yield "spares_wanted", (name, "stopped"), pool.spares.stopped_wanted
            yield "spares_wanted", (name, "ready"), pool.spares.ready_wanted
            yield "pool_drained", (name,), float(pool.drained)
            yield "spent_today_usd", (name,), pool.budget.spent_today_usd
            if pool.budget.daily_usd is not None:
                yield "budget_usd", (name,), pool.budget.daily_usd
            cost = self._costs.get(name, Cost())
            yield from (("cost_today_usd", (name, kind), getattr(cost, kind)) for kind in _SPENT_ON)

    def _elsewhere(self) -> Iterator[Sample]:
        yield from (("held", labels, n) for labels, n in _held(self._status).items())
        latest = self._fleet.latest
        if latest is None:
            return
        for key in sorted(self._keys):
            upstream, _, name = key.partition(":")
            if upstream == "fly":
                yield "creates_left", (name,), max(0.0, creates_left(latest.snapshot, name))
                continue
            yield "writes_left", (name,), max(0, writes_left(latest.snapshot, name))
            share = self._fleet.meters.quota(name)
            if share is not None:
                yield "requests_left_ratio", (name,), share

    def _upstreams(self) -> Iterator[Sample]:
        now = self._fleet.clock.now()
        for upstream in self._status.upstreams:
            blocked = 0.0 if upstream.blocked_until is None else unix_seconds(upstream.blocked_until) - now
            yield "upstream_blocked_seconds", (upstream.key,), max(0.0, blocked)
        for key, state in self._fleet.meters.breakers().items():
            if self._everything or key in self._keys:
                yield from (
                    ("breaker_state", (key, str(each)), float(each is state)) for each in BreakerState
                )
        for calls, count in self._fleet.meters.calls.calls.items():
            if self._everything or calls.key in self._keys:
                yield "upstream_calls_total", (calls.key, calls.operation, calls.outcome), count

    def _loops(self) -> Iterator[Sample]:
        now = self._fleet.clock.now()
        for health in self._fleet.loops():
            # A loop that never ended a pass lags since the dispatcher began.
            since = self._counts.since if health.last_pass_at is None else health.last_pass_at
            yield "loop_lag_seconds", (health.name,), max(0.0, now - since)
            yield "loop_period_seconds", (health.name,), health.period
            yield "loop_passes_total", (health.name,), health.passes
            yield "loop_failures_total", (health.name,), health.failures


def _durations(found: Mapping[str, Durations]) -> Metric:
    known = SERIES["upstream_seconds"]
    family = HistogramMetricFamily(f"{PREFIX}upstream_seconds", known.help, labels=known.labels)
    for upstream, durations in sorted(found.items()):
        below, buckets = 0, []
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), durations.counts, strict=True):
            below += count
            buckets.append((bound, below))
        family.add_metric((upstream,), buckets, durations.seconds)
    return family


def _held(status: FleetStatus) -> Mapping[tuple[str, str], int]:
    found: Counter[tuple[str, str]] = Counter()
    for entry in status.held:
        found[entry.pool, entry.reason] += entry.count
    return found


def _age(now: float, since: str | None) -> float:
    return 0.0 if since is None else max(0.0, now - unix_seconds(since))
