"""Other people's text comes out only in fields declared untrusted, and there cleaned and bounded."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from api_world import NOW
from pydantic import ValidationError
from schema_walk import leaves
from status_tool_world import SCHEMA, TOOL, ToolWorld

from mcp_server.refused import Refused
from mcp_server.resources import TEMPLATES
from mcp_server.tools.registry import TOOLS
from runners.control.loop import LoopHealth
from runners.model.reason import Reason, Why
from runners.model.states import JobState, RunnerState
from runners.store import events
from runners.wire.text import TEXT_MAX, shown, shown_url

CORPUS = json.loads((Path(__file__).parents[2] / "data" / "injections.json").read_text())
BY_NAME = {each["name"]: each["text"] for each in CORPUS}
BENIGN = "build"
PIECE = 12
WAYS = (
    ("fleet_overview", {}),
    ("pool_capacity", {"pool": "gha-small"}),
    ("queue_list", {}),
    *(("job_explain", {"job": number}) for number in (1, 3, 4)),
    ("capacity_check", {"labels": ["fly-gha-small"], "jobs": 2}),
    ("runner_history", {"runner": "r-1"}),
    ("incident_list", {}),
    ("event_search", {"limit": 200}),
    ("usage_summary", {"by": ["repository", "workflow"]}),
    ("usage_summary", {"by": ["pool", "day"]}),
    ("server_stats", {}),
)
HANDLES = (
    "fleet://pools/gha-small",
    "fleet://jobs/3",
    "fleet://runners/r-1",
)


def test_the_corpus_is_large_and_every_entry_has_its_own_name():
    assert len(CORPUS) == len(BY_NAME) >= 40


def test_every_tool_and_every_resource_is_asked():
    assert {name for name, _ in WAYS} == set(TOOL)
    assert all(any(template.match(uri) for uri in HANDLES) for template in TEMPLATES)


@pytest.mark.parametrize("name", BY_NAME)
async def test_hostile_text_stays_in_untrusted_fields_cleaned_and_bounded(open_tools, benign, name):
    text = BY_NAME[name]
    tools = await open_tools()
    await _poison(tools, text)
    hostile = _pieces(text) - benign
    untrusted = []
    for schema, answer in await _everything(tools):
        for path, value, leaf in leaves(schema, answer):
            if not isinstance(value, str):
                continue
            if leaf.get("untrusted"):
                assert len(value) <= leaf["maxLength"] <= 2 * TEXT_MAX
                assert value == shown(value, len(value) + 1), f"{path} is not cleaned"
                untrusted.append(value)
            else:
                assert not _pieces(value) & hostile, f"{name} shows at {path}"
    heart = shown(text)[:20].strip()
    assert any(heart in value for value in untrusted), "the text came nowhere: the test shows nothing"


async def test_hostile_arguments_come_back_in_no_error(tools, benign):
    await tools.fleet.plan()
    for name, text in BY_NAME.items():
        hostile = _pieces(text) - benign
        for said in [each async for each in _refusals(tools, text)]:
            assert not _pieces(said) & hostile, (name, said)


async def test_hostile_handles_come_back_in_no_error(tools, benign):
    read = 0
    for name, text in BY_NAME.items():
        for template in TEMPLATES:
            uri = template.uri_template.partition("{")[0] + text
            if template.match(uri) is None:
                continue
            read += 1
            with pytest.raises((Refused, ValidationError)) as caught:
                await tools.read(uri)
            error = caught.value
            said = str(error) if isinstance(error, Refused) else _of_validation(error, template.tool)
            assert not _pieces(said) & (_pieces(text) - benign), (name, said)
    assert read > 10


@pytest.fixture(scope="module")
def benign():
    """What the answers of a harmless world hold anyway, errors included."""
    return asyncio.run(_benign())


async def _benign():
    tools = await ToolWorld.open()
    await _poison(tools, BENIGN)
    said = [json.dumps(answer, separators=(",", ":")) for _, answer in await _everything(tools)]
    said += [each async for each in _refusals(tools, "some-pool")]
    await tools.close()
    return frozenset(_pieces(" ".join(said)))


async def _everything(tools):
    found = []
    for name, arguments in WAYS:
        output = await tools.output(name, **arguments)
        answer = output.model_dump(mode="json", by_alias=True, exclude_none=True)
        found.append((SCHEMA[TOOL[name].output], answer))
    for uri in HANDLES:
        template = next(each for each in TEMPLATES if each.match(uri))
        found.append((SCHEMA[template.tool.output], await tools.read(uri)))
    return found


async def _refusals(tools, text):
    """What a caller reads when every text argument of every tool is ``text``."""
    for tool in TOOLS:
        for field in tool.arguments.model_fields:
            for value in (text, [text]):
                needed = {key: each for key, each in _needed(tool).items() if key != field}
                try:
                    arguments = tool.arguments.model_validate({**needed, field: value})
                except ValidationError as error:
                    yield _of_validation(error, tool)
                    continue
                try:
                    output = await tool.run(tools.ask(), arguments)
                except Refused as refused:
                    yield str(refused)
                else:
                    yield output.model_dump_json(exclude_none=True)


def _of_validation(error, tool):
    """As much of a validation error as goes into a refusal: the field's name and the rule's own words."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    known = next((part for part in first["loc"] if part in tool.arguments.model_fields), "")
    return f"{known}: {first['msg']}"


