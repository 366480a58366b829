"""Details: one job or one runner, by the read API's own answers, so that page and API never differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runners.api.access import Viewer
from runners.api.port import FleetPort
from runners.api.read_jobs import one_job
from runners.api.read_runners import runner_history
from runners.model.reason import Reason
from runners.model.reason_notes import ReasonNote
from runners.model.refusal_notes import REASON_NOTES
from runners.wire.times import Time, unix_seconds


@dataclass(frozen=True, slots=True)
class Detail:
    """What a detail's template draws.

    Attributes:
        part: the template's name.
        values: what it is given.
        at: of the reading, Unix seconds.
    """

    part: str
    title: str
    values: Mapping[str, Any]
    at: float
    revision: int
    fleet: str


async def job_detail(fleet: FleetPort, viewer: Viewer, job_id: int) -> Detail:
    """One job.

    Raises:
        ApiProblem: 404, there is none, or the viewer may not see it.
        StoreUnavailable: nobody can tell.
    """
    answer = await one_job(fleet, viewer, job_id)
    why = answer.job.why
    values = {"job": answer.job, "note": None if why is None else _note(why.reason)}
    title = f"Job {answer.job.name or job_id}"
    return _detail("job", title, values, answer.as_of, answer.revision, fleet)


async def runner_detail(fleet: FleetPort, viewer: Viewer, name: str) -> Detail:
    """One runner, live or gone; raises as ``job_detail``."""
    answer = await runner_history(fleet, viewer, name)
    reason = answer.exit_reason or answer.runner.reason
    values = {"history": answer, "note": None if reason is None else _note(reason)}
    return _detail("runner", f"Runner {name}", values, answer.as_of, answer.revision, fleet)


def _detail(
    part: str, title: str, values: Mapping[str, Any], as_of: Time, revision: int, fleet: FleetPort
) -> Detail:
    return Detail(part, title, values, unix_seconds(as_of), revision, fleet.settings.fleet.name)


def _note(reason: str) -> ReasonNote | None:
    """What the Reason means and what to do about it."""
    known = Reason(reason)
    return next((notes[known] for notes in REASON_NOTES.values() if known in notes), None)
