"""The checkpoint: the one way from a question to an answer, whatever transport or protocol era brought it.

Authenticate, may this caller call this tool, scope, rate, validate, run under a deadline, cap the size,
record. Each step either lets the call on or raises Refused; the last one happens for every call, and nothing
goes back before its record is durable. A caller who hangs up does not stop it: what was begun is recorded.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from mcp_server.audit.masking import masked
from mcp_server.audit.record import Entry
from mcp_server.audit.trouble import unavailable
from mcp_server.call import Answer, Call
from mcp_server.caller import Caller, Identity
from mcp_server.catalog import Catalog, Question
from mcp_server.rate import Limited, Rates
from mcp_server.refused import Refused
from mcp_server.rule import Rule
from mcp_server.said import answered, refusal
from mcp_server.settings import StatusSettings
from mcp_server.stats.summary import StatsSource
from mcp_server.tools.output import Output, fitted
from mcp_server.tools.tool import Arguments, Ask
from mcp_server.trail import Trail
from mcp_server.turnstile import Turnstile
from mcp_server.validation import validated
from mcp_server.view.glass import Glass
from runners.upstream.clock import Clock

log = structlog.get_logger()

# An agent's client sends requests that are no calls, too: a handshake, a notification, a probe. All of a
# caller's requests together are held to so many times what its calls are held to.
REQUESTS_PER_CALL = 5
# Seconds for the record of a call that used up its own time: a disk that takes longer has as good as failed.
RECORD_S = 5.0


class Audit(Protocol):
    """Where records go; ``append`` returns when the record is durable."""

    async def append(self, entry: Entry) -> object:
        """Make it durable, or raise Refused with AUDIT_UNAVAILABLE."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the checkpoint works with.

    Attributes:
        identity: who somebody is.
        rates: how much they may ask.
        catalog: what may be asked.
        glass: makes, for one caller and call id, the fleet as they may see it.
        stats: this server's own calls.
        audit: where records go.
    """

    identity: Identity
    rates: Rates
    catalog: Catalog
    glass: Callable[[Caller, str], Glass]
    stats: StatsSource
    audit: Audit


class Checkpoint:
    """Answers calls.

    Args:
        settings: the figures.
        desk: what it works with.
        clock: times of records and rates; the deadline itself runs on the event loop.
    """

    def __init__(self, settings: StatusSettings, desk: Desk, clock: Clock) -> None:
        self._settings = settings
        self._desk = desk
        self._clock = clock
        self._turnstile = Turnstile(desk.audit.append, clock)
        self._requests = Rates(
            settings.calls_per_minute * REQUESTS_PER_CALL,
            settings.burst * REQUESTS_PER_CALL,
            settings.project_calls_per_minute * REQUESTS_PER_CALL,
        )
        self._under_way: set[asyncio.Task[Answer]] = set()

    async def answer(self, call: Call) -> Answer:
        """The answer to a call, or its refusal; either way there is a record of it. Never raises Refused."""
        return await self._whole(self._answer(call, lambda trail: self._decided(call, trail)))

    async def refuse(self, call: Call, refused: Refused) -> Answer:
        """Record a refusal that somebody else decided (a malformed message), and word it.

        A caller who is not known any more is told that instead.
        """

        async def decided(trail: Trail) -> Answer:
            await self._authenticate(call, trail)
            return refusal(refused)

        return await self._whole(self._answer(call, decided))

    async def admit(self, call: Call) -> Answer | None:
        """None for a caller who is known and has not sent too many requests, otherwise the recorded refusal.

        For what is no call in itself; what a caller may call is judged when it turns out to be one.
        """
        trail = Trail(self._clock.now())
        try:
            caller = await self._authenticate(call, trail)
            self._within_rate(self._requests, caller, trail, "send a request")
        except Refused as refused:
            return await self._whole(self._recorded(call, trail, refusal(refused)))
        return None

    async def settle(self) -> None:
        """Return when every call that was begun has its record."""
        while self._under_way:
            await asyncio.wait(set(self._under_way))

    async def _whole(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _answer(self, call: Call, decide: Callable[[Trail], Awaitable[Answer]]) -> Answer:
        trail = Trail(self._clock.now(), arguments=masked(call.arguments))
        try:
            answer = await decide(trail)
        except Refused as refused:
            answer = refusal(refused)
        except Exception:
            # The traceback is for the operator's log; the answer gets nothing of it.
            log.exception("call failed", call_id=call.id, operation=call.operation.value)
            answer = refusal(_bug(call))
        return await self._recorded(call, trail, answer)

    async def _decided(self, call: Call, trail: Trail) -> Answer:
        """The pipeline, in the order of the docstring above."""
        caller = await self._authenticate(call, trail)
        question = self._desk.catalog.question(call)
        self._may_call(caller, question)
        self._in_scope(caller, question)
        attempted = "list what there is" if question is None else f"call {question.tool.name}"
        self._within_rate(self._desk.rates, caller, trail, attempted)
        trail.bounded = True
        if question is None:
            return self._desk.catalog.listing(call.operation, caller)
        arguments = validated(question)
        trail.glass = self._desk.glass(caller, call.id)
        ask = Ask(caller, trail.glass, self._desk.stats, self._settings, trail.began)
        output = await self._run(question, arguments, ask)
        trail.stale, trail.revision = output.stale, output.revision
        return self._capped(question, output, trail)

    async def _authenticate(self, call: Call, trail: Trail) -> Caller:
        trail.caller = await self._desk.identity.identify(call.credential, trail.began)
        return trail.caller

    def _may_call(self, caller: Caller, question: Question | None) -> None:
        if question is None or not caller.tools or question.tool.name in caller.tools:
            return
        raise Refused(
            Rule.TOOL_NOT_GRANTED,
            cause="this token is limited to other tools",
            attempted=f"call {question.tool.name}",
            missing=f"the tool {question.tool.name} among the tools of the token",
            next_step="use one of the tools that are listed, or ask the operator for another token",
        )

    def _in_scope(self, caller: Caller, question: Question | None) -> None:
        if question is None or question.tool.scope in caller.scopes:
            return
        raise Refused(
            Rule.SCOPE_MISSING,
            cause="this token lacks the scope that the tool needs",
            attempted=f"call {question.tool.name}",
            missing=f"the scope {question.tool.scope.value}",
            next_step="use one of the tools that are listed, or ask the operator for a token with that scope",
        )

    def _within_rate(self, rates: Rates, caller: Caller, trail: Trail, attempted: str) -> None:
        verdict = rates.admit(caller.id, caller.project, trail.began)
        if not isinstance(verdict, Limited):
            return
        whose = (
            "this caller has"
            if verdict.rule is Rule.CALLER_RATE
            else "all callers of this project together have"
        )
        raise Refused(
            verdict.rule,
            cause=f"{whose} asked as much as is allowed for now",
            attempted=attempted,
            next_step="wait that long, then ask once; keep the last answer and its revision until then",
            retry_after_s=verdict.retry_after_s,
        )

    async def _run(self, question: Question, arguments: Arguments, ask: Ask) -> Output:
        """The tool's own work, under the call's deadline."""
        limit = self._settings.call_timeout_s
        try:
            async with asyncio.timeout(limit):
                return await question.tool.run(ask, arguments)
        except TimeoutError as error:
            raise Refused(
                Rule.CALL_DEADLINE,
                cause=f"it took longer than the {limit:g} s a call may take",
                attempted=f"call {question.tool.name}",
                next_step="ask for less: a narrower filter, a smaller limit; or ask fleet_overview first",
            ) from error

    def _capped(self, question: Question, output: Output, trail: Trail) -> Answer:
        if not question.deep:
            output = fitted(output, self._settings.answer_soft_tokens)
        answer = answered(output, structured=not question.deep)
        if answer.size <= self._settings.answer_max_bytes:
            return answer
        trail.revision = None
        raise Refused(
            Rule.ANSWER_TOO_LARGE,
            cause=f"the answer is larger than the {self._settings.answer_max_bytes} bytes an answer may have",
            attempted=f"call {question.tool.name}",
            next_step="ask for less: a narrower filter, a smaller limit",
        )

    async def _recorded(self, call: Call, trail: Trail, answer: Answer) -> Answer:
        """The answer, once its record is durable; or, when there can be none in time, that."""
        entry = trail.entry(call, answer, self._clock.now())
        shared = answer.refused is not None and not trail.bounded
        try:
            async with asyncio.timeout_at(trail.started + self._settings.call_timeout_s + RECORD_S):
                await (self._turnstile.record(entry) if shared else self._desk.audit.append(entry))
        except TimeoutError:
            return refusal(unavailable())
        except Refused as refused:
            return refusal(refused)
        return answer


def _bug(call: Call) -> Refused:
    return Refused(
        Rule.BUG,
        cause="this server failed in a way it does not expect",
        attempted=f"answer {call.operation.value}",
        next_step=f"tell the operator: the server's log has the call {call.id}",
    )
