"""What the API does with volumes: each request is admitted, judged and written down."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.clock import Clock
from simulator.faults import Faults
from simulator.fly import admission
from simulator.fly.chronicle import Chronicle
from simulator.fly.refusals import FlyRefusal
from simulator.fly.volumes import Shelf, SimVolume, read_volume
from simulator.journal import Journal


@dataclass(frozen=True, slots=True)
class VolumeCreation:
    """A create that was accepted; `answer_lost` says that the caller must never hear of it."""

    volume: SimVolume
    answer_lost: bool


class VolumeOffice:
    """Volumes of one organization.

    Args:
        shelf: the volumes there are.
        clock: times of creates and deletes.
        journal: `volume_created` and `volume_deleted`, each with how many volumes there are then.
        faults: `lost_volume_answer` (match `app`, `region` or `name`).
        chronicle: every refusal is written down.
        admit: counts a request of this action against its app: Fly documents limits per Machine and per app,
            so a volume has no bucket of its own.
    """

    def __init__(
        self,
        shelf: Shelf,
        clock: Clock,
        journal: Journal,
        faults: Faults,
        chronicle: Chronicle,
        admit: Callable[[str, str], None],
    ) -> None:
        self._shelf = shelf
        self._clock = clock
        self._journal = journal
        self._faults = faults
        self._chronicle = chronicle
        self._admit = admit

    def list(self, app: str) -> list[SimVolume]:
        """The volumes of an app."""
        self._admit("list_volumes", app)
        return self._shelf.listed(app, self._clock.now())

    def create(self, app: str, request: Mapping[str, Any]) -> VolumeCreation:
        """Create a volume in the first region that is asked for."""
        self._admit("create_volume", app)
        with self._refusing("create_volume", app):
            read_volume(request)
            region = admission.regions(str(request.get("region") or ""))[0]
        volume = self._shelf.add(app, region, request, self._clock.now())
        self._record("volume_created", volume)
        return VolumeCreation(volume, self._faults.fire("lost_volume_answer", **_facts(volume)) is not None)

    def get(self, app: str, volume_id: str) -> SimVolume:
        """One volume; 404 for one that is not there."""
        self._admit("get_volume", app)
        with self._refusing("get_volume", app):
            return self._shelf.get(app, volume_id)

    def delete(self, app: str, volume_id: str) -> SimVolume:
        """Delete a volume that no Machine has; 404 and 412 for any other."""
        self._admit("delete_volume", app)
        with self._refusing("delete_volume", app):
            volume = self._shelf.get(app, volume_id)
            self._shelf.delete(volume, self._clock.now())
        self._record("volume_deleted", volume)
        return volume

    def _record(self, kind: str, volume: SimVolume) -> None:
        live = sum(1 for _ in self._shelf.live())
        self._journal.record(kind, **_facts(volume), size_gb=volume.size_gb, live_volumes=live)

    @contextlib.contextmanager
    def _refusing(self, action: str, app: str) -> Iterator[None]:
        try:
            yield
        except FlyRefusal as refusal:
            raise self._chronicle.refused(action, refusal, app=app) from None


def _facts(volume: SimVolume) -> dict[str, str]:
    return {"app": volume.app, "name": volume.name, "id": volume.id, "region": volume.region}
