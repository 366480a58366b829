"""FleetStatus from one Reading, and its fingerprint: what an ETag and a stream compare."""

import hashlib
from collections.abc import Iterator, Sequence

from runners.api.pool_views import Scene, counts, held_views, money, pool_views, queue_summary, scene
from runners.api.port import FleetPort
from runners.api.reading import Reading
from runners.api.sight import Sight
from runners.control.loop import LoopHealth
from runners.model.states import MachineState, RunnerState
from runners.secrets.names import installation_token_name, registration_token_name
from runners.wire.status import FleetStatus, LoopView, UpstreamView
from runners.wire.times import maybe_rfc3339, rfc3339

# A loop is late when its last good pass is older than this many periods, and never before a quarter minute.
LATE_PERIODS = 3
LATE_AT_LEAST_S = 15.0
FINGERPRINT_HEX = 16
FLY = "FLY_API_TOKEN"


def fleet_status(port: FleetPort, reading: Reading, sight: Sight) -> FleetStatus:
    """The fleet at one Reading, as ``sight`` sees it."""
    settings = port.settings
    latest = port.latest
    view = scene(settings, reading, latest, sight)
    paused = settings.fleet.paused if reading.paused is None else reading.paused
    return FleetStatus(
        fleet=settings.fleet.name,
        revision=reading.revision,
        as_of=rfc3339(reading.at),
        planned_at=None if latest is None else rfc3339(latest.snapshot.now),
        paused=paused,
        max_machines=settings.fleet.max_machines,
        budget=money(settings.fleet.daily_budget_usd, _spent(view)),
        queue=queue_summary(view.jobs),
        machines=counts(view.machines, MachineState),
        runners=counts(view.runners, RunnerState),
        pools=pool_views(view),
        held=held_views(view),
        upstreams=tuple(_upstreams(port, view)),
        loops=tuple(loop_view(each, port.clock.now(), whole=sight.everything) for each in port.loops()),
    )


def fingerprint(status: FleetStatus) -> str:
    """``REVISION-HASH``, equal when two statuses say the same: when they were made does not count.

    The hash alone leaves the revision out: equal hashes mean that nothing a reader sees has changed.
    """
    body = status.model_dump_json(
        exclude={
            "revision": True,
            "as_of": True,
            "planned_at": True,
            "loops": {"__all__": {"last_pass_at"}},
        }
    )
    return f"{status.revision}-{hashlib.sha256(body.encode()).hexdigest()[:FINGERPRINT_HEX]}"


def loop_view(health: LoopHealth, now: float, *, whole: bool) -> LoopView:
    """One loop's health in words; without ``whole`` not its last error, which may name anything."""
    if health.last_error:
        state = "failing"
    elif health.last_pass_at is None:
        state = "starting"
    else:
        state = "late" if is_late(health, now) else "ok"
    return LoopView.model_validate(
        {
            "name": health.name,
            "state": state,
            "period_s": health.period,
            "last_pass_at": maybe_rfc3339(health.last_pass_at),
            "failures": health.failures,
            "last_error": _first_line(health.last_error) if whole else "",
        }
    )


def is_late(health: LoopHealth, now: float) -> bool:
    """Whether its last good pass is too long ago, or never was."""
    if health.last_pass_at is None:
        return True
    return now - health.last_pass_at > max(LATE_PERIODS * health.period, LATE_AT_LEAST_S)


def _spent(view: Scene) -> float:
    """Of the pools that may be seen."""
    if view.latest is None:
        return 0.0
    names = {pool.name for pool in view.pools}
    return sum(pool.spent_today_usd for pool in view.latest.snapshot.pools if pool.name in names)


def _upstreams(port: FleetPort, view: Scene) -> Iterator[UpstreamView]:
    now = view.reading.at
    blocked = port.blocked()
    missing = port.missing_credentials()
    ageing = _ageing(port, view)
    for key in _keys(view):
        until = blocked.get(key)
        yield UpstreamView(
            key=key,
            blocked_until=None if until is None or until <= now else rfc3339(until),
            credential_missing=missing.get(key, missing.get(key.partition(":")[0])),
            credential_ageing=ageing.get(key),
        )


def _ageing(port: FleetPort, view: Scene) -> dict[str, str]:
    """By upstream key, a credential of one of its visible pools that was not replaced in time."""
    late = port.ageing_credentials()
    found: dict[str, str] = {}
    for pool in view.pools:
        for name in (registration_token_name(pool.scope), installation_token_name(pool.owner)):
            if name in late:
                found[f"github:{pool.owner}"] = name
        if FLY in late:
            found.update({f"fly:{app}": FLY for app in pool.apps})
    return found


def _keys(view: Scene) -> Sequence[str]:
    """The upstreams that the visible pools depend on."""
    apps = {f"fly:{app}" for pool in view.pools for app in pool.apps}
    owners = {f"github:{pool.owner}" for pool in view.pools}
    return (*sorted(apps), *sorted(owners))


def _first_line(text: str) -> str:
    return next(iter(text.splitlines()), "")[:300]
