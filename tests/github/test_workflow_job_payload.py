"""Every recorded payload reads; whatever else comes is PayloadMalformed and nothing worse."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runners.github.fields import TEXT_MAX
from runners.github.payload import LABELS_MAX, JobFact, PayloadMalformed, read_workflow_job
from runners.model.reason import Reason
from runners.model.states import JobState

RECORDED = sorted((Path(__file__).parents[1] / "data" / "webhooks" / "workflow_job").glob("*.json"))
NEWEST = [path for path in RECORDED if not path.name.startswith("npm-")]


def recorded(name: str) -> dict:
    return json.loads(next(path for path in RECORDED if path.name == name).read_text())


@pytest.fixture
def body() -> dict:
    return recorded("in_progress.with-queued-steps.json")


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_every_recorded_payload_reads(path):
    source = json.loads(path.read_text())
    fact = read_workflow_job(source)
    assert (fact.id, fact.run_id) == (source["workflow_job"]["id"], source["workflow_job"]["run_id"])
    assert fact.status == source["workflow_job"]["status"]
    assert fact.repository == source["repository"]["full_name"]
    # Two recordings name another owner beside the full name; runs and runners live under the full name.
    assert fact.owner == source["repository"]["full_name"].split("/")[0]
    assert fact.private is source["repository"]["private"]


@pytest.mark.parametrize("path", NEWEST, ids=lambda path: path.name)
def test_githubkits_own_parser_reads_the_same_out_of_every_payload_it_accepts(path):
    from githubkit.webhooks import parse  # noqa: PLC0415 - dear, only here

    raw = path.read_text()
    theirs = parse("workflow_job", raw)
    job, ours = theirs.workflow_job, read_workflow_job(json.loads(raw))
    assert ours == JobFact(
        id=job.id,
        run_id=job.run_id,
        run_attempt=job.run_attempt,
        status=JobState(job.status),
        action=theirs.action,
        conclusion=job.conclusion,
        labels=tuple(str(label).lower() for label in job.labels),
        name=job.name,
        workflow_name=job.workflow_name or "",
        repository=theirs.repository.full_name,
        private=theirs.repository.private,
        installation_id=theirs.installation.id if theirs.installation else None,
        head_branch=job.head_branch or "",
        html_url=job.html_url,
        created_at=_unix(job.created_at),
        started_at=_unix(job.started_at),
        completed_at=_unix(job.completed_at),
        runner_name=job.runner_name or None,
        runner_id=job.runner_id or None,
    )


def _unix(when):
    from datetime import datetime  # noqa: PLC0415

    if when is None:
        return None
    return (datetime.fromisoformat(when) if isinstance(when, str) else when).timestamp()


def test_a_waiting_job_is_waiting_although_the_action_says_queued():
    fact = read_workflow_job(recorded("queued.with-deployment.json"))
    assert (fact.action, fact.status) == ("queued", JobState.WAITING)


def test_an_older_shape_reads_with_first_attempt_and_start_for_creation():
    fact = read_workflow_job(recorded("npm-in_progress-0.json"))
    assert (fact.run_attempt, fact.workflow_name, fact.head_branch) == (1, "", "")
    assert fact.created_at == fact.started_at
    assert fact.labels == ("gpu", "db-app", "dc-03")


@pytest.mark.parametrize(("runner_id", "runner_name"), [(None, None), (0, ""), (0, None), (None, "")])
def test_no_runner_reads_the_same_in_all_its_spellings(body, runner_id, runner_name):
    body["workflow_job"] |= {"runner_id": runner_id, "runner_name": runner_name}
    fact = read_workflow_job(body)
    assert (fact.runner_id, fact.runner_name) == (None, None)


def test_labels_are_lower_case_and_each_once_in_their_order(body):
    body["workflow_job"]["labels"] = ["Fly-GHA-medium", "LINUX", "fly-gha-MEDIUM"]
    assert read_workflow_job(body).labels == ("fly-gha-medium", "linux")


@pytest.mark.parametrize("labels", [None, []])
def test_a_job_that_names_only_a_group_has_no_labels(body, labels):
    body["workflow_job"]["labels"] = labels
    assert read_workflow_job(body).labels == ()


@pytest.mark.parametrize("status", ["requested", "pending"])
def test_what_no_runner_can_take_yet_is_waiting(body, status):
    body["workflow_job"]["status"] = status
    assert read_workflow_job(body).status is JobState.WAITING


def test_text_is_cut_and_can_be_stored(body):
    body["workflow_job"] |= {"name": "a\0b\ud800" + "x" * 5000, "head_branch": "😀"}
    fact = read_workflow_job(body)
    assert fact.name.startswith("a\ufffdb\ufffdxxx")
    assert len(fact.name) == TEXT_MAX
    assert fact.head_branch == "😀"


def test_an_address_that_is_not_http_is_dropped(body):
    body["workflow_job"]["html_url"] = "javascript:alert(1)"
    assert read_workflow_job(body).html_url == ""


@pytest.mark.parametrize("zero", ["0001-01-01T00:00:00Z", "", None])
def test_a_zero_time_is_no_time(body, zero):
    body["workflow_job"]["completed_at"] = zero
    assert read_workflow_job(body).completed_at is None


MISTAKES = {
    "workflow_job": [None, [], "job", 7],
    "repository": [None, [], "acme/web"],
    "action": [None, 1, "", ["queued"]],
    "installation": [[], "7", {"id": "7"}, {"id": -1}, {"id": True}],
    "workflow_job.id": [None, "1", 1.5, True, 0, -1, 2**63, [], {}],
    "workflow_job.run_id": [None, "1", 0, {}],
    "workflow_job.run_attempt": ["1", 0, 1.0, True],
    "workflow_job.status": [None, "", "on_fire", 3, ["queued"]],
    "workflow_job.conclusion": [1, ["success"], {}],
    "workflow_job.labels": ["linux", {"a": 1}, [1], [None], [""], ["x" * 257], ["x"] * (LABELS_MAX + 1)],
    "workflow_job.name": [None, "", 7, ["build"], {}],
    "workflow_job.workflow_name": [1, []],
    "workflow_job.head_branch": [1, {}],
    "workflow_job.created_at": [1631499673, "yesterday", "2021-13-45T99:99:99Z", {}],
    "workflow_job.started_at": ["", "x", True][1:],
    "workflow_job.runner_id": ["5", -1, True],
    "workflow_job.runner_name": [5, []],
    "repository.full_name": [None, "", "web", "acme/", "/web", "a/b/c", "acme/we b", "acme/web\n", 5],
    "repository.private": ["true", 1, []],
}


@pytest.mark.parametrize(
    ("path", "value"), [(path, value) for path, values in MISTAKES.items() for value in values]
)
def test_a_field_of_another_kind_is_malformed_and_named_without_its_value(body, path, value):
    *outer, key = path.split(".")
    target = body[outer[0]] if outer else body
    target[key] = value
    with pytest.raises(PayloadMalformed) as caught:
        read_workflow_job(body)
    assert caught.value.reason is Reason.PAYLOAD_MALFORMED
    assert caught.value.detail.startswith(path)
    assert "xxx" not in str(caught.value)
    assert "yesterday" not in str(caught.value)


@pytest.mark.parametrize("body", [None, [], "text", 5, True, {}, {"action": "queued"}])
def test_a_body_that_is_no_event_is_malformed(body):
    with pytest.raises(PayloadMalformed):
        read_workflow_job(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
EXAMPLE = recorded("queued.json")
PATHS = [
    (),
    *((key,) for key in ("action", "workflow_job", "repository", "installation")),
    *(("workflow_job", key) for key in EXAMPLE["workflow_job"]),
    *(("repository", key) for key in ("full_name", "private", "owner")),
]


@settings(max_examples=300, deadline=None)
@given(changes=st.lists(st.tuples(st.sampled_from(PATHS), JSON), min_size=1, max_size=4))
def test_any_json_anywhere_reads_or_is_malformed_and_never_another_error(changes):
    body: object = copy.deepcopy(EXAMPLE)
    for path, value in changes:
        if not path:
            body = value
            continue
        target = body
        for key in path[:-1]:
            target = target.get(key) if isinstance(target, dict) else None
        if isinstance(target, dict):
            target[path[-1]] = value
    try:
        fact = read_workflow_job(body)
    except PayloadMalformed:
        return
    assert fact.id > 0
    assert all(label and label == label.lower() for label in fact.labels)
    for text in (fact.name, fact.workflow_name, fact.head_branch, *fact.labels):
        assert "\0" not in text
        text.encode()
