"""Intake: the one handler of facts about jobs, whoever brings them: a webhook, the delivery log, the sweep.

One delivery is one transaction: the decision, the job's row, the Runner it names, the delivery's record and
the event are committed together, or nothing is. The planner is woken after the commit; nothing else happens
here, so a webhook is answered within milliseconds.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from runners.api.acceptance import Acceptance, Known, Source, Verdict, decide
from runners.api.taking import drained_now, job_from, runner_of, tell_runner, write_advance, write_move_back
from runners.github.payload import JobFact, read_workflow_job
from runners.model.reason import Reason, Why
from runners.model.settings import Settings
from runners.model.states import JobState
from runners.registration.bounded import BoundedEvents
from runners.store import deliveries, events, jobs
from runners.store.connections import take_writer_lock
from runners.store.engine import Store
from runners.upstream.clock import Clock

# GitHub's delivery id is a GUID; anything else in its header is replaced by the body's own hash.
_GUID = re.compile(r"[0-9A-Za-z-]{8,64}")
_EVENT_NAME = re.compile(r"[a-z_]{1,64}")
TARGET = "webhook"


class BodyNotJSON(Exception):
    """A delivery's body is not one JSON text."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook delivery.

    Attributes:
        guid: X-GitHub-Delivery; whatever is not a GUID counts as absent.
        event: X-GitHub-Event.
        body: as it came, signature checked; a delivery log's payload may be decoded already.
    """

    guid: str
    event: str
    body: bytes | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one fact.

    Attributes:
        accepted: whether it was taken.
        why: the typed cause.
        job_id: the job it was about, or None when it was about none.
        pool: the pool the job is charged to.
        state: the job's state after it, when the job is known here.
    """

    accepted: bool
    why: Why
    job_id: int | None = None
    pool: str | None = None
    state: JobState | None = None


