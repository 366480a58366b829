"""A dispatcher on a real socket that answers as a test wants it to, and the whole service in front of it."""

import asyncio
import contextlib
import json
from collections import Counter

import httpx
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from status_world import a_token, served, status_served

from mcp_server.settings import StatusSettings
from runners.upstream.clock import SystemClock
from runners.wire.pool import Budget, PoolView, QueueSummary, Spares
from runners.wire.status import FleetStatus
from runners.wire.times import rfc3339

TOKEN = "fgr_aaaaaaaa_" + "b" * 43


class FrozenClock:
    """Stands until it is moved; sleeping takes real time."""

    def __init__(self):
        self.at = round(SystemClock().now())

    def now(self):
        return self.at

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)


class FakeDispatcher:
    """Counts what it is asked; ``manners`` names, by path, what answers instead of the usual."""

    def __init__(self, clock):
        self.clock = clock
        self.asked = Counter()
        self.manners = {}
        self.labels = ("fly-gha-small",)
        routes = [Route("/{path:path}", self._answer)]
        self.app = Starlette(routes=routes)

    async def _answer(self, request):
        path = request.url.path
        self.asked[path] += 1
        if path in self.manners:
            return await self.manners[path](request)
        return self.usual(path)

    def usual(self, path):
        dated = {"revision": 9, "as_of": rfc3339(self.clock.now())}
        if path == "/v1/status":
            return JSONResponse(json.loads(self.status().model_dump_json()))
        if path == "/readyz":
            return JSONResponse({"ready": True, "not_ready": [], "checks": [], "as_of": dated["as_of"]})
        lists = {"/v1/jobs": "jobs", "/v1/runners": "runners", "/v1/events": "events"}
        if path in lists:
            return JSONResponse({**dated, lists[path]: []})
        return Response(status_code=404)

    def status(self):
        queue = QueueSummary()
        pool = PoolView(
            name="gha-small",
            labels=self.labels,
            scope="acme",
            machine_class="gha-small",
            registration="jit",
            apps=("app",),
            regions=("ams",),
            allow_public=False,
            fallback=None,
            drained=False,
            overrides=(),
            max_machines=9,
            live_machines=0,
            room=9,
            machines={},
            runners={},
            spares=Spares(stopped_wanted=0, stopped=0, ready_wanted=0, ready=0),
            queue=queue,
            budget=Budget(daily_usd=None, spent_today_usd=0.0, left_usd=None),
            usd_per_hour=0.1,
            held=(),
        )
        return FleetStatus(
            fleet="acme",
            revision=9,
            as_of=rfc3339(self.clock.now()),
            planned_at=rfc3339(self.clock.now()),
            paused=False,
            max_machines=9,
            budget=Budget(daily_usd=None, spent_today_usd=0.0, left_usd=None),
            queue=queue,
            machines={},
            runners={},
            pools=(pool,),
            held=(),
            upstreams=(),
            loops=(),
        )


class Agent:
    """Asks over HTTP, as anybody could."""

    def __init__(self, http, url, token):
        self._http = http
        self._url = f"{url}/mcp"
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json, text/event-stream",
        }

    async def send(self, method, params):
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = await self._http.post(self._url, json=body, headers=self._headers)
        return answer.json()

    async def call(self, tool, **arguments):
        """The rule that refused the call, "" for an answer, and when to come back."""
        said = await self.send("tools/call", {"name": tool, "arguments": arguments})
        found = json.loads(said["result"]["content"][0]["text"])
        error = found.get("error", {}) if said["result"].get("isError") else {}
        return error.get("rule", ""), error.get("retry_after_s")


class FakeWorld:
    """Everything, running."""

    def __init__(self, fleet, clock, service, url, chosen, http):
        self.fleet = fleet
        self.clock = clock
        self.service = service
        self.url = url
        self.http = http
        self._chosen = chosen

    def agent(self, **fields):
        return Agent(self.http, self.url, a_token(self._chosen.tokens_file, **fields))


@contextlib.asynccontextmanager
async def fake_world(directory, **figures):
    clock = FrozenClock()
    fleet = FakeDispatcher(clock)
    async with served(fleet.app) as dispatcher_url:
        chosen = StatusSettings(
            dispatcher_url=dispatcher_url,
            tokens_file=directory / "tokens.json",
            audit_dir=directory / "audit",
            reading_kept_s=0,
            **figures,
        )
        async with (
            status_served(chosen, TOKEN, clock=clock) as (service, url),
            httpx.AsyncClient(trust_env=False, timeout=60) as http,
        ):
            yield FakeWorld(fleet, clock, service, url, chosen, http)


def after(seconds, answer):
    """A manner: the answer comes so late."""

    async def manner(_request):
        await asyncio.sleep(seconds)
        return answer()

    return manner


def says(answer):
    """A manner: always that answer."""

    async def manner(_request):
        return answer

    return manner


def dripping(every_s):
    """A manner: a body that never ends."""

    async def drops():
        while True:
            yield b" "
            await asyncio.sleep(every_s)

    async def manner(_request):
        return StreamingResponse(drops(), media_type="application/json")

    return manner
