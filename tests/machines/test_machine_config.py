"""The create call, held to a golden file and to Fly's own schema with every object closed."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from machines.classes import load_classes
from machines.config import build_create, build_volume, volume_name
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
    return schema_of("CreateMachineRequest")


@pytest.fixture(scope="module")
def volume_schema():
    return schema_of("CreateVolumeRequest")


def schema_of(request):
    spec = json.loads(SPEC.read_text())
    root = {
        "$ref": f"#/components/schemas/{request}",
        "components": {"schemas": closed(spec["components"]["schemas"])},
    }
    Draft202012Validator.check_schema(root)
    return Draft202012Validator(root)


def sent(order):
    machine_class = load_classes()[order.machine_class]
    volume = "vol_4542n7k3zkl6n3zv" if machine_class.disk.kind == "volume" else None
    return build_create(order, machine_class, volume).model_dump(mode="json")


def sent_for_volume(order):
    return build_volume(order, load_classes()[order.machine_class]).model_dump(mode="json")


def with_order(**changes):
    return LaunchOrder(**{**{name: getattr(ORDER, name) for name in ORDER.__slots__}, **changes})


@pytest.mark.parametrize("name", sorted(load_classes()))
@pytest.mark.parametrize("start", [True, False], ids=["started", "stopped"])
def test_the_create_call_is_exactly_the_golden_one(name, start):
    golden = GOLDEN / f"{name}-{'started' if start else 'stopped'}.json"
    assert sent(with_order(pool=name, machine_class=name, start=start)) == json.loads(golden.read_text())


@pytest.mark.parametrize("name", ["gha-small", "gha-medium", "gha-large"])
def test_the_volumes_create_call_is_exactly_the_golden_one(volume_schema, name):
    body = sent_for_volume(with_order(pool=name, machine_class=name))
    assert body == json.loads((GOLDEN / f"{name}-volume.json").read_text())
    volume_schema.validate(body)
    assert not volume_schema.is_valid({**body, "size": 1})


@pytest.mark.parametrize(
    ("fleet", "start"), [("acme", "fgha_acme_"), ("acme-2", "fgha_acme_2_"), ("a" * 30, "fgha_aaaaaaaaaaaa_")]
)
def test_a_volumes_name_is_one_that_fly_takes_and_says_whose_it_is(fleet, start):
    name = volume_name(fleet)
    assert re.fullmatch(r"[a-z0-9_]{1,30}", name)
    assert name.startswith(start)
    assert name == volume_name(fleet)


def test_no_fleet_has_the_volume_name_of_another():
    fleets = ["acme", "acme-2", "acme-2-x", "acm-e", "ac-me", "a" * 29, "a" * 30, "a" * 12, "a" * 12 + "-b"]
    assert len({volume_name(each) for each in fleets}) == len(fleets)


def test_there_is_a_golden_file_for_each_class_and_no_other():
    wanted = {f"{name}-{way}.json" for name in load_classes() for way in ("started", "stopped")}
    wanted |= {f"{name}-volume.json" for name, one in load_classes().items() if one.disk.kind == "volume"}
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
        (("config", "mounts", 0), "volume_id"),
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
