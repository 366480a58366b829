"""A checkpoint with one small tool, a hand-moved clock and an audit log that a test can hold up."""

import asyncio
import json

from pydantic import SecretStr

from mcp_server.call import Call, Operation
from mcp_server.caller import Caller, Scope
from mcp_server.catalog import Question
from mcp_server.checkpoint import Checkpoint, Desk
from mcp_server.rate import Rates
from mcp_server.refused import Refused
from mcp_server.rule import Rule
from mcp_server.said import listed
from mcp_server.settings import StatusSettings
from mcp_server.tools.output import Output
from mcp_server.tools.tool import Arguments, Tool

NOW = 1_795_000_000.0
ANNA = Caller("anna", "Anna's agent", "acme", frozenset({Scope.CAPACITY}))
BERT = Caller("bert", "Bert's agent", "acme", frozenset({Scope.CAPACITY}))


class HandClock:
    def __init__(self):
        self.at = NOW
        self.sleepers = []

    def now(self):
        return self.at

    async def sleep(self, seconds):
        done = asyncio.get_running_loop().create_future()
        self.sleepers.append((self.at + seconds, done))
        await done

    def move(self, seconds):
        self.at += seconds
        for due, done in self.sleepers:
            if due <= self.at and not done.done():
                done.set_result(None)


class HeldAudit:
    """Remembers entries; ``gate`` cleared holds every append up, ``broken`` refuses them."""

    def __init__(self):
        self.entries = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken = False

    async def append(self, entry):
        await self.gate.wait()
        if self.broken:
            raise Refused(
                Rule.AUDIT_UNAVAILABLE,
                cause="no room",
                attempted="record a call",
                next_step="tell the operator",
            )
        self.entries.append(entry)


class Numbers(Arguments):
    pool: str = "gha-small"
    count: int = 1


class Rows(Output):
    shortens = "rows"
    rows: tuple[str, ...] = ()
    next_cursor: str | None = None

    def continued(self, rows):
        return {"next_cursor": str(rows)}


class People:
    """Identity by a table of words."""

    def __init__(self, **known):
        self.known = known

    async def identify(self, credential, now):
        word = None if credential is None else credential.get_secret_value()
        if word is None or word not in self.known:
            rule = Rule.TOKEN_MISSING if word is None else Rule.TOKEN_UNKNOWN
            raise Refused(rule, cause="nobody is known", attempted="authenticate", next_step="send a token")
        return self.known[word]


class OneGlass:
    upstream_ids = ("up-1",)
    revision = 7


class World:
    def __init__(self, run=None, caller=ANNA, **figures):
        self.clock, self.audit = HandClock(), HeldAudit()
        self.settings = StatusSettings(**figures)
        self.ran = []
        self.people = People(anna=caller, bert=BERT)
        self.tool = Tool(
            "numbers", "Numbers", lambda _s: "Numbers.", Scope.CAPACITY, Numbers, Rows, run or self.run, ()
        )
        rates = Rates(
            self.settings.calls_per_minute, self.settings.burst, self.settings.project_calls_per_minute
        )
        desk = Desk(self.people, rates, self, lambda _caller, _id: OneGlass(), None, self.audit)
        self.checkpoint = Checkpoint(self.settings, desk, self.clock)

    async def run(self, ask, arguments):
        self.ran.append((ask, arguments))
        return rows("one")

    def question(self, call):
        if call.operation is Operation.LIST_TOOLS:
            return None
        if call.target != "numbers":
            raise Refused(Rule.TOOL_UNKNOWN, cause="none", attempted="call a tool", next_step="look")
        return Question(self.tool, call.arguments, deep=call.operation is Operation.READ_RESOURCE)

    def listing(self, operation, caller):
        return listed(())

    async def ask(self, who="anna", tool="numbers", arguments=None, operation=Operation.CALL_TOOL):
        credential = None if who is None else SecretStr(who)
        call = Call(operation, tool, arguments or {}, credential, "http", "2025-11-25", "call-1")
        return await self.checkpoint.answer(call)


def rows(*found, **fields):
    return Rows(revision=7, as_of="2026-11-20T12:00:00.000Z", age_s=0.5, stale=False, rows=found, **fields)


def error_of(answer):
    return json.loads(answer.text)["error"]


async def until(condition):
    """Return when it holds; a condition that never does is ended by the test's own time limit."""
    while not condition():  # noqa: ASYNC110 - what is waited for is a task of this loop
        await asyncio.sleep(0)
