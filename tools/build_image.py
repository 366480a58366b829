#!/usr/bin/env python3
"""Builds the runner image from the pins in machines/runner/pins.toml: ``make image``.

Without an option it is built here, by Docker. With ``--app`` it is then pushed to the registry of that app at
Fly, and the line for fleet.toml is printed, by digest. With ``--app`` and ``--remote`` Fly builds and pushes
it, and no Docker is needed here. ``--show`` prints the commands and runs none.
"""

import argparse
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from runner_image import pins

ROOT = Path(__file__).resolve().parents[1]
PLACE = "machines/runner"
REGISTRY = "registry.fly.io"
DIGEST = r"sha256:[0-9a-f]{64}"


class BuildFailed(Exception):
    """A command failed; the text says which, and what to do next."""


def label(version: str) -> str:
    """The image's tag, for people; Machines are given its digest."""
    return f"fly-gha-runner-{version}"


def build_call(arguments: Mapping[str, str], app: str, *, remote: bool) -> list[str]:
    """The command that builds, and with ``remote`` pushes."""
    given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    tag = label(arguments["RUNNER_VERSION"])
    if remote:
        how = ["--remote-only", "--build-only", "--push", "--image-label", tag]
        return ["fly", "deploy", ".", "--app", app, "--config", f"{PLACE}/fly.toml", *how, *given]
    where = f"{REGISTRY}/{app}:{tag}" if app else f"{tag.rpartition('-')[0]}:{arguments['RUNNER_VERSION']}"
    how = ["--platform", "linux/amd64", "--file", f"{PLACE}/Dockerfile", "--tag", where]
    return ["docker", "build", *how, *given, "."]


def push_calls(version: str, app: str) -> list[list[str]]:
    """The commands that push what was built, and read what the registry calls it."""
    where = f"{REGISTRY}/{app}:{label(version)}"
    inspect = ["docker", "buildx", "imagetools", "inspect", where, "--format", "{{json .Manifest}}"]
    return [["docker", "push", where], inspect]


def fleet_line(app: str, digest: str) -> str:
    """What goes into fleet.toml, below ``[fly]``."""
    return f'image = "{REGISTRY}/{app}@{digest}"'


def run(call: list[str], *, keep: bool = False) -> str:
    """Run a command in the repository's root, its output shown; with ``keep`` what it printed.

    Raises:
        BuildFailed: it cannot be started, or failed.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the commands above
            call, cwd=ROOT, stdout=subprocess.PIPE if keep else None, text=True, check=False
        )
    except FileNotFoundError:
        raise BuildFailed(
            f"there is no {call[0]} command here: machines/runner/README.md has both ways"
        ) from None
    if done.returncode != 0:
        advice = "see above"
        if call[:2] == ["docker", "push"]:
            advice = "run fly auth docker first (it holds for 5 minutes), and see that the app exists"
        raise BuildFailed(f"{shlex.join(call[:3])} … returned {done.returncode}: {advice}")
    return done.stdout or ""


def digest_in(told: str) -> str:
    """The digest that the registry tells.

    Raises:
        BuildFailed: there is none.
    """
    try:
        digest = str(json.loads(told)["digest"])
    except (ValueError, TypeError, KeyError):
        digest = ""
    if not re.fullmatch(DIGEST, digest):
        raise BuildFailed("the registry told no digest: read it with docker buildx imagetools inspect")
    return digest


def main(arguments: list[str] | None = None, pins_file: Path = ROOT / PLACE / "pins.toml") -> int:
    """Check the pins, then build; the exit code."""
    parser = argparse.ArgumentParser(prog="make image ARGS=…", description=__doc__.splitlines()[0])
    parser.add_argument("--app", default="", help="Fly app whose registry the image goes to")
    parser.add_argument("--remote", action="store_true", help="let Fly build it (needs --app)")
    parser.add_argument("--show", action="store_true", help="print the commands, run none")
    asked = parser.parse_args(arguments)
    if asked.remote and not asked.app:
        parser.error("--remote needs --app: Fly builds for an app")
    try:
        values = pins.complete(pins.read(pins_file.read_text(encoding="utf-8")))
    except (pins.PinsWrong, OSError) as error:
        sys.stderr.write(f"image: not built.\n{error}\n")
        return 1
    calls = [build_call(values, asked.app, remote=asked.remote)]
    if asked.app and not asked.remote:
        calls += push_calls(values["RUNNER_VERSION"], asked.app)
    if asked.show:
        sys.stdout.write("".join(f"{shlex.join(call)}\n" for call in calls))
        return 0
    try:
        for call in calls:
            told = run(call, keep=call[1:3] == ["buildx", "imagetools"])
        if asked.app:
            digest = "sha256:<as Fly told it above>" if asked.remote else digest_in(told)
            line = fleet_line(asked.app, digest)
            sys.stdout.write(f"image: pushed. In fleet.toml, below [fly]:\n{line}\n")
    except BuildFailed as error:
        sys.stderr.write(f"image: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
