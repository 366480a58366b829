#!/usr/bin/env python3
"""Reads what the runner image is pinned to from its publishers into machines/runner/pins.toml: ``make pins``.

All or nothing: where one publisher cannot be read, the file stays as it was. Needs internet and the docker
command. GITHUB_TOKEN, when set, is sent to GitHub alone.
"""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
from runner_image import pins, publishers

PINS_FILE = Path(__file__).resolve().parents[1] / "machines/runner/pins.toml"


def main(file: Path = PINS_FILE) -> int:
    """Read, say what changed, write; the exit code."""
    try:
        text = file.read_text(encoding="utf-8")
        old = pins.read(text)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        new = ask(
            os.environ.get("GITHUB_API_URL", "https://api.github.com"), os.environ.get("GITHUB_TOKEN", "")
        )
        written = pins.write(text, new, now)
    except (publishers.CannotRead, pins.PinsWrong, OSError) as error:
        sys.stderr.write(f"pins: {error}\npins: nothing was changed in {file.name}.\n")
        return 1
    beside = file.with_name(f".{file.name}.new")
    beside.write_text(written, encoding="utf-8")
    beside.replace(file)
    lines = (f"pins: read at {now}", *pins.changes(old, new), f"pins: written to {file.name}; now make image")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def ask(api_url: str, token: str) -> dict[str, str]:
    """All values, by name.

    Raises:
        CannotRead: one of them cannot be read.
    """
    headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": publishers.GITHUB_API_VERSION}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    with httpx.Client(headers=headers) as client:
        runner = publishers.runner_release(client, api_url.rstrip("/"))
    base = publishers.base_digest(publishers.run_docker)
    return runner | base | publishers.docker_packages(publishers.run_docker, base["base.digest"])


if __name__ == "__main__":
    sys.exit(main())
