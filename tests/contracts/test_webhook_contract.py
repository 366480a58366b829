"""Every webhook that GitHubSim sends is as GitHub's published schema of workflow_job says, closed."""

import copy
import json
from pathlib import Path

import pytest

from tests.contracts.closing import ClosedSchemas

pytestmark = pytest.mark.xdist_group("contracts")

DATA = Path(__file__).resolve().parents[1] / "data" / "webhooks"
SCHEMA = json.loads((DATA / "workflow_job.openapi-webhooks.schema.json").read_text(encoding="utf-8"))
CLOSED = ClosedSchemas(SCHEMA["$defs"], prefix="#/$defs/")
# The recorded examples of the old npm package are of 2021 and fit no schema of today.
RECORDED = sorted(path for path in (DATA / "workflow_job").glob("*.json") if not path.name.startswith("npm-"))


def problems(payload: dict) -> list[str]:
    action = payload["action"].replace("_", "-")
    return CLOSED.problems({"$ref": f"#/$defs/webhook-workflow-job-{action}"}, payload, "payload")


@pytest.fixture
def webhooks(played) -> list[dict]:
    return played[1]


def test_every_webhook_is_as_published(webhooks):
    wrong = [problem for payload in webhooks for problem in problems(payload)]
    assert not wrong, "\n".join(wrong)


def test_the_scenario_had_a_webhook_of_every_action_and_ending(webhooks):
    seen = {(payload["action"], payload["workflow_job"]["conclusion"]) for payload in webhooks}
    assert seen == {
        ("waiting", None),
        ("queued", None),
        ("in_progress", None),
        ("completed", "success"),
        ("completed", "cancelled"),
    }


def test_the_schema_has_an_action_for_all_that_the_simulator_sends(webhooks):
    known = {branch["$ref"].rpartition("workflow-job-")[2] for branch in SCHEMA["oneOf"]}
    assert {payload["action"].replace("_", "-") for payload in webhooks} == known


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_the_closed_schema_takes_what_github_itself_has_sent(path):
    assert problems(json.loads(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "place", ["", "workflow_job", "repository", "organization", "sender", "installation"]
)
def test_a_misspelt_key_of_a_webhook_is_found(webhooks, place):
    for payload in webhooks:
        wrong = copy.deepcopy(payload)
        target = wrong[place] if place else wrong
        target["html_ulr"] = target.pop("html_url", "")
        assert any("html_ulr" in problem for problem in problems(wrong))
