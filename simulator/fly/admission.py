"""Whether a create is understood, and where its Machine may go, by the specification and by recordings."""

import re
from collections.abc import Mapping
from typing import Any

from simulator.fly.chronicle import Chronicle
from simulator.fly.refusals import bad_cpu_kind, invalid, region_full
from simulator.fly.registry import Registry

REGIONS = (
    *("iad", "ams", "arn", "bom", "cdg", "dfw", "ewr", "fra", "gru", "jnb", "lax", "lhr", "nrt", "ord"),
    *("sin", "sjc", "syd", "yyz"),
)
GROUPS: Mapping[str, tuple[str, ...]] = {
    "any": REGIONS,
    "us": ("iad", "dfw", "ewr", "lax", "ord", "sjc"),
    "usa": ("iad", "dfw", "ewr", "lax", "ord", "sjc"),
    "na": ("iad", "dfw", "ewr", "lax", "ord", "sjc", "yyz"),
    "eu": ("ams", "arn", "cdg", "fra", "lhr"),
    "sa": ("gru",),
    "apac": ("bom", "nrt", "sin", "syd"),
}
# RAM per vCPU in MB: (least, most) by kind of CPU.
MEMORY_PER_CPU: Mapping[str, tuple[int, int]] = {"shared": (256, 2048), "performance": (2048, 8192)}
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
UNITS: Mapping[str, float] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
NANOSECOND = 1e-9


def read_create(request: Mapping[str, Any]) -> tuple[str, dict[str, Any], tuple[str, ...], bool]:
    """Read a create request into (name, config, candidate regions, skip_launch).

    Unknown fields are kept and ignored, as Fly does; only what would keep a Machine from booting is refused.

    Raises:
        FlyRefusal: 400 or 422 with what is wrong.
    """
    config = request.get("config")
    if not isinstance(config, dict):
        raise invalid("config is required")
    if not isinstance(config.get("image"), str) or not config["image"]:
        raise invalid("config.image is required")
    name = request.get("name") or ""
    if not isinstance(name, str):
        raise invalid("name must be a string")
    _check_guest(config.get("guest"))
    for key in ("restart", "stop_config"):
        if not isinstance(config.get(key) or {}, dict):
            raise invalid(f"config.{key} must be an object")
    for key in ("env", "metadata"):
        _check_text_map(key, config.get(key))
    return name, config, regions(str(request.get("region") or "")), bool(request.get("skip_launch"))


def place(
    candidates: tuple[str, ...],
    registry: Registry,
    capacity: Mapping[str, int],
    chronicle: Chronicle,
    about: Mapping[str, str],
) -> str:
    """Choose the first candidate region with room.

    Args:
        candidates: region codes in order of preference.
        registry: counts the Machines that run or start in a region.
        capacity: most Machines a region holds; a region that is not named has room.
        chronicle: fires `no_capacity` (match `region`, `app`, `pool` or `name`).
        about: app, name and pool of the request.

    Raises:
        FlyRefusal: 422 insufficient_capacity when none has room.
    """
    for region in candidates:
        if chronicle.fire_on_request("no_capacity", region=region, **about):
            continue
        held = sum(1 for m in registry.live() if m.region == region and m.holds_room)
        if held < capacity.get(region, held + 1):
            return region
    raise region_full()


def seconds(duration: object, default: float) -> float:
    """Read a duration: a string with unit ("30s") or an integer in nanoseconds; Fly takes both.

    Raises:
        FlyRefusal: 400 when it is neither.
    """
    if duration is None:
        return default
    if isinstance(duration, int) and not isinstance(duration, bool):
        return duration * NANOSECOND
    found = DURATION.fullmatch(duration) if isinstance(duration, str) else None
    if found is None:
        raise invalid(f"duration {duration!r} cannot be read")
    return float(found[1]) * UNITS[found[2] or "s"]


def regions(expression: str) -> tuple[str, ...]:
    """The region codes that an expression names, in order; without one, the nearest.

    Raises:
        FlyRefusal: 400 for a region that there is not.
    """
    if not expression:
        return REGIONS[:1]
    chosen: list[str] = []
    for word in expression.split(","):
        code = word.strip()
        group = GROUPS.get(code, (code,) if code in REGIONS else ())
        if not group:
            raise invalid(f"region {code!r} not found")
        chosen.extend(region for region in group if region not in chosen)
    return tuple(chosen)


def _check_guest(guest: object) -> None:
    if guest is None:
        return
    if not isinstance(guest, dict):
        raise invalid("config.guest must be an object")
    limits = MEMORY_PER_CPU.get(str(guest.get("cpu_kind", "shared")))
    if limits is None:
        raise bad_cpu_kind()
    cpus, memory = guest.get("cpus", 1), guest.get("memory_mb", limits[0])
    if not isinstance(cpus, int) or not isinstance(memory, int):
        raise invalid("config.guest.cpus and config.guest.memory_mb must be integers")
    if not limits[0] * cpus <= memory <= limits[1] * cpus:
        raise invalid(
            f"memory_mb {memory} is outside [{limits[0] * cpus}, {limits[1] * cpus}] for {cpus} cpus"
        )


def _check_text_map(key: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise invalid(f"config.{key} must map names to strings")
