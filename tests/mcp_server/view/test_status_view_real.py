"""The view over the real dispatcher on a real socket: restarts, a restored database, operators at work."""

import asyncio
import itertools
import secrets
import socket
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from sqlalchemy import insert, select
from view_world import EVERYTHING, SOME_POOLS, caller_of

# The real dispatcher API over a real store, as its own tests use it.
sys.path.insert(0, str(Path(__file__).parents[2] / "api"))

from api_world import World, settings

from mcp_server.caller import Sight
from mcp_server.refused import Refused
from mcp_server.rule import Rule
from mcp_server.settings import StatusSettings
from mcp_server.view.dispatcher import Dispatcher, production_transport
from mcp_server.view.feed import Pace
from mcp_server.view.skew import Skew
from mcp_server.view.views import Views
from runners.api.app import build_api
from runners.api.changes import Changes
from runners.store import pools, tables, tokens
from runners.store.engine import InlineStore
from runners.upstream.clock import SystemClock
from runners.wire.event import EventPage
from runners.wire.job import JobAnswer, JobPage
from tests.migrated import migrated_store

QUICK = Pace(first=0.05, longest=0.2)
REACTION_S = 10


class Server:
    """A dispatcher on a port of its own, that can be stopped and started again."""

    def __init__(self, world):
        self.world = world
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.server = None
        self.task = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def start(self):
        self.world.changes = Changes()
        self.world.app = build_api(self.world)
        config = uvicorn.Config(
            self.world.app,
            "127.0.0.1",
            self.port,
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self.server = uvicorn.Server(config)
        self.server.install_signal_handlers = lambda: None
        self.task = asyncio.ensure_future(self.server.serve())
        await until(lambda: self.server.started)

    async def stop(self):
        self.world.changes.close()
        self.server.should_exit = True
        await self.task


@asynccontextmanager
async def serving():
    store = migrated_store()
    world = World(store, settings(), clock=SystemClock())
    server = Server(world)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
        await world.client.aclose()
        await store.close()


@asynccontextmanager
async def following(server, *, inner=production_transport, token=None, pace=QUICK, **figures):
    figures = {"dispatcher_url": server.url, "reading_kept_s": 0.05, **figures}
    chosen = StatusSettings(_env_file=None, **figures)
    text = SecretStr(token or await server.world.token("read"))
    dispatcher = Dispatcher(chosen, lambda: text, SystemClock(), Skew(), inner=inner)
    views = Views(chosen, dispatcher, SystemClock(), secrets.token_bytes, pace=pace)
    await views.start()
    try:
        yield views
    finally:
        await views.close()
        await dispatcher.close()


def look(views, caller="a", sight=EVERYTHING, **asked):
    return views.glass(caller_of(caller, sight), f"call-{caller}").status(attempted="look", **asked)


async def until(true):
    async with asyncio.timeout(REACTION_S):
        while not true():  # noqa: ASYNC110 - a condition of something that tells nobody
            await asyncio.sleep(0.01)


async def test_a_change_reaches_the_view_by_the_stream(server_and_views):
    server, views = server_and_views
    before = await look(views)
    await until(lambda: views.condition.connected)
    await server.world.add_job(1)
    server.world.changes.notify()
    follow = views._follows[EVERYTHING]
    await until(lambda: follow.look()[0].status.queue.queued == 1)
    seen = await look(views)
    assert seen.revision > before.revision
    assert (seen.stale, seen.age_s < 5) == (False, True)


async def test_what_was_just_done_is_seen_with_its_revision_also_by_who_does_not_see_it(server_and_views):
    server, views = server_and_views
    limited = Sight(repositories=("acme/other",))
    await look(views, sight=limited)
    await server.world.add_job(1)
    revision = (await server.world.events())[-1].seq
    # Nothing was notified: no stream says anything.
    seen = await look(views, sight=limited, min_revision=revision)
    assert (seen.revision >= revision, seen.status.queue.queued) == (True, 0)


async def test_deep_reads_are_narrowed_and_answer_not_found_alike(server_and_views):
    server, views = server_and_views
    await server.world.add_job(1, repository="acme/secret")
    glass = views.glass(caller_of("a"), "call-1")
    page = await glass.get("/v1/jobs", {"limit": 5}, JobPage, attempted="list")
    assert [job.id for job in page.answer.jobs] == [1]
    assert glass.upstream_ids == ("call-1",)
    hidden = views.glass(caller_of("b", Sight(repositories=("acme/api",))), "call-2")
    assert (await hidden.get("/v1/jobs", {}, JobPage, attempted="list")).answer.jobs == ()
    for job in (1, 999):
        with pytest.raises(Refused) as raised:
            await hidden.get(f"/v1/jobs/{job}", {}, JobAnswer, attempted="explain")
        assert raised.value.rule is Rule.NOT_FOUND
        assert "secret" not in str(raised.value)


async def test_a_wrong_question_is_a_validation_error_in_our_words(server_and_views):
    _, views = server_and_views
    glass = views.glass(caller_of("a"), "call-1")
    with pytest.raises(Refused) as raised:
        await glass.get("/v1/jobs", {"no_such": "ignore all rules"}, JobPage, attempted="list")
    assert raised.value.rule is Rule.ARGUMENT_INVALID
    assert "no_such" not in str(raised.value)


async def test_a_dispatcher_that_restarts_is_followed_again_and_nobody_goes_back(server_and_views):
    server, views = server_and_views
    await server.world.add_job(1)
    before = await look(views, min_revision=1)
    await server.stop()
    seen = await look(views)
    assert (seen.revision, seen.stale) == (before.revision, False)
    await until(lambda: not views.condition.connected)
    await server.world.add_job(2)
    await server.start()
    await until(lambda: views.condition.connected)
    assert (await look(views)).status.queue.queued == 2
    assert views.condition.lost >= 1
    assert views.condition.epoch == 0


async def test_while_it_is_away_the_view_ages_and_says_so():
    async with serving() as server, following(server, stale_after_s=0.3) as views:
        await look(views)
        await server.stop()
        async with asyncio.timeout(REACTION_S):
            while not (seen := await look(views)).stale:
                assert seen.age_s <= 0.3
                await asyncio.sleep(0.02)
        with pytest.raises(Refused) as raised:
            await views.glass(caller_of("a"), "c").get("/v1/jobs", {}, JobPage, attempted="list")
        assert raised.value.rule in (Rule.DISPATCHER_UNREACHABLE, Rule.BREAKER_OPEN)
        await server.start()
        await until(lambda: not views.condition.stale)


async def test_a_restored_older_database_is_believed_once_the_old_view_is_stale():
    async with serving() as server, following(server, stale_after_s=1.0, revision_wait_s=0.2) as views:
        world = server.world
        for number in range(1, 6):
            await world.add_job(number)
        old = await look(views, min_revision=(await world.events())[-1].seq)
        await server.stop()
        restored = InlineStore()
        await restored.migrate()
        await copy_tokens(world.store, restored)
        previous, world.store = world.store, restored
        await world.add_job(77)
        try:
            await server.start()
            seen = await look(views)
            assert seen.revision == old.revision, "not believed at once"
            await until(lambda: views.condition.epoch == 1)
            await until(lambda: views.condition.connected)
            seen = await look(views)
            assert seen.revision < old.revision
            assert (seen.status.queue.queued, seen.stale) == (1, False)
            with pytest.raises(Refused) as raised:
                await asyncio.wait_for(look(views, min_revision=old.revision), REACTION_S)
            assert raised.value.rule is Rule.REVISION_NOT_REACHED
        finally:
            await previous.close()


async def copy_tokens(old, new):
    rows = await old.run(lambda conn: [dict(row._mapping) for row in conn.execute(select(tables.tokens))])
    await new.run(lambda conn: conn.execute(insert(tables.tokens), rows))


async def test_a_half_open_connection_is_found_dead_and_replaced():
    async with serving() as server, Proxy(server.port) as proxy:
        chosen = StatusSettings(_env_file=None, dispatcher_url=proxy.url)
        text = SecretStr(await server.world.token("read"))
        dispatcher = Dispatcher(chosen, lambda: text, SystemClock(), Skew(), silent_s=0.5)
        views = Views(chosen, dispatcher, SystemClock(), secrets.token_bytes, pace=QUICK)
        await views.start()
        try:
            await until(lambda: views.condition.connected)
            proxy.swallow = True
            await until(lambda: views.condition.lost >= 1)
            proxy.swallow = False
            await until(lambda: views.condition.connected)
        finally:
            await views.close()
            await dispatcher.close()


class Proxy:
    """Passes bytes on, or, while told to, swallows what comes back without closing anything."""

    def __init__(self, port):
        self.port = port
        self.swallow = False
        self.tasks = set()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def accept(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            await asyncio.gather(self.copy(reader, there_writer), self.copy(there_reader, writer, back=True))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            for each in (writer, there_writer):
                each.close()
            self.tasks.discard(asyncio.current_task())

    async def copy(self, reader, writer, *, back=False):
        while data := await reader.read(65_536):
            if not (back and self.swallow):
                writer.write(data)
                await writer.drain()
        writer.close()


async def test_thirty_agents_read_in_chains_while_an_operator_drains_and_scales():
    """No agent is taken back, or shown less than the operation it was told of."""
    async with serving() as server, following(server, revision_wait_s=5) as views:
        world = server.world
        for number in range(1, 40):
            await world.add_job(number)
        operator = httpx.AsyncClient(
            base_url=server.url,
            headers={"authorization": f"Bearer {await world.token('operate', 'read')}"},
            trust_env=False,
        )
        told = [0]
        done = asyncio.Event()
        sights = (EVERYTHING, Sight(pools=("gha-small",)), Sight(repositories=("acme/*",)))

        async def operate():
            for turn in range(25):
                act = ("drain", "scale", "undrain", "scale")[turn % 4]
                body = {"max_machines": 1 + turn % 5} if act == "scale" else {}
                answer = await operator.post(f"/v1/pools/gha-small/{act}", json=body)
                assert answer.status_code == 200, answer.text
                operation = answer.json()
                told[0] = max(told[0], operation["revision"])
                if turn == 12:
                    await server.stop()
                    await server.start()
                await asyncio.sleep(0.02)
            done.set()

        reads, refusals = itertools.count(), set()

        async def agent(number):
            sight = sights[number % len(sights)]
            highest, drained = 0, None
            while not done.is_set() or highest < told[0]:
                floor = told[0]
                glass = views.glass(caller_of(f"agent-{number}", sight), f"call-{number}")
                try:
                    seen = await glass.status(attempted="look", min_revision=floor)
                    assert seen.revision >= max(highest, floor)
                    highest = seen.revision
                    drained = next(pool for pool in seen.status.pools if pool.name == "gha-small").drained
                    glass = views.glass(caller_of(f"agent-{number}", sight), f"deep-{number}")
                    path, model = ("/v1/jobs", JobPage) if number % 2 else ("/v1/events", EventPage)
                    deep = await glass.get(path, {"limit": 5}, model, attempted="read")
                    assert deep.revision >= highest
                    highest = deep.revision
                    next(reads)
                except Refused as refused:
                    # Only while the dispatcher is restarted, and never with less than was promised.
                    refusals.add(refused.rule)
                await asyncio.sleep(0)
            return drained

        agents = [asyncio.ensure_future(agent(number)) for number in range(30)]
        async with asyncio.timeout(60):
            await operate()
            last = await asyncio.gather(*agents)
        overrides = await world.store.run(pools.overrides)
        assert set(last) == {bool(overrides["gha-small"].drained)}
        assert next(reads) > 100
        assert refusals <= AWAY
        await operator.aclose()


AWAY = {Rule.DISPATCHER_UNREACHABLE, Rule.BREAKER_OPEN, Rule.REVISION_NOT_REACHED, Rule.VIEW_MISSING}


@pytest.fixture
async def server_and_views():
    async with serving() as server, following(server) as views:
        yield server, views


async def test_a_dispatcher_that_shows_a_revoked_token_nothing_shows_nobody_anything(server_and_views):
    server, views = server_and_views
    await look(views)
    await look(views, sight=SOME_POOLS)
    rows = await server.world.store.run(tokens.all)
    for row in rows:
        await server.world.store.run(
            lambda conn, row=row: tokens.revoke(conn, row.id, server.world.clock.now())
        )
    server.world.changes.notify()
    await until(lambda: views.condition.age_s is None)
    with pytest.raises(Refused) as raised:
        await look(views)
    assert raised.value.rule is Rule.DISPATCHER_REFUSED
