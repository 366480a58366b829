"""The volumes of one app, read with its Machines where the fleet may have any: one more list call.

Apps are asked whose pools have a class with volumes and, as long as any is left, those that had some when
they were last asked: a class that no longer has one leaves what it made. So each is asked once after a start.
"""

from collections.abc import Collection

from machines.provider import Found
from runners.control.world import World
from runners.secrets.interface import CredentialMissing
from runners.upstream.errors import UpstreamError


async def read_volumes(world: World, app: str, machines: Collection[Found]) -> None:
    """Read an app's volumes, if it may have any.

    Args:
        world: what this dispatcher is made of.
        app: whose.
        machines: its Machines that have not ended, as just listed: what one of them mounts is not alone.

    Raises:
        UpstreamError, CredentialMissing: they are unknown, and some are expected.
    """
    mounted = {volume for machine in machines for volume in machine.volumes}
    expected = bool(mounted) or any(
        app in pool.apps and world.provider.has_volume(pool.class_name) for pool in world.settings.pools
    )
    if not expected and not world.readings.had_volumes(app):
        return
    at = world.clock.now()
    try:
        volumes = await world.provider.volumes.list(app, world.settings.fleet.name)
    except (UpstreamError, CredentialMissing):
        if expected:
            raise
        return
    attached = {each.volume_id: each.attached or each.volume_id in mounted for each in volumes}
    world.readings.volumes_read(app, at, attached)
