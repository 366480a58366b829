"""The doctor against a fleet that runs, one that does not, and a configuration that is none."""

import json
import re
import sqlite3

import httpx
import pytest
from cli_world import ask

from runners.cli.demo.place import prepare
from runners.cli.doctor.dates import Dates


def examined(place, *arguments, **env):
    done = ask("doctor", "--config", str(place.fleet), "--json", *arguments, env=env)
    found = json.loads(done.stdout)
    assert done.exit_code == (0 if found["ok"] else 1)
    return done, {each["about"]: each for each in found["findings"]}


def secrets_of(place):
    """Every credential there is in this world, however it is written down."""
    world = json.loads(place.world.read_text())
    yield world["fly"]["api_token"].removeprefix("fm2_")
    yield world["github"]["webhook_secret"]
    yield from world["infisical"]["secrets"].values()
    yield from (each["client_secret"] for each in world["infisical"]["identities"])
    yield from [line for line in place.publisher_secrets.read_text().splitlines() if len(line) == 64]
    yield place.token_file.read_text().strip()


def test_a_fleet_that_runs_is_well_as_its_publisher_sees_it(world):
    as_publisher = {"FLY_GHA_FLEET__SECRETS_FILE": str(world.place.publisher_secrets)}
    done, found = examined(world.place, "--as-app", **as_publisher)
    assert done.exit_code == 0, [each for each in found.values() if each["verdict"] == "failed"]
    for about in (
        "database",
        "clock against Fly",
        "clock against GitHub",
        "GITHUB_APP_PRIVATE_KEY",
        "GitHub App",
        "installation on orgs/acme",
        "webhook",
        "webhook deliveries",
        "runner group of gha-medium",
        "Fly token",
        "network of acme-runners-a",
        "regions",
        "our URL: answer",
        "our URL: from outside",
    ):
        assert found[about]["verdict"] == "ok", found[about]
    assert not any(secret in done.stdout for secret in secrets_of(world.place))


def test_without_the_apps_key_what_it_alone_may_read_is_unknown_not_ok(world):
    done, found = examined(world.place)
    assert done.exit_code == 0
    for about in (
        "GitHub App",
        "installation on orgs/acme",
        "webhook",
        "webhook deliveries",
        "our URL: from outside",
    ):
        assert found[about]["verdict"] == "unknown"
    assert "--as-app" in found["webhook"]["next_step"]


def test_it_leaves_nothing_behind_in_the_database(world):
    examined(world.place)
    with sqlite3.connect(f"file:{world.place.folder / 'fleet.db'}?mode=ro", uri=True) as conn:
        tables = {row[0] for row in conn.execute("SELECT name FROM sqlite_master")}
    conn.close()
    assert "runners" in tables
    assert not any("doctor" in name for name in tables)


def test_a_wrong_setting_fails_in_its_own_line(world):
    wrong = {
        "FLY_GHA_FLEET__PUBLIC_URL": f"{world.place.url}/elsewhere",
        "FLY_GHA_FLY__ORG_SLUG": "other",
        "FLY_GHA_FLEET__SECRETS_FILE": str(world.place.publisher_secrets),
    }
    done, found = examined(world.place, "--as-app", **wrong)
    assert done.exit_code == 1
    failed = {about for about, each in found.items() if each["verdict"] == "failed"}
    assert {"webhook", "our URL: answer", "Fly token", "Fly app acme-runners-a"} <= failed
    assert all(found[about]["next_step"] for about in failed)


@pytest.mark.parametrize(
    ("key", "value"), [("project_id", "none-of-ours"), ("environment", "dev"), ("path", "/nowhere")]
)
def test_a_wrong_place_in_infisical_is_named_by_its_setting(world, key, value):
    _, found = examined(world.place, **{f"FLY_GHA_INFISICAL__{key.upper()}": value})
    place = found["credentials' place"]
    assert place["verdict"] == "failed"
    assert place["next_step"].startswith(f"correct infisical.{key}, which is '{value}'")
    assert "next:" not in place["detail"], "it is told below"
    assert found["Fly token"]["next_step"] == "mend credentials' place", "told once"


def test_a_lease_is_tried_and_what_keeps_it_back_is_said_before_anything_is_booted(world):
    leasing = {"FLY_GHA_GITHUB__CREDENTIALS": "lease", "FLY_GHA_INFISICAL__PROJECT_SLUG": "fly-gha-demo"}
    _, found = examined(world.place, **leasing)
    secret = found["dynamic secret github-acme"]
    assert secret["verdict"] == "failed"
    assert "leasing is a right of its own" in secret["next_step"]


def test_each_line_is_shown_with_its_next_step_below(world):
    done = ask("doctor", "--config", str(world.place.fleet), env={"FLY_GHA_FLY__ORG_SLUG": "globex"})
    assert done.exit_code == 1
    shown = done.stdout.splitlines()
    at = next(number for number, line in enumerate(shown) if line.startswith("failed  Fly token:"))
    assert shown[at + 1].strip().startswith("next: correct fly.org_slug")
    assert re.search(r"[1-9] failed", shown[-1])


def test_before_anything_runs_it_says_what_is_not_there_and_makes_nothing(tmp_path):
    place = prepare(tmp_path / "fleet", seed=1, scale=1.0)
    done, found = examined(place)
    assert done.exit_code == 1
    assert found["database"]["verdict"] == "ok"
    assert "not there yet" in found["database"]["detail"]
    assert not (tmp_path / "fleet" / "fleet.db").exists()
    assert found["credentials' place"]["verdict"] != "ok"
    assert found["FLY_API_TOKEN"]["verdict"] == "unknown"
    assert found["our URL: answer"]["verdict"] == "failed"
    assert "fly-gha serve" in found["our URL: answer"]["next_step"]
    for about in ("clock against Fly", "regions", "Fly token", "runner group of gha-small"):
        assert found[about]["verdict"] == "unknown", found[about]


@pytest.mark.parametrize("text", [None, "", "[fleet", "[fleet]\nname = 3\n"])
def test_a_configuration_that_is_none_is_the_one_line(tmp_path, text):
    path = tmp_path / "fleet.toml"
    if text is not None:
        path.write_text(text)
    done = ask("doctor", "--config", str(path), "--json", env={})
    (line,) = json.loads(done.stdout)["findings"]
    assert (done.exit_code, line["about"], line["verdict"]) == (1, "configuration", "failed")


class Hands:
    """A clock, and a server that takes a while and has a clock of its own."""

    def __init__(self, *answers):
        self.time = 1_795_000_000.0
        self.answers = list(answers)

    def now(self):
        return self.time

    def answer(self, request):
        took, date = self.answers.pop(0)
        self.time += took
        return httpx.Response(200, headers={} if date is None else {"date": date})


@pytest.mark.parametrize(
    ("answers", "offset"),
    [
        (((0.0, "Wed, 18 Nov 2026 11:06:40 GMT"),), 0.5),
        (((0.0, "Wed, 18 Nov 2026 11:08:40 GMT"),), 120.5),
        (((4.0, "Wed, 18 Nov 2026 11:06:40 GMT"), (0.0, "Wed, 18 Nov 2026 11:06:44 GMT")), 0.5),
        (((0.0, "nonsense"), (0.0, None)), None),
    ],
)
async def test_clocks_are_compared_by_the_quickest_answer(answers, offset):
    hands = Hands(*answers)
    dates = Dates(httpx.MockTransport(hands.answer), hands)
    async with httpx.AsyncClient(transport=dates) as http:
        for _ in answers:
            await http.get("http://there/")
    assert dates.offset == offset
