"""A small fleet and what asks it: the real dispatcher over a real store, the real client, the real Glass."""

import json
from dataclasses import replace

import httpx
import jsonschema
from api_world import World, settings
from pydantic import SecretStr

from mcp_server.caller import Caller, Scope, Sight
from mcp_server.resources import TEMPLATES
from mcp_server.rule import ErrorClass, Rule
from mcp_server.settings import StatusSettings
from mcp_server.stats.summary import FailingCall, Row, Summary
from mcp_server.tools.output import body, compact, estimated_tokens, fitted
from mcp_server.tools.registry import TOOLS
from mcp_server.tools.schema import output_schema
from mcp_server.tools.tool import Ask
from mcp_server.view.dispatcher import Dispatcher
from mcp_server.view.glass import Deep, Glass, Seen
from mcp_server.view.reading import read_answer
from mcp_server.view.skew import Skew
from mcp_server.view.visit import Floor
from runners.wire.status import FleetStatus
from tests.migrated import migrated_store

TOOL = {tool.name: tool for tool in TOOLS}
SCHEMA = {
    output: output_schema(output)
    for output in (*(t.output for t in TOOLS), *(t.tool.output for t in TEMPLATES))
}
EVERYTHING = Caller("fgs-1", "agent", "default", frozenset(Scope))


class DirectWindow:
    """Asks the dispatcher anew each time; ``age_s`` and ``stale`` are what the test says."""

    def __init__(self, dispatcher, sight):
        self.dispatcher = dispatcher
        self.sight = sight
        self.age_s = 0.4
        self.stale = False
        self.failing = {}
        self.wished = []
        self.glimpsed = None

    def floor(self, caller):
        return Floor(0, 0)

    async def seen(self, visit, wish):
        found = await self.deep(visit, wish, "/v1/status", {}, FleetStatus)
        return Seen(found.answer, found.revision, found.as_of, self.age_s, self.stale)

    def glimpse(self, visit):
        return self.glimpsed

    async def deep(self, visit, wish, path, params, model):
        self.wished.append((path, wish.min_revision))
        if path in self.failing:
            raise self.failing[path]
        got = await self.dispatcher.get(
            path, params, self.sight, call_id=visit.call_id, attempted=wish.attempted
        )
        answer, _ = read_answer(got.body, model)
        visit.used(answer.revision, (got.request_id,))
        return Deep(answer, answer.revision, answer.as_of, self.age_s, self.stale)


class Stats:
    """Fixed figures of this server's own calls."""

    def __init__(self):
        self.asked = []
        self.name = "agent"

    def summary(self, window_s, *, project, caller, tool):
        self.asked.append((window_s, project, caller, tool))
        row = Row(
            "", "", 42, 1.234, 5.678, 9.1, {ErrorClass.VALIDATION: 3, ErrorClass.UPSTREAM: 1}, 3, 1, 2, 0, 0,
            2, 50_000, 4096, 12_500, 1024,
        )  # fmt: skip
        tools = tuple(replace(row, key=name) for name in ("queue_list", "job_explain", "(unknown)"))
        callers = tuple(
            replace(row, key=key, name=f"{self.name} {key}")
            for key in ("fgs-1", "fgs-2")
            if caller in (None, key)
        )
        storms = tuple(
            FailingCall(key, "job_explain", Rule.NOT_FOUND.value, 30, 1_794_990_000.0, 1_794_999_000.0)
            for key in ("fgs-1", "fgs-2", "(unknown)")
        )
        until = 1_795_000_000.0
        return Summary(until - window_s, until, 0.01, row, tools, callers, storms, 7)


class ToolWorld:
    """The tools as the checkpoint runs them, without the checkpoint."""

    def __init__(self, fleet, dispatcher):
        self.fleet = fleet
        self.dispatcher = dispatcher
        self.settings = StatusSettings(dispatcher_url="http://fleet")
        self.caller = EVERYTHING
        self.stats = Stats()
        self.window = DirectWindow(dispatcher, self.caller.sight)

    @classmethod
    async def open(cls, **changes):
        store = migrated_store()
        fleet = World(store, settings(**changes))
        token = await fleet.token("read")
        dispatcher = Dispatcher(
            StatusSettings(dispatcher_url="http://fleet"),
            lambda: SecretStr(token),
            fleet.clock,
            Skew(),
            inner=lambda: httpx.ASGITransport(fleet.app),
        )
        return cls(fleet, dispatcher)

    async def close(self):
        await self.dispatcher.close()
        await self.fleet.client.aclose()
        await self.fleet.store.close()

    def sees(self, *, repositories=(), pools=()):
        """From now on the caller may see only these."""
        self.caller = replace(self.caller, sight=Sight(repositories, pools))
        self.window = DirectWindow(self.dispatcher, self.caller.sight)

    def ask(self):
        glass = Glass(self.window, self.caller.id, "call-1")
        return Ask(self.caller, glass, self.stats, self.settings, self.fleet.clock.now())

    async def output(self, name, **arguments):
        """What a tool answers, as the model it is."""
        tool = TOOL[name]
        return await tool.run(self.ask(), tool.arguments.model_validate(arguments))

    async def call(self, name, **arguments):
        """What an agent gets of a tool, held to its output schema."""
        output = fitted(await self.output(name, **arguments), self.settings.answer_soft_tokens)
        answer = body(output)
        jsonschema.Draft202012Validator(SCHEMA[TOOL[name].output]).validate(answer)
        assert json.loads(compact(output)) == answer
        return answer

    async def read(self, uri):
        """What an agent gets of a resource."""
        for template in TEMPLATES:
            arguments = template.match(uri)
            if arguments is not None:
                output = await template.tool.run(
                    self.ask(), template.tool.arguments.model_validate(dict(arguments))
                )
                answer = body(output)
                jsonschema.Draft202012Validator(SCHEMA[template.tool.output]).validate(answer)
                return answer
        raise AssertionError(f"no template takes {uri}")


def tokens(answer):
    return estimated_tokens(json.dumps(answer, ensure_ascii=False, separators=(",", ":")))
