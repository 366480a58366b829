"""serve looks before it boots anything: what is definitely wrong ends it, what nobody can say does not."""

import asyncio
import json
import socket
import sys

import httpx
import pytest
from cli_world import running, stopped, until, until_line, verb

from runners.cli.doctor.finding import Verdict
from runners.cli.preflight import preflight
from runners.connections import connect
from runners.fleet_file import load_settings
from runners.secrets.published_token import PublishedToken
from runners.upstream.clock import SystemClock
from tests.fleet_world import APP_ID, APP_KEY, open_world, pool, private_pem

SERVE = [sys.executable, "-m", "runners.cli", "serve"]
FLEET = "checked"
POOL = {"name": "gha-small", "scope": "orgs/acme", "apps": ["acme-runners-c"], "regions": ["iad"]}


def own(folder, **more):
    """The environment of a fleet of its own beside the one that runs, with the same simulators."""
    return {
        "FLY_GHA_FLEET__NAME": FLEET,
        "FLY_GHA_FLEET__PORT": "0",
        "FLY_GHA_FLEET__DATABASE_URL": f"sqlite:///{folder}/fleet.db",
        **more,
    }


def port_of(world, name):
    return json.loads(world.place.world.read_text())["ports"][name]


def refused(world, folder, **more):
    """What serve says when it will not start; no Machine of it was ever asked for."""
    done = verb("serve", "--log-level", "error", "--config", str(world.place.fleet), env=own(folder, **more))
    assert done.returncode == 2, done.stderr
    url = f"http://127.0.0.1:{port_of(world, 'fly')}/_sim/journal"
    entries = httpx.get(url, trust_env=False).json()["entries"]
    assert [entry for entry in entries if entry["kind"] == "machine_created"]
    assert not [entry for entry in entries if FLEET in json.dumps(entry)]
    return done.stderr


def test_regions_apps_and_groups_that_are_not_there_or_are_open_are_told_at_once_with_key_and_fix(
    world, tmp_path
):
    made = httpx.post(
        f"http://127.0.0.1:{port_of(world, 'github')}/_sim/runner-groups",
        json={"name": "open", "allows_public": True},
        trust_env=False,
    )
    assert made.status_code == 201
    pools = [
        {**POOL, "regions": ["iad", "xyz"], "apps": ["acme-runners-c", "elsewhere"]},
        {**POOL, "name": "gha-large", "runner_group": "none"},
        {**POOL, "name": "gha-xlarge", "runner_group": "open"},
    ]
    said = refused(world, tmp_path, FLY_GHA_POOLS=json.dumps(pools))
    for detail, fix in {
        "Fly has no region xyz": "correct pools.regions: choose from ",
        "Fly knows no app elsewhere": "or correct pools.apps",
        "orgs/acme has no runner group none": "or correct pools.runner_group",
        "group open of orgs/acme lets public repositories in": "forbid public repositories in the group",
    }.items():
        at = next(number for number, line in enumerate(said.splitlines()) if detail in line)
        assert fix in said.splitlines()[at + 1], said
    assert "gha-small" not in said


def test_a_wrong_project_at_infisical_is_told_with_its_keys(world, tmp_path):
    said = refused(world, tmp_path, FLY_GHA_INFISICAL__PROJECT_ID="another")
    assert "next: correct infisical.project_id, which is 'another'" in said


def test_a_permission_that_the_apps_token_lacks_is_named_with_where_to_grant_it(world, tmp_path):
    """A token that GitHub itself has narrowed: what is refused is the reading of the runner groups."""
    key = {"FLY_GHA_FLEET__SECRETS_FILE": str(world.place.publisher_secrets)}
    settings, few = load_settings(world.place.fleet, key), {"actions": "read", "metadata": "read"}

    async def narrowed():
        connections = connect(settings, SystemClock(), {}, as_app=True)
        await connections.keys.refresh()
        token, ends = await connections.minter.installation_token("acme", few)
        await connections.close()
        return PublishedToken(token, ends, few).to_secret()

    token = asyncio.run(narrowed()).get_secret_value()
    secrets = tmp_path / "secrets"
    fly = json.loads(world.place.world.read_text())["fly"]["api_token"]
    secrets.write_text(f"FLY_API_TOKEN={fly}\nGITHUB_INSTALLATION_TOKEN_ACME={token}\n")
    secrets.chmod(0o600)
    local = {"FLY_GHA_FLEET__SECRETS": "local", "FLY_GHA_FLEET__SECRETS_FILE": str(secrets)}
    said = refused(world, tmp_path, **local)
    assert "GitHub asks for organization_self_hosted_runners=read" in said
    assert "grant it in the App's settings, under Permissions" in said
    assert "it was made without organization_self_hosted_runners: write" in said
    assert json.loads(token)["token"] not in said


def test_observe_warns_of_what_would_end_serve_and_goes_on(world, tmp_path):
    wrong = own(tmp_path, FLY_GHA_POOLS=json.dumps([{**POOL, "regions": ["xyz"]}]), PYTHONUNBUFFERED="1")
    with running([*SERVE, "--observe", "--config", str(world.place.fleet)], wrong) as watching:
        warned = until_line(watching, "preflight.not_ok")
        assert "xyz" in warned
        until_line(watching, "dispatcher.started")
        assert stopped(watching) == 0