def _needed(tool):
    return dict(tool.examples[0][1])


def _pieces(text):
    """Every run of PIECE characters, as sent and as shown, whatever the case."""
    found = set()
    for form in (text, shown(text), " ".join(text.split())):
        lower = form[:4000].lower()
        found |= {lower[at : at + PIECE] for at in range(max(1, len(lower) - PIECE + 1))}
    return {piece for piece in found if len(piece) == PIECE and piece.strip()}


async def _poison(tools, text):
    """A fleet in which everything that somebody else may word is ``text``."""
    fleet = tools.fleet
    words = {
        "name": text,
        "workflow_name": text,
        "head_branch": text,
        "repository": text,
        "labels": ("fly-gha-small", text),
        "html_url": text if shown_url(text) else f"https://github.com/{text}",
        "conclusion": None,
    }
    await fleet.add_runner("r-1", state=RunnerState.BUSY, busy_at=NOW - 20, job_id=2)
    await fleet.add_job(1, **words)
    await fleet.add_job(10, **{**words, "runner_name": text, "accepted_at": NOW - 40})
    running = {"state": JobState.IN_PROGRESS, "runner_name": "r-1", "in_progress_at": NOW - 20}
    await fleet.add_job(2, **{**words, **running})
    ended = {
        "state": JobState.COMPLETED,
        "conclusion": text,
        "completed_at": NOW - 5,
        "in_progress_at": NOW - 30,
    }
    await fleet.add_job(3, **{**words, **ended, "lost": Reason.MACHINE_LOST, "runner_name": text})
    await fleet.add_job(4, **{**words, "refused": Reason.LABELS_UNKNOWN, "pool": None})

    def record(conn):
        for verb, reason, target in (
            ("refused", Reason.LABELS_UNKNOWN, "job/4"),
            ("swept", Reason.REGISTRATION_WITHOUT_RUNNER, f"runner/{text}"),
            ("retired", Reason.NEVER_ONLINE, "runner/r-1"),
            ("moved", Reason.MACHINE_LOST, text),
        ):
            events.append(
                conn, at=NOW, actor=f"operator:{text}", verb=verb, target=target, reason=reason, detail=text,
                external_id=text,
            )  # fmt: skip

    await fleet.store.run(record)
    await fleet.plan()
    view = fleet.latest
    held = tuple(replace(each, why=replace(each.why, detail=text)) for each in view.plan.held)
    fleet.latest = replace(
        view,
        plan=replace(view.plan, held=held),
        whys={**view.whys, 1: Why(Reason.POOL_AT_MAX, text)},
        forecasts={job: replace(each, basis=text) for job, each in view.forecasts.items()},
    )
    fleet.health.append(LoopHealth("sweep", 30.0, passes=1, failures=1, last_pass_at=NOW, last_error=text))
    tools.stats.name = text
