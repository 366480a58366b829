"""The world around a boot agent under test: its servers and a runner folder full of real scripts."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from boot_servers import FakeDispatcher, FlySocket

LAUNCHER = Path(__file__).with_name("boot_launcher.py")
BOOT = LAUNCHER.parents[2] / "machines" / "runner" / "boot.py"

JIT = "aml0LWNvbmZpZy1zZWNyZXQ" + "Q7" * 60
TOKEN = "AREGISTRATIONTOKENSECRET23456"
HOOK_TOKEN = "hook-token-secret-5f1c"
SECRETS = (JIT, TOKEN, HOOK_TOKEN)

JIT_CLAIM = {
    "runner": "gha-medium-1",
    "registration": {"kind": "jit", "jit_config": JIT},
    "hook_token": HOOK_TOKEN,
    "online_deadline_s": 10.0,
    "now": 0.0,
}
TOKEN_REGISTRATION = {
    "kind": "token",
    "token": TOKEN,
    "url": "https://github.com/acme",
    "name": "gha-medium-1",
    "labels": ["fly-gha-medium", "linux"],
    "runner_group": "fly",
    "work_folder": "_work",
}
TOKEN_CLAIM = {**JIT_CLAIM, "registration": TOKEN_REGISTRATION}

# Short enough for a suite, long enough for a busy machine.
PACE = {
    "claim_gap": 0.03,
    "claim_read": 5.0,
    "backoff_first": 0.02,
    "backoff_max": 0.1,
    "retry_wait": 0.05,
    "update_wait": 3.0,
    "gentle": 0.4,
    "kill_offline": 0.4,
}

# What the scripts of a runner folder share. A "job" is what the real worker does: hooks around steps.
PRELUDE = """#!{python} -IS
import json, os, signal, subprocess, sys, time
NOTES = {notes!r}
def say(text): print(text, flush=True)
def note(name, what):
    with open(f"{{NOTES}}/{{name}}.part", "w") as file: json.dump(what, file)
    os.rename(f"{{NOTES}}/{{name}}.part", f"{{NOTES}}/{{name}}")
def noted(name): return os.path.exists(f"{{NOTES}}/{{name}}")
def online(): say("2026-11-20 10:00:00Z: Listening for Jobs")
def count(name):
    with open(f"{{NOTES}}/{{name}}", "a") as file: file.write("x")
    return os.path.getsize(f"{{NOTES}}/{{name}}")
def command_lines():
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try: found.append(open(f"/proc/{{pid}}/cmdline").read().replace("\\0", " "))
        except OSError: pass
    return found
def job():
    env = {{k: v for k, v in os.environ.items() if not k.startswith("ACTIONS_RUNNER_INPUT_")}}
    env |= {{"GITHUB_RUN_ID": "4711", "GITHUB_JOB": "build", "GITHUB_REPOSITORY": "acme/site",
            "GITHUB_WORKFLOW": "CI"}}
    told = {{}}
    for hook in ("STARTED", "COMPLETED"):
        began = time.monotonic()
        code = subprocess.run([env["ACTIONS_RUNNER_HOOK_JOB_" + hook]], env=env).returncode
        told[hook] = [code, time.monotonic() - began]
        if hook == "STARTED": note("job_env", env)
    note("hooks", told)
"""

GOOD_JOB = "online()\njob()\n"


@dataclass
class Ended:
    """How one agent ended."""

    code: int
    out: str
    steps: list
    err: str

    def details(self, step):
        return [line["detail"] for line in self.steps if line["step"] == step]


@dataclass
class BootWorld:
    """Everything one agent needs; ``begin`` starts it, ``end`` waits for it."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="boot-")))
    dispatcher: FakeDispatcher | None = None
    fly: FlySocket | None = None
    process: subprocess.Popen | None = None
    python: str = sys.executable

    def __post_init__(self):
        self.folder.chmod(0o755)
        self.runner_dir, self.notes = self.folder / "actions-runner", self.folder / "notes"
        for path in (self.runner_dir, self.runner_dir / "bin", self.notes, self.folder / "tmp"):
            path.mkdir()
            path.chmod(0o777 if path == self.notes else 0o755)  # whatever the umask: others must get in
        # Where an unprivileged user may read it, wherever the repository is.
        self.agent = self.folder / "agent"
        self.agent.mkdir()
        self.agent.chmod(0o755)
        for file in (LAUNCHER, BOOT, BOOT.with_name("hook.py")):
            shutil.copyfile(file, self.agent / file.name)
            (self.agent / file.name).chmod(0o644)
        self.fly = FlySocket(self.folder / "fly.sock")
        self.listener(GOOD_JOB)

    def dispatch(self, *claims, **options):
        self.dispatcher = FakeDispatcher(claims, **options)
        return self.dispatcher

    def listener(self, script):
        self._script(self.runner_dir / "bin" / "Runner.Listener", script)

    def config(self, script):
        self._script(self.runner_dir / "config.sh", script)

    def _script(self, path, script):
        path.write_text(PRELUDE.format(python=self.python, notes=str(self.notes)) + script)
        path.chmod(0o755)

    def note(self, name):
        return json.loads((self.notes / name).read_text())

    def begin(self, env=(), *, command=None, user="runner", flags=(), **pace):
        own = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
            "FLY_GHA_URL": self.dispatcher.url if self.dispatcher else "http://127.0.0.1:9",
            "FLY_GHA_CLAIM_DEADLINE_S": "8",
            "FLY_API_SOCKET": self.fly.path if self.fly else str(self.folder / "nothing.sock"),
            "FLY_GHA_RUNNER_DIR": str(self.runner_dir),
            **dict(env),
        }
        paced = [
            self.python,
            "-I",
            "-S",
            str(self.agent / LAUNCHER.name),
            json.dumps({**PACE, **pace}),
            user,
            *flags,
        ]
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as err:
            self.process = subprocess.Popen(
                command or paced, env=own, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )

    def end(self, seconds=15):
        code = self.process.wait(seconds)
        err = (self.folder / "err").read_text()
        steps = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
        return Ended(code, (self.folder / "out").read_text(), steps, err)

    def run(self, env=(), **pace):
        self.begin(env, **pace)
        return self.end()

    def until(self, condition, seconds=10):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.01)

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for server in (self.dispatcher, self.fly):
            if server:
                server.close()
