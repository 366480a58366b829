"""A Machine's body is a real process: isolated, killed as a whole, and never left behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from simulator.fly import reaper
from simulator.fly.body import BodyBoot, BodyExit, ScriptBody
from simulator.fly.process_body import ProcessBody
from simulator.fly.refusals import no_oidc

AGENT = """
import http.client, json, os, socket, subprocess, sys, time
runner = os.environ["FLY_GHA_RUNNER_DIR"]
what = os.environ["WHAT"]
print("agent up", flush=True)

def token(aud):
    s = socket.socket(socket.AF_UNIX); s.connect(os.environ["FLY_API_SOCKET"])
    c = http.client.HTTPConnection("localhost"); c.sock = s
    c.request("POST", "/v1/tokens/oidc", json.dumps({"aud": aud}))
    r = c.getresponse()
    return r.status, r.read().decode()

if what == "report":
    print(json.dumps({"env": sorted(os.environ), "home": os.environ["HOME"], "runner": os.listdir(runner),
        "token": token("me"), "run": subprocess.check_output([runner + "/run.sh"], text=True),
        "site": "site" in sys.modules}))
    sys.exit(22)
if what == "children":
    quiet = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]
    subprocess.Popen(quiet)
    subprocess.Popen(quiet, start_new_session=True)
    subprocess.Popen(quiet, start_new_session=True, env={})
    print("ready", flush=True)
    time.sleep(600)
if what == "orphan":
    quiet = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]
    subprocess.Popen(quiet, start_new_session=True)
    sys.exit(0)
if what == "suicide":
    os.killpg(0, 9)
if what == "noise":
    for n in range(30000):
        print("line", n)
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    folder = tmp_path / "template"
    folder.mkdir()
    script = folder / "run.sh"
    script.write_text("#!/usr/bin/env python3\nprint('runner ran')\n")
    script.chmod(0o755)
    return folder


@pytest.fixture
async def body(tmp_path: Path, template: Path):
    agent = tmp_path / "agent.py"
    agent.write_text(AGENT)
    body = ProcessBody(agent, template)
    yield body
    await body.close()
    assert not body._root.exists()


class Occupant:
    """One boot and how it ended."""

    def __init__(
        self, body: ProcessBody, what: str, mint: Callable[[str | None], str] = lambda aud: f"jwt:{aud}"
    ):
        self.body = body
        self.id = f"{what:.14}".ljust(14, "0")
        self.ended: asyncio.Future[BodyExit] = asyncio.get_running_loop().create_future()
        body.start(BodyBoot(self.id, {"WHAT": what}, mint, self.ended.set_result))

    async def exit(self) -> BodyExit:
        return await asyncio.wait_for(self.ended, 20)

    async def says(self, text: str) -> None:
        await eventually(lambda: text in self.body.log(self.id))

    def processes(self) -> list[int]:
        return reaper.strays(self.body._root / self.id)


