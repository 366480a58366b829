"""A whole world in processes of its own, whose dispatcher may die and start again on the same database."""

import asyncio
import contextlib
import json
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from crash_burst import BURST, FAULTS
from crash_verdict import Journals, acknowledged, concluded, left, made, verdict

from runners.cli.demo.judge import Check
from runners.cli.demo.place import Place, prepare
from runners.cli.demo.processes import DemoBroken, Processes
from runners.cli.demo.worlds import Worlds

SCALE = 20.0
SEED = 11
LOOK_S = 0.25
READY_S = 30.0
DIES_S = 40.0
SETTLES_S = 60.0
TAIL_LINES = 40
DYING = Path(__file__).with_name("dying_dispatcher.py")
# A process does not start twenty times faster because the world runs so: its absence is not scaled.
ENVIRONMENT = {
    "FLY_GHA_TIMING__CLAIM_GRACE": "60",
    "FLY_GHA_TIMING__ONLINE_DEADLINE": "20",
    # What is waited for longest in every burst.
    "FLY_GHA_TIMING__BOOT_DEADLINE": "7",
}
# One installation token for the organization, one registration token for its scope.
PUBLISHED_TOKENS = 2
WRITTEN = ("secret_created", "secret_written")
OPEN_ROWS = (
    "select count(*) from jobs where state != 'completed'",
    "select count(*) from machines where state != 'gone'",
    "select count(*) from runners where state != 'gone'",
)
OPEN_TARGETS = (
    "select 'job/' || id from jobs where state != 'completed'",
    "select 'machine/' || name from machines where state != 'gone'",
    "select 'runner/' || name from runners where state != 'gone'",
)
EVENTS = "select seq, at, actor, verb, reason, outcome, detail from events where target = ? order by seq"


@dataclass
class CrashWorld:
    """Simulators, publisher and a dispatcher that comes and goes.

    Attributes:
        lives: how many dispatchers were started so far.
        queued: job ids by name.
    """

    place: Place
    processes: Processes
    worlds: Worlds
    lives: int = 0
    queued: dict[str, int] = field(default_factory=dict)

    async def start_mortal(self, point: str, times: int, *, only: str = "", delay_us: int = 0) -> "Life":
        """Start a dispatcher that dies at the N-th time it reaches the point (in effects named so)."""
        mark = self.place.folder / f"mark-{self.lives + 1}"
        place = ["--config", str(self.place.fleet), "--mark", str(mark)]
        when = ["--at", point, "--only", only, "--times", str(times), "--delay-us", str(delay_us)]
        name = await self._start([str(DYING), *place, *when])
        return Life(self, name, mark)

    async def start_normal(self) -> "Life":
        """Start the product as its users do."""
        name = await self._start(["-m", "runners.cli", "serve", "--config", str(self.place.fleet)])
        return Life(self, name, Path())

    async def queue_burst(self) -> None:
        """Arm the faults and queue every job of the burst at once."""
        for fault in FAULTS:
            await self.worlds.arm(fault)
        self.queued = await self.worlds.queue(BURST, self.place.scale)

    async def journals(self) -> Journals:
        return await self.worlds.journals()

    async def assert_died_in_mid_burst(self) -> None:
        """It died while there was work to do, and its file has all that it ever acknowledged."""
        journals = await self.journals()
        assert set(self.queued.values()) - concluded(journals), "the burst was over already"
        assert self.rows("pragma integrity_check") == [("ok",)]
        forgotten = acknowledged(journals) - {row[0] for row in self.rows("select id from jobs")}
        assert not forgotten, f"answered 202 and not in the store: {forgotten}"

    async def assert_ends_clean(self) -> None:
        """Wait until nothing is left on either side and in our rows, or fail with all there is to know."""
        deadline = time.monotonic() + SETTLES_S
        while True:
            journals = await self.journals()
            checks = verdict(journals, self.queued, await self.worlds.unfired())
            open_rows = self.open_rows()
            if all(check.ok for check in checks) and not any(open_rows.values()):
                break
            if time.monotonic() > deadline or _is_beyond_repair(checks):
                pytest.fail(self._report(journals, checks, open_rows), pytrace=False)
            self._check_alive()
            await asyncio.sleep(LOOK_S)
        self._assert_books_agree(journals)

    def open_rows(self) -> dict[str, int]:
        """How many rows of each table are not at their end."""
        return {query.split()[3]: self.rows(query)[0][0] for query in OPEN_ROWS}

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the dispatcher's database says, whether one runs or not."""
        with contextlib.closing(sqlite3.connect(self.place.folder / "fleet.db", timeout=10)) as database:
            return database.execute(query, values).fetchall()

    def log_tails(self) -> str:
        """The last lines of every dispatcher's log."""
        parts = []
        for number in range(1, self.lives + 1):
            text = self.processes.log(f"dispatcher-{number}").read_text(encoding="utf-8", errors="replace")
            parts += [f"--- dispatcher {number} of {self.lives}", *text.splitlines()[-TAIL_LINES:]]
        return "\n".join(parts)

    async def _start(self, arguments: list[str]) -> str:
        self.lives += 1
        name = f"dispatcher-{self.lives}"
        await self.processes._start(name, arguments, ENVIRONMENT)
        return name

    def _assert_books_agree(self, journals: Journals) -> None:
        """Our rows tell the same story: every Machine at Fly is known to us, and no job is called lost."""
        assert made(journals).items() <= dict(self.rows("select name, fly_id from machines")).items()
        assert self.rows("select id, lost from jobs where lost is not null") == []

    def _check_alive(self) -> None:
        try:
            self.processes.check()
        except DemoBroken as error:
            pytest.fail(f"{error}\n{self.log_tails()}", pytrace=False)

    def _report(self, journals: Journals, checks: tuple[Check, ...], open_rows: Mapping[str, int]) -> str:
        lines = [f"failed: {check.name}: {check.says}" for check in checks if not check.ok]
        lines.append(f"rows not at their end: {open_rows}")
        targets = {row[0] for query in OPEN_TARGETS for row in self.rows(query)}
        for target in sorted({*left(journals, self.queued), *targets}):
            lines.append(f"--- events of {target}")
            lines += [" ".join(str(value) for value in row) for row in self.rows(EVENTS, target)]
        return "\n".join([*lines, self.log_tails()])


