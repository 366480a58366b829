"""GET /metrics: Prometheus text, made per scrape from the store and the planner's latest pass.

Gauges are read at the scrape, so they can neither drift nor outlive what they count. The phase histogram is
a counter and needs memory: it counts the Runners that have gone since this dispatcher started, from their
stored timestamps, following the event log from scrape to scrape.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from sqlalchemy import Connection

from runners.api.access import Fleet, Viewer
from runners.api.access import Reader as MayRead
from runners.api.job_views import phase_seconds, phase_times
from runners.api.port import FleetPort
from runners.api.reading import Reader
from runners.api.status_view import fleet_status
from runners.model.states import RunnerState
from runners.store import events, jobs, machines, runners
from runners.wire.status import FleetStatus
from runners.wire.times import unix_seconds

router = APIRouter(tags=["read"])

PREFIX = "fly_gha_"
GAUGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "revision": ("Highest sequence number of the event log.", ()),
    "paused": ("1 while the fleet launches nothing.", ()),
    "plan_age_seconds": ("Time since the planner last decided.", ()),
    "queue_jobs": ("Jobs that have not completed, by pool and state.", ("pool", "state")),
    "queue_oldest_seconds": ("Age of the oldest queued job, 0 without one.", ("pool",)),
    "machines": ("Machines that are not gone, by pool and state.", ("pool", "state")),
    "machines_max": ("The pool's cap on Machines.", ("pool",)),
    "runners": ("Runners that are not gone, by pool and state.", ("pool", "state")),
    "spares": ("Spare Machines there are, by pool and kind.", ("pool", "kind")),
    "spares_wanted": ("Spare Machines to keep, by pool and kind.", ("pool", "kind")),
    "pool_drained": ("1 while the pool takes no new work.", ("pool",)),
    "held": ("Jobs and spares held back by the latest plan, by pool and Reason.", ("pool", "reason")),
    "spent_today_usd": ("Cost since 00:00 UTC, by pool.", ("pool",)),
    "upstream_blocked_seconds": (
        "Time until an upstream's breaker or rate limit lets calls through, 0 when it does.",
        ("upstream",),
    ),
    "loop_lag_seconds": ("Time since the loop's last good pass.", ("loop",)),
    "loop_failures": ("Failed passes since this dispatcher started.", ("loop",)),
    "streams": ("Open status streams.", ()),
}
"""Name (without PREFIX) → help and labels; docs/metrics.md is generated from it."""

PHASE_SECONDS = f"{PREFIX}phase_seconds"
PHASE_HELP = "How long each phase of a runner's way took, of runners gone since this dispatcher started."
BUCKETS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 21, 34, 60, 120, 300, 900, 3600, 21_600)
BATCH = 500
# Never more than this in one scrape; the next one goes on from there.
BATCHES_MAX = 20


class Phases:
    """The phase histogram of one app.

    Args:
        since: Unix seconds; Runners gone before are not counted, so a restart is a counter reset at zero.
    """

    def __init__(self, since: float) -> None:
        self._since = since
        self._seq: int | None = None
        # Its own registry: prometheus_client's global one would join apps of one process.
        self._histogram = Histogram(
            PHASE_SECONDS, PHASE_HELP, ("pool", "phase"), registry=None, buckets=BUCKETS
        )

    def catch_up(self, conn: Connection) -> None:
        """Count the Runners that have gone since the last call."""
        seq = _first_seq(conn, self._since) if self._seq is None else self._seq
        for _ in range(BATCHES_MAX):
            batch = events.page(conn, after=seq, verb="moved", limit=BATCH)
            for event in batch:
                seq = event.seq
                kind, _, name = event.target.partition("/")
                if kind == "runner":
                    self._count(conn, name, event.at)
            if len(batch) < BATCH:
                break
        self._seq = seq

    def collect(self, pools: frozenset[str]) -> Iterator[Metric]:
        """The histogram, of these pools."""
        for metric in self._histogram.collect():
            metric.samples = [each for each in metric.samples if each.labels.get("pool") in pools]
            yield metric

    def _count(self, conn: Connection, name: str, at: float) -> None:
        runner = runners.get(conn, name)
        # A Runner has many moves and one end: the event made at the time at which it went.
        if runner is None or runner.state is not RunnerState.GONE or runner.gone_at != at:
            return
        boots = machines.boots(conn, runner.machine_name)
        boot = next((each for each in boots if each.seq == runner.boot_seq), None)
        job = None if runner.job_id is None else jobs.get(conn, runner.job_id)
        for phase, seconds in phase_seconds(phase_times(job, runner, boot)).items():
            if seconds is not None:
                self._histogram.labels(runner.pool, phase).observe(seconds)


@router.get("/metrics")
async def metrics(fleet: Fleet, viewer: MayRead, request: Request) -> Response:
    """The fleet in numbers, as far as the token may see it."""
    rows = cast(Reader, request.app.state.reader)
    phases = cast(Phases, request.app.state.phases)

    def op(conn: Connection) -> None:
        phases.catch_up(conn)

    await fleet.store.run(op)
    status = fleet_status(fleet, await rows.read(), viewer.sight)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Scrape(fleet, status, viewer, phases))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


class _Scrape:
    """The collector of one scrape."""

    def __init__(self, fleet: FleetPort, status: FleetStatus, viewer: Viewer, phases: Phases) -> None:
        self._fleet = fleet
        self._status = status
        self._viewer = viewer
        self._phases = phases

    def collect(self) -> Iterator[Metric]:
        """Every family, those without samples left out."""
        samples: dict[str, list[tuple[tuple[str, ...], float]]] = {name: [] for name in GAUGES}
        for name, labels, value in (*self._whole(), *self._pools(), *self._elsewhere()):
            samples[name].append((labels, value))
        for name, found in samples.items():
            text, labels = GAUGES[name]
            family = GaugeMetricFamily(f"{PREFIX}{name}", text, labels=labels)
            for values, value in found:
                family.add_metric(values, value)
            if found:
                yield family
        yield from self._phases.collect(frozenset(pool.name for pool in self._status.pools))

    def _whole(self) -> Iterator[tuple[str, tuple[str, ...], float]]:
        yield "revision", (), self._status.revision
        yield "paused", (), float(self._status.paused)
        latest = self._fleet.latest
        if latest is not None:
            yield "plan_age_seconds", (), max(0.0, self._fleet.clock.now() - latest.snapshot.now)
        if self._viewer.sight.everything:
            yield "streams", (), self._fleet.changes.listening

    def _pools(self) -> Iterator[tuple[str, tuple[str, ...], float]]:
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
            yield "spares_wanted", (name, "stopped"), pool.spares.stopped_wanted
            yield "spares_wanted", (name, "ready"), pool.spares.ready_wanted
            yield "pool_drained", (name,), float(pool.drained)
            yield "spent_today_usd", (name,), pool.budget.spent_today_usd

    def _elsewhere(self) -> Iterator[tuple[str, tuple[str, ...], float]]:
        now = self._fleet.clock.now()
        yield from (("held", labels, n) for labels, n in _held(self._status).items())
        for upstream in self._status.upstreams:
            blocked = 0.0 if upstream.blocked_until is None else unix_seconds(upstream.blocked_until) - now
            yield "upstream_blocked_seconds", (upstream.key,), max(0.0, blocked)
        for health in self._fleet.loops():
            if health.last_pass_at is not None:
                yield "loop_lag_seconds", (health.name,), max(0.0, now - health.last_pass_at)
            yield "loop_failures", (health.name,), health.failures


def _held(status: FleetStatus) -> Mapping[tuple[str, str], int]:
    found: Counter[tuple[str, str]] = Counter()
    for entry in status.held:
        found[entry.pool, entry.reason] += entry.count
    return found


def _age(now: float, since: str | None) -> float:
    return 0.0 if since is None else max(0.0, now - unix_seconds(since))


def _first_seq(conn: Connection, since: float) -> int:
    """The seq before the first event at or after ``since``, found from the newest backwards."""
    before: int | None = None
    while True:
        batch = events.page(conn, before=before, newest_first=True, limit=BATCH)
        older = next((event.seq for event in batch if event.at < since), None)
        if older is not None:
            return older
        if len(batch) < BATCH:
            return 0
        before = batch[-1].seq


def series() -> Iterable[str]:
    """Every series this module may emit."""
    return (*(f"{PREFIX}{name}" for name in GAUGES), PHASE_SECONDS)
