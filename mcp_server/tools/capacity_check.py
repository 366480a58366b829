"""capacity_check: may so many jobs be queued now, and when would they start? A gate: what is unsure is no.

It always says pass or fail: a refusal, which an agent might overlook, becomes a fail with its rule.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import Field

from mcp_server.caller import Scope
from mcp_server.refused import Refused
from mcp_server.rule import Rule
from mcp_server.settings import StatusSettings
from mcp_server.tools.asked import LabelText, Repository
from mcp_server.tools.frame import frame, seconds_between
from mcp_server.tools.job_parts import Expected, expected
from mcp_server.tools.output import Output
from mcp_server.tools.problems import PLAN_STALE, VIEW_STALE, plan_is_late
from mcp_server.tools.tool import Ask, FleetArguments, Tool
from mcp_server.tools.words import Label, Name, Quoted, Word
from mcp_server.view.glass import Deep, Seen
from mcp_server.view.paths import path_of
from runners.wire.capacity import CapacityAnswer
from runners.wire.status import FleetStatus
from runners.wire.times import Time, rfc3339

NAME = "capacity_check"
JOBS_MAX = 200
WITHIN_MAX_S = 86_400
TOO_LATE = "starts_too_late"
IN_TIME = "starts_in_time"
_LABELS_UNKNOWN = "labels_unknown"
# What an operator said, and what the fleet's settings say of a repository: neither passes with time.
_PAUSED, _DRAINED = "fleet_paused", "pool_drained"
_UNSERVED = ("repository_not_allowed", "installation_not_allowed", "public_repository")
_NEAR = 3

_QUEUE = "queue them; this is an outlook and reserves nothing"
_UNSURE = "do not queue on this answer: nobody can tell now; check again in a moment"
_UNSURE_UNTIL = "do not queue on this answer: nobody can tell before until; check again then"
_WAIT = "wait, or queue fewer, and check again"
_WAIT_UNTIL = f"{_WAIT}; until says when this should change"
_STOPPED = (
    "do not queue: an operator stopped this, and only an operator ends it; ask them, or check again later"
)
_NEVER = "do not queue: waiting does not change this; ask the operator whether this repository may be served"
_LABELS = "correct the labels: fleet_overview lists the pools, pool_capacity what labels one serves"


class Question(FleetArguments):
    """Which jobs."""

    labels: Annotated[list[LabelText], Field(min_length=1, max_length=20)] = Field(
        description="Every label of the jobs' runs-on."
    )
    jobs: Annotated[int, Field(ge=1, le=JOBS_MAX)] = Field(1, description="How many.")
    repository: Repository | None = Field(None, description="Where they would be queued, as owner/name.")
    within_s: Annotated[int, Field(ge=1, le=WITHIN_MAX_S)] | None = Field(
        None,
        description="Pass if the last should start within so many seconds; without it, if none must wait.",
    )


class Verdict(Output):
    """Pass or fail."""

    passed: bool = Field(alias="pass", description="False as well whenever nobody can tell.")
    rule: Word = Field(description="What decided: allowed, starts_in_time, or why not.")
    next_step: str
    jobs: int = Field(description="Asked for.")
    startable: int | None = Field(None, description="Would be given a runner at once.")
    pool: Name | None = Field(None, description="Would serve them.")
    detail: Quoted | None = Field(None, description="Particulars of the rule.")
    until: Time | None = Field(None, description="When that should change.")
    first_start: Expected | None = Field(None, description="Of the first job.")
    last_start: Expected | None = Field(None, description="Of the last job.")
    near_labels: tuple[Label, ...] | None = Field(
        None, description="Labels that pools serve, when yours are not."
    )


def describe(settings: StatusSettings) -> str:
    """The description."""
    return (
        "fly-gha GitHub Actions runners: a gate to ask before you push, trigger, release or dispatch. "
        "Should I wait or go ahead, is now a good time, is there room for so many more jobs or a big "
        "matrix with these labels, would they begin immediately and when? Pass or fail; it fails closed "
        f"when the view is older than {settings.stale_after_s:g} s. Not for work already pushed "
        "(job_explain)."
    )


async def run(ask: Ask, question: Question) -> Verdict:
    """The dispatcher's own what-if, held against the age of view and plan."""
    attempted = f"call {NAME}"
    try:
        seen = await ask.glass.status(min_revision=question.min_revision, attempted=attempted)
    except Refused as refused:
        return _refused(ask, question, {"stale": True}, refused)
    if seen.stale:
        return _unsure(question, frame(seen), VIEW_STALE)
    late_after = ask.settings.stale_after_s
    if plan_is_late(seen.status, late_after):
        return _unsure(question, frame(seen), PLAN_STALE)
    try:
        found = await ask.glass.get(
            path_of("capacity"),
            _params(question),
            CapacityAnswer,
            attempted=attempted,
            min_revision=seen.revision,
        )
    except Refused as refused:
        return _refused(ask, question, frame(seen), refused)
    plan_age = seconds_between(found.answer.planned_at, found.as_of)
    if found.stale or plan_age is None or plan_age > late_after:
        return _unsure(question, frame(found), VIEW_STALE if found.stale else PLAN_STALE)
    stopped = _stopped(seen.status, found.answer.pool)
    if stopped is not None:
        pool = found.answer.pool
        return _no(question, frame(found), stopped, _STOPPED).model_copy(update={"pool": pool})
    return _verdict(question, found, seen)


