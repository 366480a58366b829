"""The create call, held to a golden file and to Fly's own schema with every object closed."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from machines.classes import load_classes
from machines.config import build_create
from machines.nouns import LaunchOrder

HERE = Path(__file__).parent
GOLDEN = HERE / "create"
SPEC = HERE.parent / "data" / "specs" / "fly-machines-openapi.json"

ORDER = LaunchOrder(
    name="fleet-01j9",
    app="runners-a",
    region="fra",
    pool="gha-medium",
    machine_class="gha-medium",
    image="registry.fly.io/fly-gha-runner@sha256:" + "a" * 64,
    fleet="fleet",
    url="https://gha.acme.example",
    start=True,
    claim_deadline_s=600.0,
    clock_skew_max_s=300.0,
)


def closed(schema):
    """The same schema, refusing properties it does not name; Fly itself ignores them without a word."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    tight = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        tight.setdefault("additionalProperties", False)
    return tight


@pytest.fixture(scope="module")
def create_schema():
    spec = json.loads(SPEC.read_text())
    root = {
        "$ref": "#/components/schemas/CreateMachineRequest",
        "components": {"schemas": closed(spec["components"]["schemas"])},
    }
    Draft202012Validator.check_schema(root)
    return Draft202012Validator(root)


def sent(order):
    return build_create(order, load_classes()[order.machine_class]).model_dump(mode="json")


def with_order(**changes):
    return LaunchOrder(**{**{name: getattr(ORDER, name) for name in ORDER.__slots__}, **changes})


@pytest.mark.parametrize("name", sorted(load_classes()))
@pytest.mark.parametrize("start", [True, False], ids=["started", "stopped"])
def test_the_create_call_is_exactly_the_golden_one(name, start):
    golden = GOLDEN / f"{name}-{'started' if start else 'stopped'}.json"
    assert sent(with_order(pool=name, machine_class=name, start=start)) == json.loads(golden.read_text())


def test_there_is_a_golden_file_for_each_class_and_no_other():
    wanted = {f"{name}-{way}.json" for name in load_classes() for way in ("started", "stopped")}
    assert {file.name for file in GOLDEN.iterdir()} == wanted


@pytest.mark.parametrize("name", sorted(load_classes()))
@pytest.mark.parametrize("start", [True, False])
def test_every_class_validates_against_flys_schema_with_nothing_it_would_ignore(create_schema, name, start):
    create_schema.validate(sent(with_order(machine_class=name, start=start)))


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ((), "skip_launchh"),
        (("config",), "rootfs_size_gb"),
        (("config", "guest"), "memory"),
        (("config", "restart"), "polcy"),
        (("config", "rootfs"), "size"),
        (("config", "stop_config"), "time_out"),
        (("config", "dns"), "skip"),
        (("config", "processes", 0), "ignore_secrets"),
    ],
)
def test_a_planted_misspelt_option_is_refused_wherever_it_is(create_schema, path, key):
    body = sent(ORDER)
    place = body
    for step in path:
        place = place[step]
    place[key] = 1
    assert not create_schema.is_valid(body)


def test_a_wrong_type_is_refused_by_the_schema(create_schema):
    body = sent(ORDER)
    body["config"]["env"]["FLY_GHA_CLAIM_DEADLINE_S"] = 600
    assert not create_schema.is_valid(body)


def test_a_spare_differs_from_a_launch_only_in_not_being_started():
    spare, launch = sent(with_order(start=False)), sent(ORDER)
    assert spare.pop("skip_launch") is True
    assert launch.pop("skip_launch") is False
    assert spare == launch


def test_a_machine_has_no_second_life_no_service_and_no_secret():
    body = sent(ORDER)
    config = body["config"]
    assert config["restart"] == {"policy": "no"}
    assert config["auto_destroy"] is True
    assert body["skip_secrets"] is True
    assert config["processes"] == [{"ignore_app_secrets": True}]
    assert "services" not in config
    assert "files" not in config
    assert set(config["env"]) == {
        "FLY_GHA_URL",
        "FLY_GHA_CLAIM_DEADLINE_S",
        "FLY_GHA_CLOCK_SKEW_MAX_S",
        "FLY_GHA_DISK",
    }


def test_durations_reach_the_boot_agent_as_plain_numbers():
    env = sent(with_order(claim_deadline_s=31_536_000.0, clock_skew_max_s=0.25))["config"]["env"]
    assert env["FLY_GHA_CLAIM_DEADLINE_S"] == "31536000"
    assert env["FLY_GHA_CLOCK_SKEW_MAX_S"] == "0.25"
