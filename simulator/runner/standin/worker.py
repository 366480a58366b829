"""Runs one job: the started hook, the steps as real child processes, the completed hook.

As in the source of actions/runner 2.336. A hook that fails before the job fails the job: steps are skipped
then, but for those with `if: always()`; the completed hook runs before the end is reported. Each step and
hook first gets a file for its commands below the work folder, and fails where none can be made. Children get
the job's environment, and never an `ACTIONS_RUNNER_INPUT_*`.
"""

import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

from .terminal import error

# The real worker asks a step to stop, then insists, then kills.
INTERRUPT_GRACE = 7.5
TERMINATE_GRACE = 2.5
HOOK_STARTED = "ACTIONS_RUNNER_HOOK_JOB_STARTED"
HOOK_COMPLETED = "ACTIONS_RUNNER_HOOK_JOB_COMPLETED"


class Worker:
    """One job on this runner.

    Args:
        job: what the service sent.
        root: the runner's folder.
        work: the work folder, below the root.
        runner_name: this runner.
    """

    def __init__(self, job: dict[str, Any], root: Path, work: str, runner_name: str) -> None:
        self._job = job
        self._root = root
        self._work = root / work
        self._environment = self._job_environment(runner_name)
        self._child: subprocess.Popen[bytes] | None = None
        self._cancelled = threading.Event()

    @property
    def cancelled(self) -> bool:
        """Whether it was told to stop."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Stop the running step and do no further one; may be called from a signal handler or a thread."""
        self._cancelled.set()
        child = self._child
        if child is not None and child.poll() is None:
            child.send_signal(signal.SIGINT)
            for delay, sent in (
                (INTERRUPT_GRACE, signal.SIGTERM),
                (INTERRUPT_GRACE + TERMINATE_GRACE, signal.SIGKILL),
            ):
                timer = threading.Timer(delay, _send, (child, sent))
                timer.daemon = True
                timer.start()

    def run(self) -> tuple[str, list[str]]:
        """Run the job to its end; returns its conclusion and that of each step."""
        steps: list[str] = []
        failed = not self._hook(HOOK_STARTED)
        for step in self._job["steps"]:
            if self._cancelled.is_set():
                steps.append("cancelled")
            elif failed and not step["always"]:
                steps.append("skipped")
            else:
                steps.append(self._step(step))
                failed = failed or steps[-1] == "failure"
        cancelled = self._cancelled.is_set()
        failed = not self._hook(HOOK_COMPLETED) or failed
        if cancelled:
            return "cancelled", steps
        return ("failure" if failed else "success"), steps

    def _step(self, step: dict[str, Any]) -> str:
        if not self._make_command_file():
            return "failure"
        code = self._wait(["sleep", str(step["seconds"])])
        if self._cancelled.is_set():
            return "cancelled"
        if step["kind"] == "kill_machine":
            # The Machine dies: everything in it, this process included, without a word to anybody.
            os.killpg(os.getpgrp(), signal.SIGKILL)
        return "success" if step["kind"] == "sleep" and code == 0 else "failure"

    def _hook(self, name: str) -> bool:
        """Run a hook script if there is one; True when it did not fail."""
        path = os.environ.get(name)
        if not path:
            return True
        if not Path(path).exists() or not self._make_command_file():
            return False
        return self._wait(["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", path]) == 0

    def _make_command_file(self) -> bool:
        """FileCommandManager.InitializeFiles; False when the folder does not let us."""
        folder = Path(self._environment["RUNNER_TEMP"]) / "_runner_file_commands"
        try:
            folder.mkdir(exist_ok=True)
            (folder / f"set_env_{os.urandom(8).hex()}").touch()
        except OSError as wrong:
            error(f"##[error]{wrong}")
            return False
        return True

    def _wait(self, command: list[str]) -> int:
        """Run a child in the workspace with the job's environment."""
        self._child = subprocess.Popen(  # noqa: S603 - a step or hook of the scripted job
            command,
            env=self._environment,
            cwd=self._environment["GITHUB_WORKSPACE"],
            stdin=subprocess.DEVNULL,
        )
        if self._cancelled.is_set() and command[0] == "sleep":
            self.cancel()
        return self._child.wait()

    def _job_environment(self, runner_name: str) -> dict[str, str]:
        job = self._job
        owner, _, name = job["repository"].partition("/")
        ref = f"refs/heads/{job['head_branch']}"
        workspace, temp = self._work / name / name, self._work / "_temp"
        for folder in (workspace, temp, self._work / "_tool"):
            folder.mkdir(parents=True, exist_ok=True)
        event = temp / "event.json"
        event.write_text(json.dumps(_payload(job)))
        return {
            **os.environ,
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": "octocat",
            "GITHUB_API_URL": job["api_url"],
            "GITHUB_EVENT_NAME": job["event"],
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_JOB": job["name"],
            "GITHUB_REF": ref,
            "GITHUB_REF_NAME": job["head_branch"],
            "GITHUB_REPOSITORY": job["repository"],
            "GITHUB_REPOSITORY_OWNER": owner,
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": str(job["run_id"]),
            "GITHUB_RUN_NUMBER": str(job["run_number"]),
            "GITHUB_SERVER_URL": job["server_url"],
            "GITHUB_SHA": job["head_sha"],
            "GITHUB_WORKFLOW": job["workflow_name"],
            "GITHUB_WORKFLOW_REF": f"{job['repository']}/{job['workflow_file']}@{ref}",
            "GITHUB_WORKSPACE": str(workspace),
            "RUNNER_ARCH": "X64",
            "RUNNER_ENVIRONMENT": "self-hosted",
            "RUNNER_NAME": runner_name,
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": str(temp),
            "RUNNER_TOOL_CACHE": str(self._work / "_tool"),
            "RUNNER_WORKSPACE": str(workspace.parent),
        }


def _payload(job: dict[str, Any]) -> dict[str, Any]:
    """What triggered the workflow, as far as anybody here reads it."""
    repository = {"full_name": job["repository"], "private": job["private"]}
    if not job["event"].startswith("pull_request"):
        return {"repository": repository}
    head = {"ref": job["head_branch"], "repo": {"full_name": job["head_repository"]}}
    return {"repository": repository, "pull_request": {"head": head, "base": {"repo": repository}}}


def _send(child: "subprocess.Popen[bytes]", sent: signal.Signals) -> None:
    if child.poll() is None:
        child.send_signal(sent)
