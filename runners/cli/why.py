"""``fly-gha why JOB``: why a job is where it is, its way by phase, and when it should start.

JOB is a job id, a job's URL or a run's URL, as it stands in the browser's address line. ``--reason`` explains
a Reason instead, from the runbook that docs/reasons.md prints; it asks nobody.
"""

import json
import re
from difflib import get_close_matches
from typing import Annotated, Any

import typer
from rich.console import Console

from runners.cli.dispatcher import DEFAULT_URL, Dispatcher, JsonOption, TokenOption, UrlOption
from runners.cli.outcome import Exit, fail
from runners.cli.phases import phase_table
from runners.cli.screen import screen
from runners.model.reason import Reason
from runners.model.runbook import runbook_lines

# A job's page, or a check's, whose id is the job's.
_JOB_URL = re.compile(r"/actions/runs/\d+/job/(\d+)|(?<!/actions)/runs/(\d+)(?:[/?#]|$)")
_RUN_URL = re.compile(r"/actions/runs/(\d+)")
PAGE = 500
HELD_SHOWN = 10
_UNKNOWN = (
    "is known here. Was its webhook delivered, are its labels those of a pool (`fly-gha status --json` has "
    "them), and is it not too long ago? A run is asked for by its URL."
)


def why(
    job: Annotated[
        str | None, typer.Argument(metavar="JOB", help="A job id, a job's URL or a run's URL.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option(metavar="WORD", help="Explain this Reason instead of a job.")
    ] = None,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Explain one job (or every job of a run), or what a Reason means and what to do."""
    if (job is None) is (reason is None):
        fail(Exit.BAD_USE, "Name a job (its id, its URL or its run's URL), or a Reason with --reason.")
    if reason is not None:
        _explain(reason, as_json=as_json)
    elif job is not None:
        _tell(job, url, token_file, as_json=as_json)


def _explain(word: str, *, as_json: bool) -> None:
    """The runbook's entry, word for word."""
    if word not in tuple(Reason):
        near = get_close_matches(word.lower(), tuple(Reason), n=3, cutoff=0.5)
        step = f"Did you mean {' or '.join(near)}?" if near else "docs/reasons.md lists them all."
        fail(Exit.NO, f"There is no Reason {word!r}. {step}")
    lines = runbook_lines(Reason(word))
    if as_json:
        means, happens, do = (line.partition(": ")[2] for line in lines)
        typer.echo(
            json.dumps(
                {"reason": word, "means": means, "why_it_happens": happens, "what_to_do": do}, indent=2
            )
        )
        return
    console = screen()
    console.print(word, style="bold", markup=False)
    for line in lines:
        console.print(line, markup=False)


def _tell(job: str, url: str, token_file: str, *, as_json: bool) -> None:
    dispatcher = Dispatcher(url, token_file)
    found = _find(dispatcher, job)
    if as_json:
        typer.echo(json.dumps(found if len(found) > 1 else found[0], indent=2))
        return
    console = screen()
    for each in found:
        held = dispatcher.get(
            "/v1/events", {"target": f"job/{each['id']}", "verb": "held", "limit": HELD_SHOWN}
        )
        _show(console, each, held["events"])


def _find(dispatcher: Dispatcher, job: str) -> list[dict[str, Any]]:
    named = _JOB_URL.search(job)
    job_id = (named.group(1) or named.group(2)) if named else job if job.isdecimal() else None
    if job_id is not None:
        return [dispatcher.get(f"/v1/jobs/{int(job_id)}", absent=f"No job {int(job_id)} {_UNKNOWN}")["job"]]
    run = _RUN_URL.search(job)
    if run is None:
        fail(Exit.BAD_USE, f"{job!r} is no job: expected a job id, a job's URL or a run's URL.")
    return _of_run(dispatcher, int(run.group(1)))


def _of_run(dispatcher: Dispatcher, run_id: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = dispatcher.get("/v1/jobs", {"run_id": run_id, "limit": PAGE, "cursor": cursor})
        found.extend(page["jobs"])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    if not found:
        fail(Exit.NO, f"No job of run {run_id} {_UNKNOWN}")
    return found


def _show(console: Console, job: dict[str, Any], held: list[dict[str, Any]]) -> None:
    conclusion = f" ({job['conclusion']})" if job["conclusion"] else ""
    console.print(f"job {job['id']} · {job['workflow_name']} / {job['name']}", markup=False)
    console.print(
        f"  {job['repository']} · pool {job['pool'] or '-'} · {job['state']}{conclusion}", markup=False
    )
    if job["refused"]:
        console.print(f"  refused: {job['refused']}", markup=False, style="red")
    if job["lost"]:
        console.print(f"  lost: {job['lost']}: its Machine ended while it ran", markup=False, style="red")
    elif job["why"]:
        console.print(f"  why: {job['why']['text']}", markup=False, style="bold")
    step = _next_step(job)
    if step:
        console.print(f"  next: {step}", markup=False)
    for event in held:
        console.print(f"  held from {event['at'][11:23]}: {event['reason']}: {event['detail']}", markup=False)
    if job["position"]:
        console.print(f"  position in the pool's queue: {job['position']}")
    forecast = job["forecast"]
    if forecast:
        start = forecast["expected_start"] or "nobody can say"
        basis = forecast["basis"]
        # Where its reason is all there is to go by, it has been told.
        known = job["why"] and basis == job["why"]["text"]
        sure = "" if known else f" (confidence {forecast['confidence']}: {basis})"
        console.print(f"  expected start: {start}{sure}", markup=False)
    if job["runner_name"]:
        console.print(f"  runner: {job['runner_name']}", markup=False)
    # In the list of a run's jobs they are not told.
    if job["phases"]:
        console.print(phase_table(job["phases"]))


def _next_step(job: dict[str, Any]) -> str | None:
    """What the runbook would do about it; None when there is nothing to do, or the word is a newer one."""
    word = job["refused"] or job["lost"] or (job["why"] or {}).get("reason")
    if word not in tuple(Reason):
        return None
    step = runbook_lines(Reason(word))[-1].partition(": ")[2]
    return None if step == "Nothing." else step
