"""Volumes: the scratch disks that the Machines of some classes get, one each.

A volume outlives its Machine, and volumes have no name of their own by which a lost create could be found: so
none is remembered. What a fleet has is what Fly lists under the fleet's name; what no Machine has is swept.
"""

from contextlib import suppress

from fly.client import FlyClient
from fly.errors import FlyError, FlyNotFound
from fly.models import Volume
from machines.classes import MachineClass
from machines.config import build_volume, volume_name
from machines.meanings import as_upstream_error, in_our_words
from machines.nouns import FoundVolume, LaunchOrder
from runners.upstream.clock import Clock

# States of a volume that was deleted (Fly's documentation); it costs nothing any more.
ENDING = frozenset({"scheduling_destroy", "pending_destroy", "destroyed"})


class Volumes:
    """Volumes at Fly.

    Args:
        fly: sends.
        clock: what relative waits in Fly's answers count from.
    """

    def __init__(self, fly: FlyClient, clock: Clock) -> None:
        self._fly = fly
        self._clock = clock

    async def create_for(self, order: LaunchOrder, machine_class: MachineClass) -> str | None:
        """Create the volume that the order's Machine is to have, and return its id; None for another disk.

        Raises:
            UpstreamError: it was not created, or nobody can say. Either way the launch was refused: the
                Machine was not even asked for, and a volume that is there after all is the sweep's.
        """
        if machine_class.disk.kind != "volume":
            return None
        with in_our_words(self._clock, mutating=False):
            return (await self._fly.create_volume(order.app, build_volume(order, machine_class))).id

    async def discard(self, app: str, volume_id: str, error: FlyError) -> None:
        """After its Machine's create has failed: delete the volume if that Machine is surely not there.

        Where this is in doubt, or fails, the sweep decides.
        """
        if as_upstream_error(error, now=self._clock.now(), mutating=True).answered:
            with suppress(FlyError):
                await self._fly.delete_volume(app, volume_id)

    async def list(self, app: str, fleet: str) -> tuple[FoundVolume, ...]:
        """Return the volumes of a fleet in an app that are not being destroyed.

        Raises:
            UpstreamError: the list is unknown; nothing may be concluded about any volume.
        """
        with in_our_words(self._clock, mutating=False):
            volumes = await self._fly.list_volumes(app)
        ours = volume_name(fleet)
        return tuple(
            FoundVolume(each.id, app, each.region, each.size_gb, attached=_may_be_attached(each))
            for each in volumes
            if each.name == ours and each.state not in ENDING
        )

    async def delete(self, app: str, volume_id: str) -> None:
        """Delete a volume that no Machine has. One that is not there is deleted already.

        Raises:
            UpstreamError: it may still be there.
        """
        with in_our_words(self._clock, mutating=True):
            try:
                await self._fly.delete_volume(app, volume_id)
            except FlyNotFound:
                return


def _may_be_attached(volume: Volume) -> bool:
    attached = volume.attached_machine_id or volume.attached_alloc_id
    return bool(attached) or volume.host_status not in {None, "ok"}