class Intake:
    """Takes facts about jobs into the store.

    Args:
        store: where they go.
        clock: tells when they came.
        settings: what is served.
        wake_planner: called after a commit that may change demand or supply.
    """

    def __init__(
        self, store: Store, clock: Clock, settings: Settings, wake_planner: Callable[[], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._wake = wake_planner
        self._bounded = BoundedEvents()

    async def handle_delivery(self, delivery: Delivery, source: Source = Source.WEBHOOK) -> Outcome:
        """Take one delivery: the webhook endpoint's and the delivery catch-up's common way.

        Raises:
            BodyNotJSON: the body is not JSON.
            PayloadMalformed: it is no readable ``workflow_job``; see ``refused``.
            StoreUnavailable: nothing was taken; deliver it again.
        """
        if delivery.event == "ping":
            return Outcome(True, Why(Reason.OBSERVED, "GitHub reaches this webhook"))
        if delivery.event != "workflow_job":
            named = delivery.event if _EVENT_NAME.fullmatch(delivery.event) else "this"
            return Outcome(False, Why(Reason.EVENT_IGNORED, f"{named} events change nothing here"))
        guid = delivery.guid if _GUID.fullmatch(delivery.guid) else _guid_of(delivery.body)
        fact = read_workflow_job(_decoded(delivery.body))
        return await self._take(fact, source, guid=guid)

    async def handle_reading(self, fact: JobFact, read_at: float, source: Source = Source.SWEEP) -> Outcome:
        """Take what a REST reading says of one job; unlike a webhook it may move the job back.

        Args:
            fact: the reading.
            read_at: when it was asked for, Unix seconds; a row that changed since is left as it is.
            source: who asked.

        Raises:
            StoreUnavailable: nothing was taken.
        """
        return await self._take(fact, source, read_at=read_at)

    async def refused(
        self, reason: Reason, detail: str, *, guid: str = "", source: Source = Source.WEBHOOK
    ) -> None:
        """Write the event of a delivery that was turned away; at most one a minute per reason.

        Raises:
            StoreUnavailable: the event was not written.
        """
        await self._note(source, reason, detail, guid if _GUID.fullmatch(guid) else "")

    async def _take(
        self, fact: JobFact, source: Source, *, guid: str = "", read_at: float | None = None
    ) -> Outcome:
        now = self._clock.now()

        def op(conn: Connection) -> tuple[Outcome, bool]:
            return _transact(conn, fact, self._settings, source, now=now, guid=guid, read_at=read_at)

        outcome, changed = await self._store.run(op)
        if changed:
            self._wake()
        elif not outcome.accepted and outcome.why.reason is not Reason.ALREADY_KNOWN:
            # Refused and not stored: every job of an organization that was never meant for us comes by here.
            await self._note(source, outcome.why.reason, outcome.why.detail, guid)
        return outcome

    async def _note(self, source: Source, reason: Reason, detail: str, guid: str) -> None:
        now = self._clock.now()
        text = self._bounded.worded(reason, now, detail)
        if text is None:
            return

        def op(conn: Connection) -> None:
            events.append(
                conn,
                at=now,
                actor=source,
                verb="refused",
                target=TARGET,
                reason=reason,
                detail=text,
                outcome="refused",
                external_id=guid,
            )

        await self._store.run(op)


def _transact(
    conn: Connection,
    fact: JobFact,
    settings: Settings,
    source: Source,
    *,
    now: float,
    guid: str,
    read_at: float | None,
) -> tuple[Outcome, bool]:
    """One fact into the store; returns the outcome and whether any row changed."""
    # Two facts about one job may come at once: the second decides on what the first one wrote.
    take_writer_lock(conn)
    job = jobs.get(conn, fact.id)
    if guid and deliveries.known(conn, guid):
        why = Why(Reason.ALREADY_KNOWN, "this delivery was taken before")
        return Outcome(True, why, fact.id, job.pool if job else None, job.state if job else None), False
    runner = runner_of(conn, fact)
    known = Known(job, runner, drained_now(conn, settings))
    acceptance = decide(fact, settings, known, source, read_at=read_at)
    changed = _write(conn, fact, acceptance, known, source, now=now, guid=guid)
    if guid:
        outcome = str(acceptance.why.reason)
        deliveries.record(
            conn, guid, event="workflow_job", action=fact.action[:64], at=now, job_id=fact.id, outcome=outcome
        )
    after = jobs.get(conn, fact.id)
    state = after.state if after is not None else None
    pool = after.pool if after is not None else None
    return Outcome(acceptance.accepted, acceptance.why, fact.id, pool, state), changed


def _write(
    conn: Connection,
    fact: JobFact,
    acceptance: Acceptance,
    known: Known,
    source: Source,
    *,
    now: float,
    guid: str,
) -> bool:
    if acceptance.verdict is Verdict.NOTHING:
        return False
    why = acceptance.why
    if acceptance.verdict is Verdict.INSERT:
        row = job_from(fact, acceptance, now)
        changed = jobs.insert(conn, row, actor=source, reason=why.reason, detail=why.detail, external_id=guid)
    elif acceptance.verdict is Verdict.MOVE_BACK:
        changed = write_move_back(conn, fact, acceptance, now, actor=source)
    else:
        changed = write_advance(conn, fact, acceptance, known, now, actor=source, guid=guid)
    if changed and known.runner is not None and acceptance.verdict is not Verdict.MOVE_BACK:
        tell_runner(conn, known.runner, fact, now, actor=source, guid=guid)
    return changed


def _decoded(body: bytes | Mapping[str, Any]) -> object:
    if isinstance(body, Mapping):
        return body
    try:
        return json.loads(body)
    # Nesting deeper than the interpreter's stack and numbers longer than it converts are none of GitHub's.
    except (ValueError, RecursionError) as error:
        raise BodyNotJSON(type(error).__name__) from error


def _guid_of(body: bytes | Mapping[str, Any]) -> str:
    raw = body if isinstance(body, bytes) else json.dumps(body, sort_keys=True, default=str).encode()
    return hashlib.sha256(raw).hexdigest()