def test_without_an_upstream_that_answers_serve_starts_and_is_not_ready(world, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    nobody = "http://127.0.0.1:9"
    away = own(
        tmp_path,
        FLY_API_HOSTNAME=nobody,
        GITHUB_API_URL=nobody,
        INFISICAL_API_URL=nobody,
        FLY_GHA_FLEET__PORT=str(port),
        PYTHONUNBUFFERED="1",
    )
    with running([*SERVE, "--config", str(world.place.fleet)], away) as waiting:
        until_line(waiting, "dispatcher.started")
        ready = until(lambda: httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False))
        assert ready.status_code == 503
        assert stopped(waiting) == 0


# What follows asks the simulators in this process.


async def looked(world):
    return await preflight(world.fleet.connections)


async def test_a_fleet_that_is_well_has_nothing_wrong_and_its_groups_are_read_already(tmp_path):
    async with open_world(tmp_path, pools=[pool(), pool("gha-large", scope="repos/acme/api")]) as world:
        found = await looked(world)
        assert {each.verdict for each in found.findings} == {Verdict.OK}
        assert found.scopes["orgs/acme"].group("default").allows_public is False
        assert found.scopes["repos/acme/api"].private is True


@pytest.mark.parametrize("host", ["fly.sim", "github.sim"])
async def test_who_cannot_be_reached_is_unknown_and_never_wrong(tmp_path, host):
    async with open_world(tmp_path) as world:
        world.net.down(host)
        found = await looked(world)
    assert found.wrong == ()
    assert Verdict.UNKNOWN in {each.verdict for each in found.findings}


async def test_a_credential_that_is_not_there_yet_is_waited_for(tmp_path):
    async with open_world(tmp_path, environ={}) as world:
        found = await looked(world)
    assert found.wrong == ()


async def test_an_infisical_that_nobody_can_open_is_wrong(tmp_path):
    """What opens it is in this process's own environment."""
    async with open_world(tmp_path, environ={}, fleet={"secrets": "infisical"}) as world:
        (line,) = (await looked(world)).wrong
    assert "INFISICAL_CLIENT_ID" in line.detail


async def test_a_login_that_infisical_refuses_does_not_end_serve_whose_restarts_would_lock_the_id(tmp_path):
    """What serve goes on with does not log in again, and finds a secret that was mended at once."""
    opener = {"INFISICAL_CLIENT_ID": "id-dispatcher", "INFISICAL_CLIENT_SECRET": "wrong"}
    infisical = {"project_id": "proj-1"}
    async with open_world(
        tmp_path, environ=opener, fleet={"secrets": "infisical"}, infisical=infisical
    ) as world:
        connections = world.fleet.connections
        logins = world.net.count("POST", "/universal-auth/login")
        for _ in range(5):
            found = await preflight(connections)
            assert found.wrong == ()
        assert world.net.count("POST", "/universal-auth/login") - logins <= 1
        (line,) = [each for each in found.findings if each.about == "credentials' place"]
        assert line.verdict is Verdict.UNKNOWN
        assert "client id or secret is wrong" in line.detail
        world.environ["INFISICAL_CLIENT_SECRET"] = "s3cret-dispatcher"
        assert (await preflight(connections)).findings[0].verdict is Verdict.OK


@pytest.mark.parametrize(
    ("path", "status", "about"),
    [
        ("/v1/apps/app-a$", 403, "Fly app app-a"),
        ("/orgs/acme/actions/runner-groups", 404, "runner group of gha-small"),
        ("/orgs/acme/actions/runner-groups", 403, "runner group of gha-small"),
    ],
)
async def test_whoever_says_no_is_believed(tmp_path, path, status, about):
    async with open_world(tmp_path) as world:
        world.net.rule("answer", "GET", path, status=status)
        (line,) = (await looked(world)).wrong
    assert line.about == about
    assert line.next_step


async def test_a_fly_token_that_may_not_list_the_regions_is_no_fault(tmp_path):
    async with open_world(tmp_path) as world:
        world.net.rule("answer", "GET", "/v1/platform/regions", status=403)
        assert (await looked(world)).wrong == ()


async def test_a_published_token_that_github_takes_no_more_is_waited_for(tmp_path):
    async with open_world(tmp_path) as world:
        world.net.rule("answer", "GET", "/orgs/acme/actions/runner-groups", status=401)
        assert (await looked(world)).wrong == ()


async def test_an_app_without_the_permission_is_wrong_with_all_that_it_needs(tmp_path):
    """Where the dispatcher holds the key: GitHub refuses to mint the token."""
    async with open_world(tmp_path, github={"credentials": "app", "app_id": str(APP_ID)}) as world:
        world.environ["GITHUB_APP_PRIVATE_KEY"] = private_pem(APP_KEY)
        del world.github.directory.installation.permissions["organization_self_hosted_runners"]
        (line,) = (await looked(world)).wrong
    assert "organization_self_hosted_runners: write" in line.detail
    assert "App's settings, under Permissions" in line.next_step


async def test_it_takes_no_longer_than_a_call_may_whoever_hangs(tmp_path):
    async with open_world(tmp_path, timing={"upstream_deadline": 0.2}) as world:
        for what in ("/v1/", "/orgs/acme/actions/runner-groups"):
            world.net.rule("delay", "GET", what)
        async with asyncio.timeout(5):
            found = await looked(world)
    assert found.wrong == ()
    assert "did not answer in time" in {each.detail for each in found.findings} or found.scopes == {}