async def eventually(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not reached():  # noqa: ASYNC110 - it is another process that changes
            await asyncio.sleep(0.01)


async def test_an_agent_sees_only_its_machines_environment_and_its_exit_code_is_told(body) -> None:
    occupant = Occupant(body, "report")
    assert await occupant.exit() == BodyExit(22)
    report = json.loads(body.log(occupant.id).splitlines()[-1])
    assert set(report["env"]) - {"LC_CTYPE"} == {
        *("WHAT", "FLY_API_SOCKET", "FLY_GHA_RUNNER_DIR", "HOME", "TMPDIR", "LANG", "PATH"),
    }
    assert report["token"] == [200, "jwt:me"]
    assert report["runner"] == ["run.sh"]
    assert report["run"] == "runner ran\n", "the copy keeps its executable bits"
    assert report["site"] is False, "the agent must get by with the standard library"
    assert not (body._root / occupant.id).exists(), "the root filesystem is gone with the Machine"


async def test_a_kill_takes_the_whole_tree_even_what_left_its_group(body) -> None:
    occupant = Occupant(body, "children")
    await occupant.says("ready")
    assert len(occupant.processes()) == 4
    body.kill(occupant.id)
    assert await occupant.exit() == BodyExit(137, 9)
    await eventually(lambda: occupant.processes() == [])


async def test_what_the_agent_leaves_running_ends_when_the_agent_ends(body) -> None:
    occupant = Occupant(body, "orphan")
    assert await occupant.exit() == BodyExit(0)
    await eventually(lambda: occupant.processes() == [])


async def test_a_group_that_kills_itself_is_a_machine_that_died(body) -> None:
    assert await Occupant(body, "suicide").exit() == BodyExit(137, 9)


async def test_a_signal_reaches_the_main_process(body) -> None:
    occupant = Occupant(body, "children")
    await occupant.says("ready")
    body.signal(occupant.id, signal.SIGTERM)
    assert await occupant.exit() == BodyExit(143, 15)
    await eventually(lambda: occupant.processes() == [])


async def test_a_kill_that_comes_before_the_process_is_up_still_ends_it(body) -> None:
    occupant = Occupant(body, "children")
    body.kill(occupant.id)
    assert (await occupant.exit()).signal == 9


async def test_a_frozen_body_stands_still_and_goes_on_when_thawed(body) -> None:
    occupant = Occupant(body, "children")
    await occupant.says("ready")
    processes = [psutil.Process(pid) for pid in occupant.processes()]
    body.freeze(occupant.id)
    await eventually(lambda: {p.status() for p in processes} == {psutil.STATUS_STOPPED})
    body.thaw(occupant.id)
    await eventually(lambda: psutil.STATUS_STOPPED not in {p.status() for p in processes})
    body.kill(occupant.id)
    await occupant.exit()


async def test_the_log_keeps_the_end_and_stays_small(body) -> None:
    occupant = Occupant(body, "noise")
    assert await occupant.exit() == BodyExit(0)
    assert body.log(occupant.id).endswith("line 29999\n")
    assert len(body.log(occupant.id)) <= 64 * 1024
    assert body.log("never-booted") == ""


async def test_the_token_socket_says_what_is_wrong(body) -> None:
    def broken(_: str | None) -> str:
        raise no_oidc()

    occupant = Occupant(body, "children", broken)
    await occupant.says("ready")
    socket = body._root / occupant.id / "api"
    assert len(str(socket)) <= 100

    async def ask(head: str, content: str) -> str:
        reader, writer = await asyncio.open_unix_connection(socket)
        writer.write(f"{head} HTTP/1.1\r\nContent-Length: {len(content)}\r\n\r\n{content}".encode())
        answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
        return answer

    assert "500" in await ask("POST /v1/tokens/oidc", '{"aud": "x"}')
    assert "400" in await ask("POST /v1/tokens/oidc", "{")
    assert "400" in await ask("POST /v1/tokens/oidc", "[]")
    assert "404" in await ask("GET /v1/apps", "")
    body.kill(occupant.id)
    await occupant.exit()


def test_a_body_that_could_never_run_is_refused_at_once(tmp_path: Path, template: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"agent\.py"):
        ProcessBody(tmp_path / "agent.py", template)
    (tmp_path / "agent.py").write_text("")
    with pytest.raises(ValueError, match="too long"):
        ProcessBody(tmp_path / "agent.py", template, tmp_path / ("x" * 80))


def test_a_killed_simulator_leaves_no_process_and_no_directory(tmp_path: Path, template: Path) -> None:
    (tmp_path / "agent.py").write_text(AGENT)
    (tmp_path / "simulate.py").write_text(
        """
import asyncio, sys
from pathlib import Path
from simulator.fly.body import BodyBoot
from simulator.fly.process_body import ProcessBody
async def main():
    body = ProcessBody(Path(sys.argv[1]), Path(sys.argv[2]))
    body.start(BodyBoot("m", {"WHAT": "children"}, lambda aud: "jwt", print))
    while "ready" not in body.log("m"):
        await asyncio.sleep(0.01)
    print(body._root, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""
    )
    command = [sys.executable, tmp_path / "simulate.py", tmp_path / "agent.py", template]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as simulator:
        assert simulator.stdout is not None
        root = Path(simulator.stdout.readline().strip())
        assert len(reaper.strays(root)) == 4
        os.kill(simulator.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while root.exists() or reaper.strays(root):
        assert time.monotonic() < deadline, "processes or directory left behind"
        time.sleep(0.02)


async def test_a_script_is_a_body_too() -> None:
    async def script(boot: BodyBoot) -> int:
        await asyncio.sleep(float(boot.env["SECONDS"]))
        return 5

    body = ScriptBody(script)
    loop = asyncio.get_running_loop()
    ended: dict[str, asyncio.Future[BodyExit]] = {"quick": loop.create_future(), "slow": loop.create_future()}
    body.start(BodyBoot("quick", {"SECONDS": "0"}, str, ended["quick"].set_result))
    body.start(BodyBoot("slow", {"SECONDS": "600"}, str, ended["slow"].set_result))
    assert await ended["quick"] == BodyExit(5)
    await asyncio.sleep(0)
    body.signal("slow", 15)
    assert await ended["slow"] == BodyExit(143, 15)
    await body.close()
