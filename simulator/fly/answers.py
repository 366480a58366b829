"""FlySim's nouns in the shapes of specs/fly-machines-openapi.json; deviations.toml lists what differs."""

from datetime import UTC, datetime
from typing import Any

from simulator.fly.machine import Event, SimMachine
from simulator.fly.oidc import image_digest, image_name
from simulator.fly.registry import Registry

REGISTRY = "registry-1.docker.io"
# What is left of a configuration whose host cannot be asked: not its metadata.
INCOMPLETE_KEYS = ("image", "guest")


def machine_json(
    machine: SimMachine, now: float, *, summary: bool = False, lagging: bool = False
) -> dict[str, Any]:
    """A Machine as the API shows it.

    Args:
        machine: the Machine.
        now: Unix seconds.
        summary: leave out config, checks, events and host_status, as `?summary=true` does.
        lagging: shown by the list, which still shows an ended Machine's last state for a while.
    """
    late = lagging and machine.hidden_from is not None and now < machine.hidden_from
    shown: dict[str, Any] = {
        "id": machine.id,
        "name": machine.name,
        "state": machine.state_before_end if late else machine.state,
        "region": machine.region,
        "instance_id": machine.instance_id,
        "private_ip": machine.private_ip,
        "image_ref": image_ref(machine.image),
        "created_at": moment(machine.created_at),
        "updated_at": moment(machine.updated_at),
    }
    if summary:
        return shown
    shown["events"] = [event_json(event) for event in reversed(machine.events)]
    shown["checks"] = []
    shown["host_status"] = machine.host_status
    if machine.host_status == "ok":
        shown["config"] = machine.config
    else:
        shown["incomplete_config"] = {
            key: machine.config[key] for key in INCOMPLETE_KEYS if key in machine.config
        }
    return shown


def world_json(registry: Registry) -> dict[str, Any]:
    """The live Machines as they are, for the control route: the truth, not what a lagging list says."""
    live = list(registry.live())
    return {
        "live": len(live),
        "created_ever": len(registry),
        "machines": [
            {
                "id": machine.id,
                "name": machine.name,
                "app": machine.app,
                "region": machine.region,
                "pool": machine.pool,
                "state": machine.state,
                "host_status": machine.host_status,
                "body_running": machine.body_running,
            }
            for machine in live
        ],
    }


def event_json(event: Event) -> dict[str, Any]:
    """One event; its timestamp is in milliseconds."""
    return {
        "id": event.id,
        "type": event.type,
        "status": event.status,
        "source": event.source,
        "timestamp": int(event.at * 1000),
        "request": event.request,
    }


def image_ref(image: str) -> dict[str, Any]:
    """An image reference in its parts."""
    path, _, tag = image_name(image).rpartition(":")
    if not path or "/" in tag:
        path, tag = image_name(image), "latest"
    first, _, rest = path.partition("/")
    has_registry = bool(rest) and ("." in first or ":" in first)
    return {
        "registry": first if has_registry else REGISTRY,
        "repository": rest if has_registry else path,
        "tag": tag,
        "digest": image_digest(image),
        "labels": {},
    }


def moment(at: float) -> str:
    """RFC 3339 in UTC, to the second."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
