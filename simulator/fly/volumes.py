"""Volumes of a simulated organization: thin, and true to what a fleet can notice.

A volume is on one host of one region, belongs to one Machine at a time, and outlives it. A deleted one is
``pending_destroy``, still listed, and gone some time later.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.draws import Draws
from simulator.fly.answers import moment
from simulator.fly.refusals import invalid, no_such_volume, volume_attached

SMALLEST_GB, DEFAULT_GB, LARGEST_GB = 1, 3, 500
SNAPSHOT_DAYS_DEFAULT, SNAPSHOT_DAYS_MOST = 5, 60
NAME_MOST = 30
# How long a deleted volume is still listed, in seconds before scaling (our figure: nobody recorded it).
PENDING_S = 86_400.0


@dataclass(slots=True)
class SimVolume:
    """One volume. Times are Unix seconds.

    Attributes:
        host: what stands for the host it is on; a Machine that mounts it must have room there.
        machine_id: the Machine that has it, or "".
        deleted_at: when its delete was accepted; None before.
        made_with: the create request as sent.
    """

    id: str
    name: str
    app: str
    region: str
    size_gb: int
    host: str
    created_at: float
    made_with: Mapping[str, Any]
    machine_id: str = ""
    deleted_at: float | None = None

    @property
    def state(self) -> str:
        """Fly's word for it."""
        return "created" if self.deleted_at is None else "pending_destroy"

    def as_json(self) -> dict[str, Any]:
        """The volume as the API shows it."""
        asked = self.made_with
        return {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "region": self.region,
            "zone": self.host,
            "size_gb": self.size_gb,
            "encrypted": bool(asked.get("encrypted", True)),
            "fstype": str(asked.get("fstype") or "ext4"),
            "type": "local",
            "attached_machine_id": self.machine_id or None,
            "attached_alloc_id": None,
            "auto_backup_enabled": bool(asked.get("auto_backup_enabled", True)),
            "snapshot_retention": int(asked.get("snapshot_retention") or SNAPSHOT_DAYS_DEFAULT),
            "host_status": "ok",
            "created_at": moment(self.created_at),
        }


class Shelf:
    """All volumes ever created.

    Args:
        draws: ids and hosts.
        scale: how many times faster than reality this world runs.
    """

    def __init__(self, draws: Draws, scale: float) -> None:
        self._draws = draws
        self._scale = scale
        self._by_id: dict[str, SimVolume] = {}

    def add(self, app: str, region: str, request: Mapping[str, Any], now: float) -> SimVolume:
        """Create a volume from a request that `read_volume` has let through."""
        draw = self._draws.of("volume", app, len(self._by_id))
        volume = SimVolume(
            id=f"vol_{draw.getrandbits(72):018x}",
            name=str(request["name"]),
            app=app,
            region=region,
            size_gb=int(request.get("size_gb") or DEFAULT_GB),
            host=f"{draw.getrandbits(16):04x}",
            created_at=now,
            made_with=dict(request),
        )
        self._by_id[volume.id] = volume
        return volume

    def listed(self, app: str, now: float) -> list[SimVolume]:
        """The volumes of an app, those included that were deleted a short while ago."""
        kept = PENDING_S / self._scale
        return [
            each
            for each in self._by_id.values()
            if each.app == app and (each.deleted_at is None or now - each.deleted_at < kept)
        ]

    def get(self, app: str, volume_id: str) -> SimVolume:
        """A volume that is not deleted.

        Raises:
            FlyRefusal: 404.
        """
        volume = self._by_id.get(volume_id)
        if volume is None or volume.app != app or volume.deleted_at is not None:
            raise no_such_volume()
        return volume

    def delete(self, volume: SimVolume, now: float) -> None:
        """Delete a volume that no Machine has.

        Raises:
            FlyRefusal: 412 while one has it.
        """
        if volume.machine_id:
            raise volume_attached(volume.machine_id)
        volume.deleted_at = now

    def wanted_by(self, app: str, config: Mapping[str, Any], candidates: tuple[str, ...]) -> list[SimVolume]:
        """The free volumes that a Machine's config mounts; all are in one of the candidate regions.

        Raises:
            FlyRefusal: 404 for one that is not there, 400 for one that cannot be had.
        """
        found = []
        for mount in config.get("mounts") or ():
            volume = self.get(app, str(mount.get("volume") or ""))
            if volume.machine_id:
                raise invalid(f"volume {volume.id} is attached to machine {volume.machine_id}")
            if volume.region not in candidates:
                raise invalid(f"volume {volume.id} is in region {volume.region}")
            found.append(volume)
        return found

    def release(self, machine_id: str) -> None:
        """Its Machine is destroyed: the volume stays and is free."""
        for volume in self._by_id.values():
            if volume.machine_id == machine_id:
                volume.machine_id = ""

    def live(self) -> Iterator[SimVolume]:
        """Every volume that is not deleted."""
        return (each for each in self._by_id.values() if each.deleted_at is None)


def read_volume(request: Mapping[str, Any]) -> None:
    """Whether a create is understood; unknown fields are ignored, as Fly does.

    Raises:
        FlyRefusal: 400 with what is wrong.
    """
    name = request.get("name")
    allowed = isinstance(name, str) and name and len(name) <= NAME_MOST
    if not allowed or not all(each in "abcdefghijklmnopqrstuvwxyz0123456789_" for each in str(name)):
        raise invalid("name: lower-case letters, numbers and underscores, 30 at most")
    size = request.get("size_gb") or DEFAULT_GB
    if not isinstance(size, int) or not SMALLEST_GB <= size <= LARGEST_GB:
        raise invalid(f"size_gb: must be {SMALLEST_GB} to {LARGEST_GB}")
    days = request.get("snapshot_retention") or SNAPSHOT_DAYS_DEFAULT
    if not isinstance(days, int) or not 1 <= days <= SNAPSHOT_DAYS_MOST:
        raise invalid(f"snapshot_retention: must be 1 to {SNAPSHOT_DAYS_MOST}")
