"""tests/live themselves, against the simulators: they work, they clean up, and they find what is wrong.

What they say of Fly, GitHub and Infisical is true of the real ones only.
"""

import importlib
import json
import subprocess
import sys
from datetime import datetime

import httpx
import pytest
from cli_world import LIVE_APP, LIVE_FOLDER, LIVE_GROUP, LIVE_LISTER, LIVE_USER_TOKEN, ROOT, environment
from pydantic import SecretStr

from fly.client import FlyClient
from machines.prices import dearest_usd_per_hour

DIGEST = f"registry.fly.io/acme-runners-a@sha256:{'d' * 64}"


def live_tests(world, folder, *more, **env):
    """pytest tests/live in a process of its own, as `make live` runs it."""
    token, lister = folder / "user.token", folder / "lister.secrets"
    token.write_text(LIVE_USER_TOKEN)
    lister.write_text(f"INFISICAL_CLIENT_ID={LIVE_LISTER}\nINFISICAL_CLIENT_SECRET={LIVE_LISTER}\n")
    for path in (token, lister):
        path.chmod(0o600)
    told = {
        "CONFIG": str(world.place.fleet),
        "FLY_APP": LIVE_APP,
        "FLY_IMAGE": DIGEST,
        "GITHUB_GROUP": LIVE_GROUP,
        "INFISICAL_WRITER_FILE": str(world.place.publisher_secrets),
        "INFISICAL_PATH": LIVE_FOLDER,
        "INFISICAL_BLIND_FILE": str(lister),
        "CANARY_REPOSITORY": "acme/web",
        "CANARY_TOKEN_FILE": str(token),
        "PATIENCE_S": "60",
        "LOOK_S": "0.1",
    }
    given = {f"FLY_GHA_LIVE_{name}": value for name, value in told.items()}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "tests/live",
        "--live",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
    ]
    return subprocess.run(
        [*command, "-v", *more],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=100,
        env=environment({**given, **env}),
    )


def journal(world, name):
    port = json.loads(world.place.world.read_text())["ports"][name]
    return httpx.get(f"http://127.0.0.1:{port}/_sim/journal", trust_env=False).json()["entries"]


def test_every_live_test_passes_against_the_simulators_and_leaves_nothing(world, tmp_path):
    done = live_tests(world, tmp_path, "--live-canary")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " SKIPPED " not in done.stdout
    fly, github = journal(world, "fly"), journal(world, "github")
    made = [each for each in fly if each["kind"] == "machine_created" and each["app"] == LIVE_APP]
    gone = {each["name"] for each in fly if each["kind"] == "machine_destroyed"}
    assert len(made) == 2
    assert {each["name"] for each in made} <= gone
    removed = [each["name"] for each in github if each["kind"] == "runner_removed"]
    assert len([name for name in removed if name.startswith("fly-gha-live-")]) == 1
    assert "what was found out" in done.stdout


@pytest.fixture
def throwaway(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests/live"))
    return importlib.import_module("throwaway")


def test_the_throw_away_machine_costs_less_than_a_cent(throwaway):
    assert dearest_usd_per_hour(throwaway.tiny(), ()) * 900 / 3600 < 0.01
    body = throwaway.tiny_create("n", "a", "iad", DIGEST, start=False).model_dump(mode="json")
    assert body["config"]["guest"] == {"cpu_kind": "shared", "cpus": 1, "memory_mb": 512}


async def test_only_what_an_earlier_run_left_is_swept(throwaway):
    def machine(name, owner, created_at):
        tags = {"metadata": {"fly_gha_fleet": owner}} if owner else {}
        return {"id": name, "name": name, "state": "stopped", "created_at": created_at, "config": tags}

    old, new = "2026-01-01T00:00:00Z", "2026-01-01T00:58:00Z"
    listed = [
        machine("left-over", "fly-gha-live", old),
        machine("of-this-run", "fly-gha-live", new),
        machine("anothers", "acme", old),
        machine("nobodys", "", old),
        machine("odd", "fly-gha-live", "?"),
    ]
    destroyed = []

    def answer(request):
        if request.method == "DELETE":
            destroyed.append(request.url.path.rpartition("/")[2])
        return httpx.Response(200, json=listed)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        fly = FlyClient(http, token=lambda: SecretStr("fm2_x"))
        now = datetime.fromisoformat("2026-01-01T01:00:00Z").timestamp()
        assert await throwaway.sweep_machines(fly, "acme-live", now) == ["left-over"]
    assert destroyed == ["left-over"]


def test_an_option_that_fly_ignored_is_found(throwaway):
    not_kept = throwaway.not_kept
    sent = {"auto_destroy": True, "rootfs": {"size_gb": 12}, "env": {"A": "1"}}
    assert not_kept(sent, {**sent, "more": 1, "env": {"A": "1", "B": "2"}}) == {}
    listed = {"processes": [{"user": "root"}], "stop_config": {"timeout": "30s"}}
    kept = {"processes": [{"user": "root", "more": 1}], "stop_config": {"timeout": 30_000_000_000}}
    assert not_kept(listed, kept) == {}
    assert not_kept(listed, {"processes": [{}], "stop_config": {"timeout": "31s"}}).keys() == {
        ".processes.0.user",
        ".stop_config.timeout",
    }
    assert not_kept(sent, {"auto_destroy": True, "rootfs": {}, "env": {"A": "2"}}) == {
        ".rootfs.size_gb": (12, None),
        ".env.A": ("1", "2"),
    }
