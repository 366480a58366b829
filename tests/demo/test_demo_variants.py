"""Every way of registering and of holding credentials, with and without spares, passes; no credential shows.

Each demo is watched from its start to its end: every process's arguments and environment, the logs, the
database, the events, the page, the metrics, and what Fly knows of the Machines.
"""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.demo.canary import Search, Watcher, forms

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.timeout(110)]

SHOWN = {
    "/v1/status",
    "/v1/events",
    "/v1/jobs",
    "/v1/runners",
    "/metrics",
    "/readyz",
    "the page",
    "Machines at Fly",
    "FlySim's journal",
    "FlySim's state",
    "dispatcher.log",
    "simulators.log",
    "fleet.db",
    "fleet.toml",
}
QUICK = ("--jobs", "12", "--scale", "40")


@pytest.mark.parametrize(
    ("registration", "credentials", "spares", "modes"),
    [
        ("jit", "published", ("--ready", "2"), {"jit"}),
        ("token", "lease", ("--stopped", "2"), {"token"}),
        ("auto", "app", ("--stopped", "2", "--ready", "1"), {"jit", "token"}),
    ],
)
def test_the_demo_passes_in_every_mode_and_shows_no_credential_while_it_runs(
    tmp_path: Path, registration: str, credentials: str, spares: tuple[str, ...], modes: set[str]
) -> None:
    folder = tmp_path / "d"
    chosen = ("--registration", registration, "--credentials", credentials, *spares)
    command = [sys.executable, "-m", "runners.cli", "demo", "--folder", str(folder), *QUICK, *chosen]
    command += ["--json", str(tmp_path / "summary.json")]
    watcher = Watcher(folder)
    watcher.start()
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    search = watcher.end()
    search.look_at("the demo's output", (done.stdout + done.stderr).encode())

    assert done.returncode == 0, done.stdout + done.stderr
    checks = {check["name"]: check for check in json.loads((tmp_path / "summary.json").read_text())["checks"]}
    assert set(re.findall("jit|token", checks["registered_as_chosen"]["says"])) == modes
    assert checks["app_key_kept"]["ok"]
    assert checks["spares_served"]["ok"]
    assert search.hits == set()
    # What was looked at was there to be looked at, and what is allowed to be found was found.
    assert watcher.seen >= SHOWN
    if "jit" in modes:
        assert "github in ACTIONS_RUNNER_INPUT_JITCONFIG" in search.allowed


def test_what_is_searched_for_is_found_wherever_it_is_planted() -> None:
    """The positive control: were a credential there, the search above would say so."""
    secret = "fm2_planted/" + os.urandom(16).hex()
    program = "import sys; print(flush=True); sys.stdin.read()"
    planted = {
        "cmdline": ([sys.executable, "-c", program, f"--token={secret}"], {}),
        "environ": (
            [sys.executable, "-c", program],
            {"PLANTED": base64.b64encode(f"a:{secret}".encode()).decode()},
        ),
    }
    for part, (command, environment) in planted.items():
        search = Search({"planted": secret})
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **environment}
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdout.readline()
            search.look_at_processes()
            process.stdin.close()
        assert [hit for hit in search.hits if part in hit], part
    for text in (secret, quote(secret, safe=""), quote(secret, safe="").lower(), nested(secret)):
        search = Search({"planted": secret})
        search.look_at("a log", f'{{"detail": "… {text} …"}}'.encode())
        assert search.hits == {"planted in a log"}, text
    clean = Search({"planted": secret})
    clean.look_at("a log", b"nothing of the kind")
    assert clean.hits == set()


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def nested(secret: str) -> str:
    """As a JIT config holds a runner's key: base64 within JSON within base64, three times over."""
    key = json.dumps({"d": in_base64(f"12345{secret}")})
    return in_base64(json.dumps({".credentials_rsaparams": in_base64(key)}))


def test_a_short_secret_is_not_sought_in_a_form_that_chance_would_write() -> None:
    assert all(len(form) >= 16 for form in forms("0123456789abcdef"))
