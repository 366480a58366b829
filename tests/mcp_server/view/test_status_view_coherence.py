"""Whatever is interleaved, no caller sees a revision go back, or a view that is older than they were told."""

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from view_world import EVERYTHING, SOME_POOLS, SOME_REPOSITORIES, ViewWorld, Word, settle

from mcp_server.refused import Refused
from mcp_server.rule import Rule

STALE_AFTER_S = 30.0
CALLERS = (EVERYTHING, SOME_POOLS, EVERYTHING, SOME_REPOSITORIES)
EXPECTED = {Rule.VIEW_MISSING, Rule.REVISION_NOT_REACHED, Rule.DISPATCHER_UNREACHABLE}

# What may happen next, with how often it does.
STEPS = {
    "asks": 6,
    "asks_deeply": 6,
    "commit": 5,
    "snapshot": 2,
    "deliver": 7,
    "fail": 1,
    "say": 4,
    "let": 4,
    "break": 1,
    "restore": 1,
    "moment": 3,
    "while": 1,
    "arrive": 1,
}


@dataclass
class Call:
    caller: int
    deep: bool
    min_revision: int | None
    told: tuple | None
    task: asyncio.Task


class Interleaving:
    """Carries steps out, and judges every answer by what the dispatcher's own log says."""

    def __init__(self, views_max):
        self.world = ViewWorld(
            views_max=views_max, revision_wait_s=0, stale_after_s=STALE_AFTER_S, breaker_errors=100
        )
        self.fleet = self.world.fleet
        self.calls = []
        # By caller, the highest (log, revision) shown.
        self.told = {}
        self.answers = 0

    async def run(self, steps):
        await self.world.views.start()
        try:
            for name, a, b in steps:
                before = self.views()
                history = self.world.views._history
                epoch, heard_at = history.epoch, history._heard_at
                getattr(self, name)(a, b)
                await settle(12)
                if history.epoch != epoch:
                    assert self.world.clock.now() - heard_at > STALE_AFTER_S
                self.judge()
                self.compare(before, self.views())
            await self.finale()
        finally:
            for call in self.calls:
                call.task.cancel()
            await asyncio.gather(*(call.task for call in self.calls), return_exceptions=True)
            await self.world.close()

    def views(self):
        follows = self.world.views._follows.items()
        return {sight: look[0] for sight, follow in follows if (look := follow.look()) is not None}

    def compare(self, before, after):
        for sight in before.keys() & after.keys():
            old, new = before[sight], after[sight]
            if (old.epoch, old.received_at) <= (new.epoch, new.received_at) and old.epoch == new.epoch:
                assert new.revision >= old.revision

    async def finale(self):
        """Once everything arrives again, everybody sees the fleet as it is, whatever was before."""
        for _ in range(6):
            self.while_(0, 0)
            await settle()
            self.arrive(0, 0)
            await settle()
        self.judge()
        for caller in range(len(CALLERS)):
            for deep in (False, True):
                self.asks(caller, 0, deep=deep)
                for _ in range(3):
                    await settle()
                    self.arrive(0, 0)
                answers = self.answers
                await settle()
                self.judge()
                assert not self.calls
                assert answers <= self.answers
                number, revision = self.told[caller]
                assert number == self.fleet.log.number
                assert revision == self.fleet.log.revision

    def asks(self, a, b, *, deep=False):
        caller = a % len(CALLERS)
        ahead = (None, None, 0, 0, 1, -2)[b]
        min_revision = None if ahead is None else max(0, self.fleet.log.revision + ahead)

        async def ask():
            glass = self.world.glass(str(caller), CALLERS[caller])
            if deep:
                return await glass.get("/v1/word", {}, Word, attempted="read", min_revision=min_revision)
            return await glass.status(attempted="look", min_revision=min_revision)

        told = self.told.get(caller)
        self.calls.append(Call(caller, deep, min_revision, told, asyncio.ensure_future(ask())))

    def asks_deeply(self, a, b):
        self.asks(a, b, deep=True)

    def commit(self, a, b):
        self.fleet.log.commit(1 + a % 2, visible=b % 2 == 0)

    def snapshot(self, a, _):
        if self.fleet.questions:
            self.fleet.snapshot(self.fleet.questions[a % len(self.fleet.questions)])

    def deliver(self, a, _):
        if self.fleet.questions:
            self.fleet.deliver(self.fleet.questions[a % len(self.fleet.questions)])

    def fail(self, a, _):
        if self.fleet.questions:
            self.fleet.fail(self.fleet.questions[a % len(self.fleet.questions)])

    def say(self, a, _):
        streams = [stream for stream in self.fleet.streams if stream.open]
        if streams:
            self.fleet.say(streams[a % len(streams)])

    def let(self, a, b):
        streams = [stream for stream in self.fleet.streams if stream.held]
        if streams:
            streams[a % len(streams)].let(1 + b)

    def break_(self, a, _):
        streams = [stream for stream in self.fleet.streams if stream.open]
        if streams:
            streams[a % len(streams)].end()

    def restore(self, a, _):
        self.fleet.restore(3 + a)

    def moment(self, a, _):
        self.world.clock.move((0.1, 0.6, 1.2, 2.5, 5.0, 0.0)[a])

    def while_(self, _, __):
        self.world.clock.move(STALE_AFTER_S + 1)

    def arrive(self, _, __):
        for stream in self.fleet.streams:
            if stream.open:
                self.fleet.say(stream)
                stream.let()
        for question in list(self.fleet.questions):
            self.fleet.deliver(question)

    def judge(self):
        done = [call for call in self.calls if call.task.done()]
        self.calls = [call for call in self.calls if not call.task.done()]
        for call in done:
            error = call.task.exception()
            if error is None:
                self.check(call, call.task.result())
            else:
                assert isinstance(error, Refused), repr(error)
                assert error.rule in EXPECTED, error

    def check(self, call, answer):
        self.answers += 1
        word = answer.answer.word if call.deep else answer.status.fleet
        number = int(word.partition(":")[0])
        log = self.fleet.logs[number]
        # It was really so at the revision that the answer names.
        assert answer.revision <= log.revision
        assert word == log.word(CALLERS[call.caller], answer.revision)
        assert call.min_revision is None or answer.revision >= call.min_revision
        if call.told is not None:
            told_number, told_revision = call.told
            if answer.revision < told_revision:
                # Only a newer log may take a caller back, and only as a new epoch.
                assert number > told_number, f"{call} was shown {answer}"
                assert self.world.views.condition.epoch > 0
        assert answer.stale == (answer.age_s > STALE_AFTER_S)
        now = (number, answer.revision)
        self.told[call.caller] = max(self.told.get(call.caller, now), now)


for name in ("break", "while"):
    setattr(Interleaving, name, getattr(Interleaving, f"{name}_"))

NAMES = [name for name, weight in STEPS.items() for _ in range(weight)]


@pytest.mark.parametrize("views_max", [128, 2])
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # Each example runs an event loop: to shrink a failure would take minutes, and the steps tell enough.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(NAMES), st.integers(0, 5), st.integers(0, 5)), min_size=40, max_size=120
    )
)
def test_no_caller_is_ever_taken_back_whatever_is_interleaved(views_max, steps):
    async def run():
        interleaving = Interleaving(views_max)
        await interleaving.run(steps)

    asyncio.run(run())
