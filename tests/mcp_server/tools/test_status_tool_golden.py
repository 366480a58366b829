"""One golden file per tool: its definition and one answer. FLY_GHA_WRITE_GOLDEN=1 writes them anew."""

import json
import os
from pathlib import Path

import pytest
from api_world import NOW
from status_tool_world import TOOL, tokens

from mcp_server.tools.registry import TOOLS, definition
from runners.model.reason import Reason
from runners.model.states import JobState, RunnerState
from runners.store import events

GOLDEN = Path(__file__).parent / "golden"
WRITE = os.environ.get("FLY_GHA_WRITE_GOLDEN") == "1"
QUESTIONS = {
    "fleet_overview": {},
    "pool_capacity": {"pool": "gha-small"},
    "queue_list": {"repository": "acme/api", "limit": 3},
    "job_explain": {"job": "https://github.com/acme/api/actions/runs/30/job/3"},
    "capacity_check": {"labels": ["fly-gha-small"], "jobs": 2, "repository": "acme/api"},
    "runner_history": {"runner": "r-1"},
    "incident_list": {},
    "event_search": {"actor": "webhook", "limit": 3},
    "usage_summary": {"by": ["repository"]},
    "server_stats": {"window": "7d"},
}


def test_every_tool_has_a_question_and_a_file():
    assert set(QUESTIONS) == set(TOOL)
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(TOOL)


@pytest.mark.parametrize("name", QUESTIONS)
async def test_a_tool_is_defined_and_answers_as_its_golden_file_says(tools, name):
    await _busy_day(tools.fleet)
    answer = await tools.call(name, **QUESTIONS[name])
    defined = definition(TOOL[name], tools.settings).model_dump(mode="json", by_alias=True, exclude_none=True)
    now = {
        "definition": defined,
        "definition_tokens": tokens(defined),
        "arguments": QUESTIONS[name],
        "answer": answer,
        "answer_tokens": tokens(answer),
    }
    text = json.dumps(now, indent=2, ensure_ascii=False) + "\n"
    path = GOLDEN / f"{name}.json"
    if WRITE:
        path.write_text(text)
    assert path.read_text() == text, f"{name} has changed: look, then set FLY_GHA_WRITE_GOLDEN=1"


@pytest.mark.parametrize("name", QUESTIONS)
async def test_an_answer_keeps_to_the_soft_budget(tools, name):
    await _busy_day(tools.fleet)
    assert tokens(await tools.call(name, **QUESTIONS[name])) <= tools.settings.answer_soft_tokens


def test_the_tools_are_the_ten_of_the_product_in_their_order():
    assert [tool.name for tool in TOOLS] == list(QUESTIONS)


async def _busy_day(fleet):
    """A full pool, one runner at work, three that never came online, an operator's drain."""
    await fleet.add_runner("r-1", state=RunnerState.BUSY, busy_at=NOW - 20, job_id=9)
    await fleet.add_runner("r-2")
    for number in range(1, 5):
        await fleet.add_job(number, accepted_at=NOW - 50 + number, queued_at=NOW - 50 + number)
    await fleet.add_job(
        9, state=JobState.IN_PROGRESS, in_progress_at=NOW - 20, runner_name="r-1", workflow_name="Nightly"
    )

    def record(conn):
        for number in range(3):
            events.append(
                conn, at=NOW - 300 + number, actor="planner", verb="retired", target=f"runner/old-{number}",
                reason=Reason.NEVER_ONLINE, detail="nothing came online in time",
            )  # fmt: skip
        events.append(
            conn, at=NOW - 200, actor="operator:anna", verb="drained", target="pool/gha-web",
            reason=Reason.OPERATOR_RETIRED, detail="moving to another region",
        )  # fmt: skip

    await fleet.store.run(record)
    fleet.blocked_until = {"fly:app-c": NOW + 60}
    await fleet.plan()