@dataclass
class Life:
    """One dispatcher's process, from its start to its death."""

    world: CrashWorld
    name: str
    mark: Path

    async def ready(self) -> None:
        """Wait until the tokens are published, and it has its credentials and has planned once."""
        await _published(self.world.processes, self.world.worlds)
        async with asyncio.timeout(READY_S), httpx.AsyncClient(trust_env=False) as http:
            while True:
                self.world._check_alive()
                with contextlib.suppress(httpx.TransportError):
                    if (await http.get(f"{self.world.place.url}/readyz")).is_success:
                        return
                await asyncio.sleep(LOOK_S)

    async def death(self) -> dict[str, Any]:
        """Wait until it has killed itself; what its mark says."""
        process = self.world.processes.running[self.name]
        try:
            async with asyncio.timeout(DIES_S):
                code = await process.wait()
        except TimeoutError:
            pytest.fail(f"{self.name} never died:\n{self.world.log_tails()}", pytrace=False)
        del self.world.processes.running[self.name]
        assert code == -signal.SIGKILL, f"{self.name} ended with {code}:\n{self.world.log_tails()}"
        return dict(json.loads(self.mark.read_text()))


@contextlib.asynccontextmanager
async def crash_world(folder: Path) -> AsyncIterator[CrashWorld]:
    """Simulators up, the publisher on its way, no dispatcher yet."""
    place = prepare(folder, seed=SEED, scale=SCALE)
    async with Processes(place) as processes:
        await processes.start_simulators()
        worlds = Worlds(processes.urls)
        try:
            publisher = {**ENVIRONMENT, "FLY_GHA_FLEET__SECRETS_FILE": str(place.publisher_secrets)}
            arguments = ["-m", "runners.cli", "tokens", "publish", "--config", str(place.fleet)]
            await processes._start("publisher", arguments, publisher)
            yield CrashWorld(place, processes, worlds)
        finally:
            await worlds.close()


async def _published(processes: Processes, worlds: Worlds) -> None:
    """Wait until every token is in Infisical."""
    async with asyncio.timeout(READY_S):
        while True:
            processes.check()
            entries = (await worlds.journals())["infisical"]
            written = {entry["name"] for entry in entries if entry["kind"] in WRITTEN}
            if len(written) >= PUBLISHED_TOKENS:
                return
            await asyncio.sleep(LOOK_S)


def _is_beyond_repair(checks: tuple[Check, ...]) -> bool:
    """What has gone wrong in a way that waiting cannot mend."""
    final = ("ran_once", "no_busy_machine_ended", "removed_by_us", "caps_held", "limits_not_hit")
    return any(not check.ok for check in checks if check.name in final)
