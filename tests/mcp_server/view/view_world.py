"""A dispatcher in memory whose every answer arrives when the test says so, and a hand-moved clock."""

import asyncio
import itertools
from dataclasses import dataclass, field

import httpx
from pydantic import SecretStr

from mcp_server.caller import Caller, Scope, Sight
from mcp_server.settings import StatusSettings
from mcp_server.view.dispatcher import Dispatcher
from mcp_server.view.feed import Pace
from mcp_server.view.skew import Skew
from mcp_server.view.views import Views
from runners.wire.answer import Answer
from runners.wire.pool import Budget, QueueSummary
from runners.wire.status import FleetStatus
from runners.wire.stream import StreamMessage
from runners.wire.times import rfc3339

NOW = 1_795_000_000.0
URL = "http://fleet.test"
EVERYTHING = Sight()
SOME_POOLS = Sight(pools=("small",))
SOME_REPOSITORIES = Sight(repositories=("acme/*",))
SIGHTS = (EVERYTHING, SOME_POOLS, SOME_REPOSITORIES)


class HandClock:
    """Sleepers wake when the hand passes their time."""

    def __init__(self, at=NOW):
        self.at = at
        self._sleepers = []

    def now(self):
        return self.at

    async def sleep(self, seconds):
        until = self.at + seconds
        woken = asyncio.get_running_loop().create_future()
        self._sleepers.append((until, woken))
        await woken

    def move(self, seconds):
        self.at += seconds
        due = [each for each in self._sleepers if each[0] <= self.at]
        self._sleepers = [each for each in self._sleepers if each[0] > self.at]
        for _, woken in due:
            if not woken.done():
                woken.set_result(None)


class Word(Answer):
    """A deep answer of the test's own route."""

    revision: int
    as_of: str
    word: str


def status_of(word, revision, as_of, pools=()):
    return FleetStatus(
        fleet=word,
        revision=revision,
        as_of=rfc3339(as_of),
        planned_at=None,
        paused=False,
        max_machines=1,
        budget=Budget(daily_usd=None, spent_today_usd=0.0, left_usd=None),
        queue=QueueSummary(),
        machines={},
        runners={},
        pools=pools,
        held=(),
        upstreams=(),
        loops=(),
    )


@dataclass
class Log:
    """One event log: which revisions there are, and which of them a limited reader sees.

    Its words name the log and, to who sees everything, the revision. What a limited reader sees comes back
    after three changes, as a count of jobs does.
    """

    number: int
    revision: int
    visible: list = field(default_factory=list)

    def commit(self, by, visible):
        self.revision += by
        if visible:
            self.visible.append(self.revision)

    def word(self, sight, revision=None):
        revision = self.revision if revision is None else revision
        if sight.everything:
            return f"{self.number}:{revision}"
        return f"{self.number}:{sum(each <= revision for each in self.visible) % 3}"


@dataclass
class Question:
    """A GET under way."""

    path: str
    sight: Sight
    request: httpx.Request
    reply: asyncio.Future
    snapshot: httpx.Response | None = None


class Stream(httpx.AsyncByteStream):
    """An open event stream; what is written waits until it is let through."""

    def __init__(self, sight, last_event_id):
        self.sight = sight
        self.last_event_id = last_event_id
        self.said = None
        self.held = []
        self.open = True
        self._let = asyncio.Queue()

    async def __aiter__(self):
        while True:
            chunk = await self._let.get()
            if chunk is None:
                return
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    async def aclose(self):
        self.open = False

    def write(self, data):
        self.held.append(data if isinstance(data, bytes) else data.encode())

    def let(self, count=None):
        count = len(self.held) if count is None else count
        for chunk in self.held[:count]:
            self._let.put_nowait(chunk)
        del self.held[:count]

    def end(self, error=None):
        self._let.put_nowait(error)
        self.open = False


