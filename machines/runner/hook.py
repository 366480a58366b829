"""The program of the job hooks: decide at the gate whether the job may run, then tell the boot agent.

``python3 -I -S hook.py VERB ADDRESS``, from a script that the agent wrote. It is on the job's path, so it is
small, waits 1.5 s for others at most, and fails a job for one reason only: the gate refuses it. The gate lies
in a file of the agent's beside the scripts; to decide takes no network and nobody else, so that takes what it
takes: a job must not get past the gate by a payload of many megabytes. Standard library only.
"""
# What costs time to import (typing, pathlib) is not imported.
# ruff: noqa: PTH101, PTH117, PTH120, PTH123

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, NoReturn

LIMIT_S = 1.5  # for telling the agent
DECIDE_S = 10.0  # for the largest payload that GitHub makes, 25 MB, on a disk that is slow; most take none
REFUSED = 77  # the only exit code that fails the job; the scripts know it
REFUSAL = (
    "The runner's pool refused this job before its first step: {why}. Whoever operates fly-gha for you can "
    "change that setting of the pool; until then, let the job run on other labels."
)
TOLD = {"run_id": "RUN_ID", "job": "JOB", "repository": "REPOSITORY", "workflow": "WORKFLOW"}


# ---- What is decided ----


def refusal(
    gate: Mapping[str, Any], env: Mapping[str, str], payload: Callable[[], Mapping[str, Any]]
) -> tuple[str, str]:
    """Why a job may not run here: the kind of refusal and what is wrong with the job, or two empty texts.

    GitHub always tells repository, workflow and event: where the gate lists them, one that is missing is not
    listed. Payloads differ, so a job is refused only for what its payload says outright.

    Args:
        gate: ``repositories``, ``workflows`` and ``events`` are globs, whatever the case, of which one has to
            match, unless there is none; ``private_only`` refuses public repositories, ``forks`` false the
            pull requests of forks. What is absent allows everything.
        env: the job's environment, as GitHub's runner gives it to a hook.
        payload: reads that of what triggered the workflow; asked only where the gate needs it, and last.
    """
    from fnmatch import fnmatchcase  # noqa: PLC0415 - the completed hook needs none

    repository = env.get("GITHUB_REPOSITORY", "").lower()
    listed = (
        ("repository", "repositories", repository),
        ("workflow", "workflows", workflow_file(env.get("GITHUB_WORKFLOW_REF", "")).lower()),
        ("event", "events", env.get("GITHUB_EVENT_NAME", "").lower()),
    )
    for kind, name, value in listed:
        allowed = gate.get(name)
        if allowed and not (value and any(fnmatchcase(value, glob.lower()) for glob in allowed)):
            return kind, f"{value or 'an unknown one'} is not among the {name} that the pool serves ({name})"
    if not gate.get("private_only") and gate.get("forks", True):
        return "", ""
    event = payload()
    if gate.get("private_only") and within(event, "repository", "private") is False:
        return "public", f"{repository} is public, and the pool serves private repositories (allow_public)"
    head = within(event, "pull_request", "head")
    if not gate.get("forks", True) and isinstance(head, dict) and "repo" in head:
        # A fork that was deleted meanwhile is null.
        source = within(head, "repo", "full_name") if head["repo"] else "a repository that is gone"
        if isinstance(source, str) and source.lower() != repository:
            return (
                "fork",
                f"the pull request is from a fork, {source}, and the pool serves none (allow_forks)",
            )
    return "", ""


def workflow_file(reference: str) -> str:
    """``acme/web/.github/workflows/ci.yml`` of that with ``@refs/heads/main`` behind it.

    Files and branches may have an @ in their names. But no workflow is in a deeper folder, so that its path
    has no ``@refs/``: whoever names a file ``ci.yml@x.yml`` does not pass it off as ``ci.yml``.
    """
    file, found, _ = reference.partition("@refs/")
    return file if found else reference.rpartition("@")[0] or reference


def within(payload: Any, *keys: str) -> Any:
    """What lies there in a payload, or None."""
    for key in keys:
        payload = payload.get(key) if isinstance(payload, dict) else None
    return payload


def annotation(why: str) -> str:
    """The refusal as GitHub's log and the summary of the run show it: one line, whatever is in the names."""
    shown = "".join(mark if mark.isprintable() else "?" for mark in why[:400])
    return f"::error title=Refused by fly-gha::{REFUSAL.format(why=shown.replace('%', '%25'))}\n"


# ---- What is done ----


def run(verb: str, address: str, env: Mapping[str, str]) -> NoReturn:
    """Decide, say so, tell the agent; the process ends here, or by the alarm."""
    code = 0
    signal.signal(signal.SIGALRM, lambda *_: os._exit(code))
    signal.setitimer(signal.ITIMER_REAL, DECIDE_S)
    told = {key: env.get(f"GITHUB_{name}", "") for key, name in TOLD.items()}
    if verb == "started":
        gate = read_object(f"{os.path.dirname(address)}/gate.json")
        told["refused"], why = refusal(gate, env, lambda: read_object(env.get("GITHUB_EVENT_PATH", "")))
        if told["refused"]:
            code = REFUSED
            shut_work_folder(env.get("RUNNER_TEMP", ""))
            with suppress(OSError):
                os.write(1, annotation(why).encode("utf-8", "replace"))
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    tell(address, {"hook": verb, **told})
    os._exit(code)


def read_object(path: str) -> dict[str, Any]:
    """The JSON object in a file; an empty one when there is none."""
    with suppress(OSError, ValueError, RecursionError), open(path, "rb") as file:
        found = json.load(file)
        return found if isinstance(found, dict) else {}
    return {}


def shut_work_folder(temp: str) -> None:
    """Let no step of a refused job begin: after a failed hook, those with ``if: always()`` still would.

    So would an action's ``pre``. The runner makes files below its work folder for every step before it begins
    (FileCommandManager.cs and ScriptHandler.cs of actions/runner 2.336), and cannot in a folder that is shut.
    It reports the job's end all the same.

    Args:
        temp: RUNNER_TEMP, which lies right below the work folder.
    """
    if os.path.isabs(temp):
        with suppress(OSError):
            os.chmod(os.path.dirname(temp), 0)


def tell(address: str, message: Mapping[str, str]) -> None:
    """Say one thing to the agent, and wait until it was passed on. Never raises."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as agent:
        agent.settimeout(LIMIT_S)
        agent.connect(address)
        agent.sendall(json.dumps(message).encode() + b"\n")
        agent.recv(16)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], os.environ)
