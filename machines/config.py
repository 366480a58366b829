"""From a launch order to the body of Fly's create call: pure, so that it can be held to a golden file.

Whoever may read the app can read all of this back (Fly's list and get answer with it), so no secret is ever
in it: the registration is handed out later, to a Machine that proves who it is.
"""

import hashlib
import re

from fly.models import (
    CreateMachine,
    CreateVolume,
    Dns,
    Guest,
    MachineConfig,
    Mount,
    Process,
    Restart,
    Rootfs,
    StopConfig,
)
from machines.classes import Disk, MachineClass
from machines.nouns import LaunchOrder

FLEET_TAG = "fly_gha_fleet"
POOL_TAG = "fly_gha_pool"
CLASS_TAG = "fly_gha_class"

VOLUME_PATH = "/fly-gha-disk"
"""Where a volume is mounted; the image's entry script wipes it at every boot."""

_VOLUME_FLEET_LENGTH = 12
_VOLUME_HASH_LENGTH = 12


def volume_name(fleet: str) -> str:
    """Return the name of every volume of a fleet: ids tell them apart, the name tells whose they are.

    Fly's volume names have no dash and 30 characters at most, so the fleet's name alone would not do: what
    makes two fleets' names differ is the hash, what makes them readable is the rest.
    """
    readable = re.sub(r"[^a-z0-9]", "_", fleet)[:_VOLUME_FLEET_LENGTH]
    return f"fgha_{readable}_{hashlib.sha256(fleet.encode()).hexdigest()[:_VOLUME_HASH_LENGTH]}"


def build_volume(order: LaunchOrder, machine_class: MachineClass) -> CreateVolume:
    """Return the create call for the volume of one Machine: scratch space, so nothing backs it up."""
    return CreateVolume(
        name=volume_name(order.fleet),
        region=order.region,
        size_gb=machine_class.disk.size_gb,
        # The Machine must land on the volume's host: without the hint that may be one with no room for it.
        compute=_guest(machine_class),
        snapshot_retention=1,
        auto_backup_enabled=False,
    )


def build_create(
    order: LaunchOrder, machine_class: MachineClass, volume_id: str | None = None
) -> CreateMachine:
    """Return the whole create call for one Machine; ``volume_id`` is the volume it gets, if any."""
    return CreateMachine(
        name=order.name,
        region=order.region,
        config=build_config(order, machine_class, volume_id),
        skip_launch=not order.start,
        # For this call; the config's own ignore_app_secrets holds at every later start, too.
        skip_secrets=True,
    )


def build_config(
    order: LaunchOrder, machine_class: MachineClass, volume_id: str | None = None
) -> MachineConfig:
    """Return the Machine config: no secret, no service, no second life."""
    return MachineConfig(
        image=order.image,
        guest=_guest(machine_class),
        env={
            "FLY_GHA_URL": order.url,
            "FLY_GHA_CLAIM_DEADLINE_S": _seconds(order.claim_deadline_s),
            "FLY_GHA_CLOCK_SKEW_MAX_S": _seconds(order.clock_skew_max_s),
            "FLY_GHA_DISK": _disk(machine_class.disk),
        },
        metadata={FLEET_TAG: order.fleet, POOL_TAG: order.pool, CLASS_TAG: order.machine_class},
        # Without a policy Fly restarts what crashed; a Machine that had a registration must never run again.
        restart=Restart(policy="no"),
        # Acts on every exit, a crash included; a hung Machine is the planner's to destroy.
        auto_destroy=True,
        rootfs=Rootfs(size_gb=machine_class.rootfs_gb),
        # Fly's default signal is SIGINT, which shells and runners treat as somebody's Ctrl-C.
        stop_config=StopConfig(signal="SIGTERM", timeout=f"{machine_class.stop_timeout_s}s"),
        # All apps of a network can look each other up; nobody needs to find a Machine that runs foreign code.
        dns=Dns(skip_registration=True),
        # Job code has the run of this Machine: whatever secrets the app may hold are none of its business.
        # Fly injects them at every boot; only what is in the config is sure to be read again when a spare is
        # started days later.
        processes=(Process(ignore_app_secrets=True),),
        mounts=() if volume_id is None else (Mount(volume=volume_id, path=VOLUME_PATH),),
    )


def _guest(machine_class: MachineClass) -> Guest:
    return Guest(cpu_kind=machine_class.cpu_kind, cpus=machine_class.cpus, memory_mb=machine_class.memory_mb)


def _disk(disk: Disk) -> str:
    return f"{disk.kind}:{disk.size_mb}" if disk.size_mb else disk.kind


def _seconds(value: float) -> str:
    return f"{value:.12g}"