@dataclass(frozen=True, slots=True)
class _Decision:
    passed: bool
    rule: str
    next_step: str


def _verdict(question: Question, found: Deep[CapacityAnswer], seen: Seen) -> Verdict:
    answer = found.answer
    first, last = expected(answer.first_start, found.as_of), expected(answer.last_start, found.as_of)
    decision = _decided(question, answer, last)
    why = None if decision.passed else answer.why
    return Verdict(
        **frame(found),
        **{"pass": decision.passed},
        rule=decision.rule,
        next_step=decision.next_step,
        jobs=question.jobs,
        startable=answer.startable,
        pool=answer.pool,
        detail=None if why is None else why.text.partition(": ")[2] or None,
        until=None if why is None else why.until,
        first_start=first,
        last_start=last,
        near_labels=_near(question, seen.status) if decision.rule == _LABELS_UNKNOWN else None,
    )


def _decided(question: Question, answer: CapacityAnswer, last: Expected | None) -> _Decision:
    starts_in = None if last is None else last.in_s
    in_time = question.within_s is not None and starts_in is not None and starts_in <= question.within_s
    if answer.why is not None and answer.why.reason == PLAN_STALE:
        return _Decision(False, PLAN_STALE, _UNSURE)
    if answer.why is not None and answer.why.reason == _LABELS_UNKNOWN:
        return _Decision(False, _LABELS_UNKNOWN, _LABELS)
    if in_time:
        return _Decision(True, Rule.ALLOWED.value if answer.ok else IN_TIME, _QUEUE)
    if question.within_s is not None and (answer.ok or starts_in is not None):
        return _Decision(False, TOO_LATE, _otherwise(answer))
    if answer.ok:
        return _Decision(True, Rule.ALLOWED.value, _QUEUE)
    return _Decision(False, PLAN_STALE if answer.why is None else answer.why.reason, _otherwise(answer))


def _otherwise(answer: CapacityAnswer) -> str:
    """What to do instead of queueing: wait, if waiting can help."""
    if answer.why is None:
        return _WAIT
    if answer.why.reason in (_PAUSED, _DRAINED):
        return _STOPPED
    if answer.why.reason in _UNSERVED:
        return _NEVER
    return _WAIT if answer.why.until is None else _WAIT_UNTIL


def _stopped(status: FleetStatus, pool: str | None) -> str | None:
    """What an operator said since the planner decided: the view has it at once, the plan a pass later."""
    if status.paused:
        return _PAUSED
    drained = any(each.drained for each in status.pools if each.name == pool)
    return _DRAINED if drained else None


def _refused(ask: Ask, question: Question, framed: dict[str, Any], refused: Refused) -> Verdict:
    """A fail by a refusal's rule; one that says how long it holds, as an open breaker does, keeps that."""
    if refused.retry_after_s is None:
        return _unsure(question, framed, refused.rule.value)
    until = rfc3339(ask.now + refused.retry_after_s)
    return _no(question, framed, refused.rule.value, _UNSURE_UNTIL).model_copy(update={"until": until})


def _unsure(question: Question, framed: dict[str, Any], rule: str) -> Verdict:
    return _no(question, framed, rule, _UNSURE)


def _no(question: Question, framed: dict[str, Any], rule: str, next_step: str) -> Verdict:
    return Verdict(**framed, **{"pass": False}, rule=rule, next_step=next_step, jobs=question.jobs)


def _params(question: Question) -> dict[str, str | int | list[str]]:
    params: dict[str, str | int | list[str]] = {"label": question.labels, "count": question.jobs}
    if question.repository is not None:
        params["repository"] = question.repository
    return params


def _near(question: Question, status: FleetStatus) -> tuple[str, ...] | None:
    """Labels of visible pools that look like those asked for; the labels asked for are never repeated."""
    known = sorted({label for pool in status.pools for label in pool.labels})
    near = [
        label
        for asked in question.labels
        for label in get_close_matches(asked.lower(), known, n=_NEAR, cutoff=0.5)
    ]
    return tuple(dict.fromkeys(near))[:_NEAR] or tuple(known[:_NEAR]) or None


CAPACITY_CHECK = Tool(
    name=NAME,
    title="May I queue jobs now?",
    describe=describe,
    scope=Scope.CAPACITY,
    arguments=Question,
    output=Verdict,
    run=run,
    examples=(
        ("May I push now?", {"labels": ["fly-gha-medium"]}),
        (
            "Can a matrix of twenty start within five minutes?",
            {"labels": ["fly-gha-large"], "jobs": 20, "repository": "acme/api", "within_s": 300},
        ),
    ),
)
