"""From a launch order to the body of Fly's create call: pure, so that it can be held to a golden file.

Whoever may read the app can read all of this back (Fly's list and get answer with it), so no secret is ever
in it: the registration is handed out later, to a Machine that proves who it is.
"""

from fly.models import CreateMachine, Dns, Guest, MachineConfig, Process, Restart, Rootfs, StopConfig
from machines.classes import Disk, MachineClass
from machines.nouns import LaunchOrder

FLEET_TAG = "fly_gha_fleet"
POOL_TAG = "fly_gha_pool"
CLASS_TAG = "fly_gha_class"


def build_create(order: LaunchOrder, machine_class: MachineClass) -> CreateMachine:
    """Return the whole create call for one Machine."""
    return CreateMachine(
        name=order.name,
        region=order.region,
        config=build_config(order, machine_class),
        skip_launch=not order.start,
        # For this call; the config's own ignore_app_secrets holds at every later start, too.
        skip_secrets=True,
    )


def build_config(order: LaunchOrder, machine_class: MachineClass) -> MachineConfig:
    """Return the Machine config: no secret, no service, no second life."""
    return MachineConfig(
        image=order.image,
        guest=Guest(
            cpu_kind=machine_class.cpu_kind, cpus=machine_class.cpus, memory_mb=machine_class.memory_mb
        ),
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
    )


def _disk(disk: Disk) -> str:
    return f"{disk.kind}:{disk.size_mb}" if disk.size_mb else disk.kind


def _seconds(value: float) -> str:
    return f"{value:.12g}"
