"""The three resources: a handle that a tool gave, read as a whole.

Each is a Tool like any other, so the checkpoint runs it the same way; its name and scope are those of the
tool that shows its handles, and whoever may not call that tool may not read the resource.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field

from mcp_server.refused import Refused
from mcp_server.rule import Rule
from mcp_server.tools.asked import PoolName
from mcp_server.tools.event_parts import EventRow, event_row
from mcp_server.tools.frame import frame
from mcp_server.tools.job_explain import JOB_EXPLAIN, not_found
from mcp_server.tools.job_parts import JobDetail, JobRow, job_detail, job_row
from mcp_server.tools.job_ref import ID_MAX
from mcp_server.tools.output import Output, Part
from mcp_server.tools.pool_capacity import POOL_CAPACITY
from mcp_server.tools.pool_parts import PoolDetail, pool_detail
from mcp_server.tools.pools import find_pool
from mcp_server.tools.runner_history import RUNNER_HISTORY
from mcp_server.tools.tool import Ask, FleetArguments, Tool
from mcp_server.tools.words import Name, Word
from mcp_server.view.paths import path_of
from runners.wire.event import EventPage
from runners.wire.job import JobAnswer, JobPage
from runners.wire.runner import RunnerPage
from runners.wire.times import Time

QUEUE_MAX = 100
RUNNERS_MAX = 200
EVENTS_MAX = 200
URI_MAX = 300


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of resource.

    Attributes:
        tool: what reads it.
        name: as the protocol lists it.
        title: as people see it.
        uri_template: its handles.
        description: what is read.
        argument: the field of ``tool.arguments`` that the last part of a handle is.
    """

    tool: Tool
    name: str
    title: str
    uri_template: str
    description: str
    argument: str

    def match(self, uri: str) -> Mapping[str, Any] | None:
        """The arguments in ``uri``, ``?min_revision=N`` among them; None when it is no such handle."""
        prefix, _, _ = self.uri_template.partition("{")
        found = re.fullmatch(re.escape(prefix) + r"([^/?#\x00-\x20]+)(?:\?min_revision=([0-9]{1,18}))?", uri)
        if found is None or len(uri) > URI_MAX:
            return None
        arguments: dict[str, Any] = {self.argument: found[1]}
        if found[2] is not None:
            arguments["min_revision"] = int(found[2])
        return arguments


class PoolAsked(FleetArguments):
    """Which pool."""

    pool: PoolName


class JobAsked(FleetArguments):
    """Which job."""

    job: str = Field(pattern=r"^[0-9]{1,19}$")


class RunnerLine(Part):
    """One live runner of a pool."""

    name: Name
    state: Word
    since: Time
    job_id: int | None = None
    reason: Word | None = None


class PoolDeep(Output):
    """One pool with its queue and its runners."""

    pool: PoolDetail
    queue: tuple[JobRow, ...] = Field(description="Queued jobs, oldest first.")
    queue_total: int | None = None
    runners: tuple[RunnerLine, ...] = Field(description="Those that are not gone, latest requested first.")
    runners_total: int | None = None


class JobDeep(Output):
    """One job with its events."""

    job: JobDetail
    events: tuple[EventRow, ...] = Field(description="Oldest first.")


async def read_pool(ask: Ask, question: PoolAsked) -> PoolDeep:
    """The view, one page of the queue, one of the runners."""
    attempted = "read a pool"
    seen = await ask.glass.status(min_revision=question.min_revision, attempted=attempted)
    pool = find_pool(seen.status, question.pool, attempted)
    queue = await ask.glass.get(
        path_of("jobs"),
        {"pool": pool.name, "state": "queued", "order": "oldest", "limit": QUEUE_MAX},
        JobPage,
        attempted=attempted,
        min_revision=seen.revision,
    )
    runners = await ask.glass.get(
        path_of("runners"),
        {"pool": pool.name, "limit": RUNNERS_MAX},
        RunnerPage,
        attempted=attempted,
        min_revision=seen.revision,
    )
    return PoolDeep(
        **frame(seen, queue, runners),
        pool=pool_detail(pool, seen.status),
        queue=tuple(job_row(job, seen.as_of) for job in queue.answer.jobs),
        queue_total=queue.answer.total,
        runners=tuple(
            RunnerLine(
                name=each.name, state=each.state, since=each.state_at, job_id=each.job_id, reason=each.reason
            )
            for each in runners.answer.runners
        ),
        runners_total=runners.answer.total,
    )


async def read_job(ask: Ask, question: JobAsked) -> JobDeep:
    """The job and its events."""
    attempted = "read a job"
    job_id = int(question.job)
    if not 1 <= job_id <= ID_MAX:
        raise not_found(attempted)
    try:
        found = await ask.glass.get(
            path_of("jobs", job_id), {}, JobAnswer, attempted=attempted, min_revision=question.min_revision
        )
    except Refused as refused:
        if refused.rule is Rule.NOT_FOUND:
            raise not_found(attempted) from None
        raise
    params: dict[str, str | int] = {"target": f"job/{job_id}", "order": "oldest", "limit": EVENTS_MAX}
    events = await ask.glass.get(
        path_of("events"), params, EventPage, attempted=attempted, min_revision=found.revision
    )
    return JobDeep(
        **frame(found, events),
        job=job_detail(found.answer.job, found.as_of),
        events=tuple(event_row(each) for each in events.answer.events),
    )


TEMPLATES: tuple[Template, ...] = (
    Template(
        tool=replace(POOL_CAPACITY, arguments=PoolAsked, output=PoolDeep, run=read_pool, examples=()),
        name="pool",
        title="One pool, its queue and its runners",
        uri_template="fleet://pools/{pool}",
        description="One pool of fly-gha GitHub Actions runners: caps, supply, spend, queue, runners.",
        argument="pool",
    ),
    Template(
        tool=replace(JOB_EXPLAIN, arguments=JobAsked, output=JobDeep, run=read_job, examples=()),
        name="job",
        title="One job and its events",
        uri_template="fleet://jobs/{id}",
        description="One job of fly-gha GitHub Actions runners: why it waits, forecast, phases, events.",
        argument="job",
    ),
    Template(
        tool=replace(RUNNER_HISTORY, examples=()),
        name="runner",
        title="One runner's whole life",
        uri_template="fleet://runners/{name}",
        description="One of the fly-gha GitHub Actions runners: phases, Machine, boot, exit, events.",
        argument="runner",
    ),
)
