"""The served world: three simulators in one process that announces itself once and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator.fly import reaper

AGENT = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("agent up in", os.path.dirname(os.getcwd()), flush=True)
time.sleep(600)
"""
TOKEN = {"authorization": "Bearer fly-token"}


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "agent.py").write_text(AGENT)
    (tmp_path / "runner").mkdir()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {
        "seed": 3,
        "scale": 20.0,
        "fly": {
            "apps": ["runners-a"],
            "api_token": "fly-token",
            "agent": str(tmp_path / "agent.py"),
            "runner_template": str(tmp_path / "runner"),
        },
        "github": {
            "app_public_key": pem.decode(),
            "webhook_url": "http://127.0.0.1:9/webhooks/github",
            "webhook_secret": "webhook-secret",
            "repositories": ["widgets", {"name": "site", "private": False}],
            "runner_groups": ["runners"],
        },
        "infisical": {
            "identities": [
                {"name": "publisher", "client_id": "id", "client_secret": "secret", "role": "writer"}
            ],
            "secrets": {"FLY_API_TOKEN": "fly-token"},
        },
    }


@pytest.fixture
def command(tmp_path: Path, config: dict[str, Any]) -> list[str]:
    file = tmp_path / "world.json"
    file.write_text(json.dumps(config))
    return [sys.executable, "-m", "simulator.serve", "--config", str(file)]


@pytest.fixture
def served(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
        process.kill()


def eventually(reached: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def boot_machine(fly: str) -> Path:
    """Create a Machine, wait for its agent, and return the simulator's directory that its processes name."""
    machines = f"{fly}/v1/apps/runners-a/machines"
    created = httpx.post(machines, json={"name": "m-1", "config": {"image": "runner:1"}}, headers=TOKEN)
    log = f"{fly}/_sim/machines/{created.json()['id']}/log"
    eventually(lambda: "agent up" in httpx.get(log).text, "the agent does not run")
    root = Path(httpx.get(log).text.split()[-1]).parent
    assert len(reaper.strays(root)) == 2
    return root


def gone(root: Path) -> bool:
    return not root.exists() and not reaper.strays(root)


def test_all_three_answer_at_the_announced_addresses(served) -> None:
    _, urls = served
    assert httpx.get(f"{urls['fly']}/v1/apps/runners-a/machines", headers=TOKEN).json() == []
    issuer = httpx.get(f"{urls['fly']}/oidc/acme/.well-known/openid-configuration").json()["issuer"]
    assert issuer == f"{urls['fly']}/oidc/acme"
    assert httpx.get(f"{urls['github']}/meta").status_code < 500
    login = f"{urls['infisical']}/api/v1/auth/universal-auth/login"
    assert httpx.post(login, json={"clientId": "id", "clientSecret": "secret"}).status_code == 200
    for name in ("fly", "github", "infisical"):
        assert "entries" in httpx.get(f"{urls[name]}/_sim/journal").json()


def test_a_lost_create_answer_hangs_until_the_caller_gives_up_and_the_machine_exists(served) -> None:
    _, urls = served
    httpx.post(f"{urls['fly']}/_sim/faults", json={"kind": "lost_create_answer"}).raise_for_status()
    machines = f"{urls['fly']}/v1/apps/runners-a/machines"
    request = {"name": "m-1", "skip_launch": True, "config": {"image": "runner:1"}}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(machines, json=request, headers=TOKEN, timeout=0.5)
    again = httpx.post(machines, json=request, headers=TOKEN)
    assert again.status_code == 409
    assert httpx.get(f"{urls['fly']}/_sim/state").json()["machines"][0]["id"] in again.json()["error"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_with_every_machine(served, signum) -> None:
    process, urls = served
    root = boot_machine(urls["fly"])
    process.send_signal(signum)
    assert process.wait(20) == 0
    assert gone(root)


def test_it_ends_when_its_parent_is_gone(command: list[str]) -> None:
    # The parent starts the world, passes its announcement on, and is killed without a chance to clean up.
    parent_code = (
        "import os, subprocess, sys;"
        "subprocess.run([*sys.argv[1:], '--parent-pid', str(os.getpid())], stdout=sys.stdout)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent_code, *command], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        urls = json.loads(parent.stdout.readline())
        root = boot_machine(urls["fly"])
        parent.kill()
        eventually(lambda: gone(root), "the world goes on without its parent")
        eventually(lambda: not alive(urls["pid"]), "the simulators go on without their parent")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"


def test_a_wrong_configuration_is_one_line_per_mistake_and_exit_2(tmp_path: Path, config) -> None:
    config["scale"] = 0
    config["fly"]["aps"] = []
    file = tmp_path / "world.json"
    file.write_text(json.dumps(config))
    ran = subprocess.run(
        [sys.executable, "-m", "simulator.serve", "--config", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    lines = ran.stderr.splitlines()
    assert len(lines) == 2
    assert any("scale" in line for line in lines)
    assert any("fly.aps" in line for line in lines)
