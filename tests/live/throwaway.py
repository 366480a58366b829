"""Machines and registrations that a live test makes: marked as its own, small, and swept when left over."""

import re
from dataclasses import replace
from datetime import datetime

from fly.client import FlyClient
from fly.errors import FlyNotFound
from fly.models import CreateMachine, Machine
from machines.classes import Disk, MachineClass, load_classes
from machines.config import FLEET_TAG, build_create
from machines.nouns import LaunchOrder
from runners.github.registrations import Removal

OWNER = "fly-gha-live"
"""The owner tag of Machines, and how the names of all that is made begin."""
LEFT_OVER_S = 900.0
"""Older than any test lets anything live; what is younger may be another run's."""
CLAIM_DEADLINE_S = 3.0
NOBODY = "http://127.0.0.1:9"


def tiny() -> MachineClass:
    """The cheapest guest that boots the runner image, on its root disk."""
    small = load_classes()["gha-small"]
    return replace(
        small, name="live-tiny", cpu_kind="shared", cpus=1, memory_mb=512, disk=Disk("root"), stop_timeout_s=5
    )


def tiny_create(name: str, app: str, region: str, image: str, *, start: bool) -> CreateMachine:
    """The create call for one of them; its agent finds no dispatcher and gives up in seconds."""
    order = LaunchOrder(
        name=name,
        app=app,
        region=region,
        pool="live",
        machine_class="live-tiny",
        image=image,
        fleet=OWNER,
        url=NOBODY,
        start=start,
        claim_deadline_s=CLAIM_DEADLINE_S,
        clock_skew_max_s=300.0,
    )
    return build_create(order, tiny())


def leaves(value, where=""):
    """Every value with its place."""
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(each, f"{where}.{key}")
    else:
        yield where, _nanoseconds(value)


def _nanoseconds(value):
    """Fly takes a duration as text and may show it as a number, which is the same."""
    seconds = re.fullmatch(r"(\d+)s", value) if isinstance(value, str) else None
    return int(seconds[1]) * 1_000_000_000 if seconds else value


def not_kept(sent, kept):
    """What was sent and did not come back as it was."""
    back = dict(leaves(kept))
    return {where: (value, back.get(where)) for where, value in leaves(sent) if back.get(where) != value}


async def sweep_machines(fly: FlyClient, app: str, now: float) -> list[str]:
    """Destroy what an earlier run left; returns the names."""
    left = [each for each in await fly.list_machines(app) if _ours(each) and _age(each, now) > LEFT_OVER_S]
    for each in left:
        await gone(fly, app, each.id)
    return [each.name for each in left]


async def gone(fly: FlyClient, app: str, machine_id: str) -> None:
    """Destroy it, whatever it does; one that is not there is gone already."""
    try:
        await fly.destroy_machine(app, machine_id)
    except FlyNotFound:
        return


async def sweep_registrations(github, scope: str) -> list[str]:
    """Remove registrations that an earlier run left: none of them was ever online."""
    swept = []
    for each in await github.list_runners(scope):
        ours = each.name.startswith(f"{OWNER}-") and not each.online and not each.busy
        if ours and await github.delete_runner(scope, each.github_id) is Removal.DELETED:
            swept.append(each.name)
    return swept


def _ours(machine: Machine) -> bool:
    return machine.config is not None and (machine.config.metadata or {}).get(FLEET_TAG) == OWNER


def _age(machine: Machine, now: float) -> float:
    try:
        return now - datetime.fromisoformat(machine.created_at).timestamp()
    except ValueError:
        return 0.0
