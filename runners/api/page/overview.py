"""Overview: all that the status page shows, read at one revision, in the words of the read API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from runners.api.job_views import job_view
from runners.api.metric_counters import BUCKETS, Phases
from runners.api.page.allowances import Allowance, allowances
from runners.api.page.bars import Histogram, histograms
from runners.api.page.crews import Crew, crews, legend
from runners.api.page.orders import Order, orders
from runners.api.page.wrong import Problem, wrong
from runners.api.pool_views import scene
from runners.api.port import FleetPort
from runners.api.reading import Reading
from runners.api.runner_views import event_view
from runners.api.sight import Look, Sight
from runners.api.status_view import fleet_status
from runners.model.nouns import Event, Job
from runners.model.states import PHASES, JobState
from runners.store import events
from runners.wire.event import EventView
from runners.wire.incident import Incident
from runners.wire.job import JobView
from runners.wire.status import FleetStatus

QUEUE_SHOWN = 60
EVENTS_SHOWN = 40
# Of a limited viewer's events; who sees few of many finds the rest by GET /v1/events.
EVENTS_SCANNED = 400


@dataclass(frozen=True, slots=True)
class Overview:
    """What the templates draw.

    Attributes:
        at: of the reading, Unix seconds.
        queue: the first QUEUE_SHOWN that wait, those queued for a runner before those awaiting approval.
        queue_more: how many more there are.
        lately: what went wrong in the last hour.
        machines: how many there are.
    """

    at: float
    status: FleetStatus
    problems: tuple[Problem, ...]
    lately: tuple[Incident, ...]
    orders: Mapping[str, Order]
    crews: tuple[Crew, ...]
    legend: tuple[tuple[str, str, int, str], ...]
    queue: tuple[JobView, ...]
    queue_more: int
    histograms: tuple[Histogram, ...]
    allowances: tuple[Allowance, ...]
    events: tuple[EventView, ...]
    machines: int


def overview(
    conn: Connection,
    port: FleetPort,
    reading: Reading,
    phases: Phases,
    sight: Sight,
    lately: tuple[Incident, ...],
) -> Overview:
    """The fleet as ``sight`` sees it; ``reading`` is of the same transaction."""
    phases.catch_up(conn)
    look = Look(conn, sight, port.settings)
    status = fleet_status(port, reading, sight)
    view = scene(port.settings, reading, port.latest, sight)
    said = orders(conn, look, port, reading)
    waiting = _queue(view.jobs)
    names = frozenset(pool.name for pool in status.pools)
    return Overview(
        at=reading.at,
        status=status,
        problems=wrong(status, said),
        lately=lately,
        orders=said,
        crews=crews(view),
        legend=legend(status.runners),
        queue=tuple(job_view(job, port.latest) for job in waiting[:QUEUE_SHOWN]),
        queue_more=max(0, len(waiting) - QUEUE_SHOWN),
        # The first phase is where the way begins: it takes no time.
        histograms=histograms(phases.collect(names), PHASES[1:], BUCKETS),
        allowances=allowances(status, port),
        events=tuple(event_view(each) for each in _latest(conn, look)),
        machines=sum(status.machines.values()),
    )


def _queue(jobs: Sequence[Job]) -> list[Job]:
    """Oldest accepted first, as they come, and what no runner could start now at the end."""
    queued = [job for job in jobs if job.state is JobState.QUEUED]
    return [*queued, *(job for job in jobs if job.state is JobState.WAITING)]


def _latest(conn: Connection, look: Look) -> Sequence[Event]:
    limit = EVENTS_SHOWN if look.sight.everything else EVENTS_SCANNED
    return look.events(events.page(conn, newest_first=True, limit=limit))[:EVENTS_SHOWN]
