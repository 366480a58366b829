"""A fleet as an operator has one: simulators, publisher and dispatcher as processes, and ``fly-gha``."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from typer.testing import CliRunner, Result

from runners.cli.demo.place import Place, prepare
from runners.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SCALE = 20.0
PATIENCE_S = 40.0
LOOK_S = 0.05
OURS = ("FLY_", "GITHUB_", "INFISICAL_")


@dataclass(frozen=True)
class Served:
    """What is up, one job that it has finished, and the process of the simulated worlds."""

    place: Place
    github: str
    job_id: int
    run_id: int
    job_url: str
    worlds: subprocess.Popen

    @property
    def access(self) -> dict[str, str]:
        """The environment of somebody who may ask."""
        return {"FLY_GHA_URL": self.place.url, "FLY_GHA_TOKEN_FILE": str(self.place.token_file)}

    def queue(self, *labels: str, seconds: float = 0.2, **more: Any) -> dict:
        """Queue a run of one job at GitHub."""
        job = {
            "name": "build",
            "labels": list(labels),
            "steps": [{"name": "build", "seconds": seconds}],
            **more,
        }
        body = {"repository": "acme/web", "workflow_name": "CI", "head_branch": "main", "event": "push"}
        answer = httpx.post(f"{self.github}/_sim/runs", json={**body, "jobs": [job]}, trust_env=False)
        answer.raise_for_status()
        return answer.json()


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without settings of ours, in 80 columns."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**kept, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb", **(extra or {})}


def ask(*arguments: str, env: Mapping[str, str] | None = None) -> Result:
    """``fly-gha`` in this process, a second quicker; an exception that comes out of it is a failure."""
    given = {name: None for name in os.environ if name.startswith(OURS)}
    given |= {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb", **(env or {})}
    result = CliRunner().invoke(app, list(arguments), env=given)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def verb(
    *arguments: str, env: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess:
    """``fly-gha`` as a process, to its end; whatever it was given, it never answers with a traceback."""
    command = [sys.executable, "-m", "runners.cli", *arguments]
    given = environment({"PYTHONPATH": str(ROOT), **(env or {})})
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=given, cwd=cwd
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


@contextlib.contextmanager
def running(command: list[str] | str, env: Mapping[str, str], cwd: Path = ROOT) -> Iterator[subprocess.Popen]:
    """A process that goes on until told to stop; its whole group ends with the context."""
    process = subprocess.Popen(
        command,
        shell=isinstance(command, str),
        executable="/bin/bash" if isinstance(command, str) else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(env),
        cwd=cwd,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def until_line(process: subprocess.Popen, word: str) -> str:
    """Its first line with ``word``; the test's timeout bounds the wait."""
    seen = []
    for line in process.stdout:
        seen.append(line)
        if word in line:
            return line
    raise AssertionError(f"it ended without saying {word!r}:\n{''.join(seen)}")


def stopped(process: subprocess.Popen, number: int = signal.SIGTERM) -> int:
    """Its exit code after a signal."""
    os.killpg(process.pid, number)
    rest = process.stdout.read()
    assert "Traceback" not in rest, rest
    return process.wait(timeout=PATIENCE_S)


@contextlib.contextmanager
def served(folder: Path, alter: Callable[[str], str] = lambda text: text) -> Iterator[Served]:
    """Start everything, run one job, and end everything.

    Args:
        folder: where all files are.
        alter: changes the text of fleet.toml before anything starts.
    """
    place = prepare(folder, seed=3, scale=SCALE)
    place.fleet.write_text(alter(place.fleet.read_text()))
    _add_what_live_tests_use(place)
    simulators = [
        sys.executable,
        "-m",
        "simulator.serve",
        "--config",
        str(place.world),
        "--parent-pid",
        str(os.getpid()),
    ]
    with contextlib.ExitStack() as stack:
        worlds = stack.enter_context(running(simulators, {}))
        urls = json.loads(until_line(worlds, "{"))
        publish = ("tokens", "publish", "--once", "--config", str(place.fleet))
        done = verb(*publish, env={"FLY_GHA_FLEET__SECRETS_FILE": str(place.publisher_secrets)})
        assert done.returncode == 0, done.stderr
        made = verb("token", "create", "--local", "--config", str(place.fleet))
        place.token_file.write_text(made.stdout)
        serve = [
            sys.executable,
            "-m",
            "runners.cli",
            "serve",
            "--log-level",
            "error",
            "--config",
            str(place.fleet),
        ]
        stack.enter_context(running(serve, {}))
        until(lambda: _ready(place.url))
        first = Served(place, urls["github"], 0, 0, "", worlds)
        queued = first.queue("fly-gha-medium")
        job = until(lambda: _finished(place, queued["job_ids"][0]))
        yield replace(first, job_id=job["id"], run_id=job["run_id"], job_url=job["html_url"])


LIVE_APP, LIVE_GROUP, LIVE_FOLDER, LIVE_LISTER = "acme-live", "live", "/live", "lister"
LIVE_WORKFLOW, LIVE_USER_TOKEN = "fly-gha-canary.yml", "ghp_simulated"


def _add_what_live_tests_use(place: Place) -> None:
    """An app, a group, a folder and a workflow that no pool knows: nothing changes for the fleet."""
    world = json.loads(place.world.read_text())
    world["fly"]["apps"].append(LIVE_APP)
    world["github"] |= {
        "runner_groups": [LIVE_GROUP],
        "workflows": {LIVE_WORKFLOW: ["fly-gha-medium", "fly-gha-small"]},
        "user_token": LIVE_USER_TOKEN,
    }
    world["infisical"]["folders"] = [LIVE_FOLDER]
    world["infisical"]["identities"].append(
        {"name": LIVE_LISTER, "client_id": LIVE_LISTER, "client_secret": LIVE_LISTER, "role": "lister"}
    )
    place.world.write_text(json.dumps(world))


def until(look: Callable[[], Any]) -> Any:
    """What ``look`` sees as soon as it sees something."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if seen := look():
            return seen
        time.sleep(LOOK_S)
    raise AssertionError(f"not within {PATIENCE_S:g} s")


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).is_success
    except httpx.TransportError:
        return False


def _finished(place: Place, job_id: int) -> dict | None:
    """The job, when every phase of its way is over."""
    headers = {"Authorization": f"Bearer {place.token_file.read_text().strip()}"}
    answer = httpx.get(f"{place.url}/v1/jobs/{job_id}", headers=headers, trust_env=False)
    job = answer.json().get("job")
    return job if job and all(phase["at"] for phase in job["phases"]) else None
