"""Readings: what the lists of Fly and GitHub said, and since when, kept between passes in memory.

Absence is evidence only in a series: a name that our rows had *before* the list was asked for, missing from
each reading since. So is presence without a row: that series begins anew with each reading that was asked
for while the name had one. A failed list adds nothing, and a reading older than a few periods is unknown
again. After a restart both series begin anew, which only makes the fleet slower to believe.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from runners.model.groups import ScopeSeen
from runners.model.snapshot import End, MachineReading, RunnerReading, SeenMachine, SeenRunner, VolumeReading

STALE_PERIODS = 4


class Readings:
    """The last reading of each app and of each scope.

    Args:
        machine_period: seconds between Machine lists.
        runner_period: seconds between runner lists.
    """

    def __init__(self, machine_period: float, runner_period: float) -> None:
        self._machine_stale = machine_period * STALE_PERIODS
        self._runner_stale = runner_period * STALE_PERIODS
        self._machines: dict[str, MachineReading] = {}
        self._runners: dict[str, RunnerReading] = {}
        self._scopes: dict[str, tuple[float, ScopeSeen]] = {}
        self._volumes: dict[str, VolumeReading] = {}

    def machines_read(
        self,
        app: str,
        at: float,
        expected: Collection[str],
        seen: Iterable[SeenMachine],
        ended: Mapping[str, End],
    ) -> None:
        """Take in one app's list.

        Args:
            app: whose.
            at: when the list was asked for.
            expected: names of the rows the app had before that.
            seen: what the list showed; ``first_seen_at`` is set here.
            ended: names that Fly, asked by id or name, said have ended.
        """
        old = self._machines.get(app)
        before = {} if old is None else old.machines
        kept, owned = {}, frozenset(expected)
        for each in seen:
            since = _alone_since(before.get(each.name), at, owned=each.name in owned)
            kept[each.name] = replace(each, first_seen_at=since)
        absent = _absent_since(old, at, expected, kept)
        self._machines[app] = MachineReading(at, kept, absent, dict(ended))

    def runners_read(
        self,
        scope: str,
        at: float,
        owned: frozenset[str],
        expected: Collection[str],
        seen: Iterable[SeenRunner],
    ) -> None:
        """Take in one scope's list.

        Args:
            scope: whose.
            at: when the list was asked for.
            owned: names of the live Runners the scope had before that.
            expected: those of them whose absence says something.
            seen: what the list showed; ``first_seen_at`` is set here.
        """
        old = self._runners.get(scope)
        before = {} if old is None else old.runners
        kept = {}
        for each in seen:
            since = _alone_since(before.get(each.name), at, owned=each.name in owned)
            kept[each.name] = replace(each, first_seen_at=since)
        self._runners[scope] = RunnerReading(at, kept, _absent_since(old, at, expected, kept))

    def scope_read(self, scope: str, at: float, seen: ScopeSeen) -> None:
        """Take in who may use a scope's runners; it stays until the next good reading, however old."""
        self._scopes[scope.lower()] = (at, seen)

    def scope_read_at(self, scope: str) -> float | None:
        """When that was last read, None before the first time."""
        read = self._scopes.get(scope.lower())
        return None if read is None else read[0]

    def scopes(self) -> dict[str, ScopeSeen]:
        """By scope in lower case, who may use its runners."""
        return {scope: seen for scope, (_, seen) in self._scopes.items()}

    def volumes_read(self, app: str, at: float, attached: Mapping[str, bool]) -> None:
        """Take in one app's list of volumes.

        Args:
            app: whose.
            at: when the list was asked for.
            attached: by id, whether a Machine has it.
        """
        old = self._volumes.get(app)
        before: Mapping[str, float] = {} if old is None else old.alone_since
        alone = {each: before.get(each, at) for each, held in attached.items() if not held}
        self._volumes[app] = VolumeReading(at, alone, len(attached) - len(alone))

    def had_volumes(self, app: str) -> bool:
        """Whether volumes were there when last listed; an app that was never asked may have some."""
        reading = self._volumes.get(app)
        return reading is None or bool(reading.alone_since) or reading.attached > 0

    def volumes(self, now: float) -> dict[str, VolumeReading | None]:
        """By app whose volumes were ever listed, its reading; None when it is not young enough any more."""
        return {
            app: reading if now - reading.at <= self._machine_stale else None
            for app, reading in self._volumes.items()
        }

    def fly(self, apps: Iterable[str], now: float) -> dict[str, MachineReading | None]:
        """By app, its reading; None when there is none that is young enough."""
        found: dict[str, MachineReading | None] = {}
        for app in apps:
            reading = self._machines.get(app)
            found[app] = reading if reading is not None and now - reading.at <= self._machine_stale else None
        return found

    def github(self, scopes: Iterable[str], now: float) -> dict[str, RunnerReading | None]:
        """By scope, as ``fly``."""
        found: dict[str, RunnerReading | None] = {}
        for scope in scopes:
            reading = self._runners.get(scope)
            found[scope] = reading if reading is not None and now - reading.at <= self._runner_stale else None
        return found


def _alone_since(before: SeenMachine | SeenRunner | None, at: float, *, owned: bool) -> float:
    """When the series of readings began that show a name without a row of ours."""
    return at if owned or before is None else before.first_seen_at


def _absent_since(
    old: MachineReading | RunnerReading | None, at: float, expected: Collection[str], seen: Collection[str]
) -> dict[str, float]:
    before: Mapping[str, float] = {} if old is None else old.absent_since
    return {name: before.get(name, at) for name in expected if name not in seen}