class FakeDispatcher(httpx.AsyncBaseTransport):
    """Holds every question until told to answer it."""

    def __init__(self, clock, skew=0.0):
        self.clock = clock
        self.skew = skew
        self.log = Log(1, 10, [5])
        self.logs = {1: self.log}
        self.questions = []
        self.streams = []
        self.seen = []
        self.at_once = False
        self.down = False
        self.refuse_streams = None

    def now(self):
        return self.clock.now() + self.skew

    async def handle_async_request(self, request):
        self.seen.append(request)
        if self.down:
            raise httpx.ConnectError("refused", request=request)
        sight = Sight(
            tuple(filter(None, request.headers.get("x-fly-gha-repositories", "").split(","))),
            tuple(filter(None, request.headers.get("x-fly-gha-pools", "").split(","))),
        )
        if request.url.path == "/v1/status/stream":
            if self.refuse_streams is not None:
                return httpx.Response(self.refuse_streams, json={})
            stream = Stream(sight, request.headers.get("last-event-id"))
            self.streams.append(stream)
            headers = {"content-type": "text/event-stream", "x-fly-gha-now": f"{self.now():.3f}"}
            if self.at_once:
                self.say(stream)
                stream.let()
            return httpx.Response(200, headers=headers, stream=stream)
        question = Question(request.url.path, sight, request, asyncio.get_running_loop().create_future())
        if self.at_once:
            return self.answer_of(question)
        self.questions.append(question)
        try:
            return await question.reply
        finally:
            if question in self.questions:
                self.questions.remove(question)

    def answer_of(self, question):
        headers = {"x-fly-gha-now": f"{self.now():.3f}", "x-request-id": f"r{len(self.seen)}"}
        word = self.log.word(question.sight)
        if question.path == "/v1/status":
            answer = status_of(word, self.log.revision, self.now())
        else:
            answer = Word(revision=self.log.revision, as_of=rfc3339(self.now()), word=word)
        return httpx.Response(200, headers=headers, content=answer.model_dump_json())

    def snapshot(self, question):
        """Read now; it arrives when ``deliver`` is called."""
        if question.snapshot is None:
            question.snapshot = self.answer_of(question)

    def deliver(self, question):
        self.snapshot(question)
        if not question.reply.done():
            question.reply.set_result(question.snapshot)

    def fail(self, question, error=None):
        if not question.reply.done():
            question.reply.set_exception(error or httpx.ReadError("gone", request=question.request))

    def say(self, stream):
        """What the real one would send now: a status when anything the reader sees changed."""
        word, revision, now = self.log.word(stream.sight), self.log.revision, self.now()
        if word != stream.said:
            message = StreamMessage(
                kind="status", revision=revision, as_of=rfc3339(now), status=status_of(word, revision, now)
            )
        else:
            message = StreamMessage(kind="heartbeat", revision=revision, as_of=rfc3339(now))
        stream.said = word
        stream.write(event_of(message))

    def restore(self, back):
        """Another, older database; the process was restarted for it, so every connection is gone."""
        old = self.log
        self.log = Log(old.number + 1, max(1, old.revision - back), [1])
        self.logs[self.log.number] = self.log
        for stream in self.streams:
            stream.end()
        for question in list(self.questions):
            if question.snapshot is None:
                self.fail(question)
        self.streams = []


def event_of(message):
    return f"id: {message.revision}\nevent: {message.kind}\ndata: {message.model_dump_json()}\n\n"


def entropy():
    counter = itertools.count()
    return lambda size: (next(counter) * 7919 % 65536).to_bytes(2, "big")[:size]


class ViewWorld:
    """Views over a FakeDispatcher."""

    def __init__(self, *, views_max=128, skew=0.0, pace=None, **figures):
        self.clock = HandClock()
        self.fleet = FakeDispatcher(self.clock, skew)
        self.settings = StatusSettings(_env_file=None, dispatcher_url=URL, **figures)
        self.token = SecretStr("fgr_token")
        self.dispatcher = Dispatcher(
            self.settings, lambda: self.token, self.clock, Skew(), inner=lambda: self.fleet
        )
        self.views = Views(
            self.settings, self.dispatcher, self.clock, entropy(), views_max=views_max, pace=pace or Pace()
        )
        self.calls = 0

    def glass(self, caller="a", sight=EVERYTHING):
        self.calls += 1
        return self.views.glass(caller_of(caller, sight), f"call-{self.calls}")

    async def close(self):
        await self.views.close()
        await self.dispatcher.close()


def caller_of(name, sight=EVERYTHING):
    return Caller(name, name, "project", frozenset(Scope), sight)


async def settle(rounds=40):
    """Let everything that can go on go on."""
    for _ in range(rounds):
        await asyncio.sleep(0)
