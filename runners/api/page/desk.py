"""Desk: what one app's status page keeps: its templates, wrong tries, and the latest drawing for each Sight.

However many browsers look, an update is read and drawn at most every KEPT_S for everybody who may see the
same: a storm of changes that a hundred open pages ask about costs two drawings a second. An update that
is somebody else's says so, and the page asks again a moment later.
"""

from dataclasses import dataclass
from typing import Any, cast

from fastapi import Request
from sqlalchemy import Connection

from runners.api.access import Viewer
from runners.api.metric_counters import Phases
from runners.api.page.overview import Overview, overview
from runners.api.page.render import Part, Renderer
from runners.api.page.tries import Tries
from runners.api.port import FleetPort, PlanView
from runners.api.read_incidents import IncidentQuestion, incident_page
from runners.api.reading import Reader, Reading
from runners.api.sight import Sight
from runners.registration.bounded import BoundedEvents
from runners.wire.incident import Incident
from runners.wire.times import rfc3339

PARTS = ("summary", "wrong", "pools", "runners", "queue", "phases", "limits", "events")
# A thousand runners take some 50 ms to read and draw: a tenth of the time at worst.
KEPT_S = 0.5
# Looking through an hour of events costs more than all the rest, and an hour changes slowly.
LATELY_S = 3600.0
LATELY_KEPT_S = 15.0
# Differently limited tokens with a page open at a time; one more draws anew and crowds the oldest out.
SIGHTS_MAX = 32


@dataclass(slots=True)
class _Drawn:
    """What was drawn of one Reading and plan for one Sight."""

    reading: Reading
    latest: PlanView | None
    seen: Overview
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """What brings a page up to date.

    Attributes:
        fresh: it was made for whoever asked; otherwise something may have changed since.
    """

    seen: Overview
    parts: tuple[Part, ...]
    fresh: bool


class Desk:
    """The status page of one app."""

    def __init__(self, port: FleetPort) -> None:
        self.renderer = Renderer()
        self.tries = Tries()
        self.bounded = BoundedEvents()
        self._port = port
        self._drawn: dict[Sight, _Drawn] = {}
        self._lately: dict[Sight, tuple[float, tuple[Incident, ...]]] = {}

    async def overview(self, request: Request, viewer: Viewer) -> Overview:
        """The fleet now, as this viewer may see it.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        return (await self._now(request, viewer)).seen

    async def lately(self, viewer: Viewer) -> tuple[Incident, ...]:
        """What went wrong in the last LATELY_S, as the read API tells it, at most LATELY_KEPT_S old."""
        now = self._port.clock.now()
        at, told = self._lately.pop(viewer.sight, (None, ()))
        if at is None or not 0 <= now - at < LATELY_KEPT_S:
            question = IncidentQuestion(since=rfc3339(now - LATELY_S))
            at, told = now, (await incident_page(self._port, viewer, question)).incidents
        while len(self._lately) >= SIGHTS_MAX:
            del self._lately[next(iter(self._lately))]
        self._lately[viewer.sight] = (at, told)
        return told

    async def parts(self, request: Request, viewer: Viewer) -> Update:
        """The same, at most KEPT_S old, with its parts drawn."""
        kept = self._drawn.get(viewer.sight)
        fresh = kept is None or not 0 <= self._port.clock.now() - kept.seen.at < KEPT_S
        drawn = await self._now(request, viewer) if kept is None or fresh else kept
        if not drawn.parts:
            drawn.parts = self.renderer.parts(PARTS, drawn.seen.at, shown(drawn.seen, viewer))
        return Update(drawn.seen, drawn.parts, fresh)

    async def _now(self, request: Request, viewer: Viewer) -> _Drawn:
        reader = cast(Reader, request.app.state.reader)
        phases = cast(Phases, request.app.state.phases)
        latest, lately = self._port.latest, await self.lately(viewer)

        def op(conn: Connection) -> _Drawn:
            reading = reader.within(conn)
            kept = self._drawn.pop(viewer.sight, None)
            if (
                kept is None
                or kept.reading is not reading
                or kept.latest is not latest
                or kept.seen.lately != lately
            ):
                kept = _Drawn(
                    reading, latest, overview(conn, self._port, reading, phases, viewer.sight, lately)
                )
            while len(self._drawn) >= SIGHTS_MAX:
                del self._drawn[next(iter(self._drawn))]
            self._drawn[viewer.sight] = kept
            return kept

        return await self._port.store.run(op)


def shown(seen: Overview, viewer: Viewer) -> dict[str, Any]:
    """What the overview's templates are given. It says nothing of one viewer: drawings are shared."""
    return {"seen": seen, "status": seen.status, "limited": not viewer.sight.everything}


def desk_of(request: Request) -> Desk:
    """The app's Desk."""
    return cast(Desk, request.app.state.page)
