"""fly-gha-status as a process of its own, beside a world's dispatcher."""

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

PROGRAM = str(Path(sys.executable).parent / "fly-gha-status")
OURS = re.compile(r"^(FLY_|GITHUB_|GH_|INFISICAL_|ACTIONS_)")


def environment(world, directory, **extra):
    kept = {name: value for name, value in os.environ.items() if not OURS.match(name)}
    return kept | {
        "FLY_GHA_STATUS_DISPATCHER_URL": world.dispatcher_url,
        "FLY_GHA_STATUS_TOKEN": world.dispatcher_token,
        "FLY_GHA_STATUS_PORT": "0",
        "FLY_GHA_STATUS_TOKENS_FILE": str(world.tokens_file),
        "FLY_GHA_STATUS_AUDIT_DIR": str(directory),
        **extra,
    }


@contextlib.asynccontextmanager
async def process(world, directory, **extra):
    """A served process and its address; whatever is left of it is ended by its pid."""
    started = await asyncio.create_subprocess_exec(
        PROGRAM, env=environment(world, directory, **extra), stderr=asyncio.subprocess.PIPE
    )
    try:
        said = b""
        while b"status.started" not in said:
            said = await asyncio.wait_for(started.stderr.readline(), 30)
            assert said, "it ended before it served"
        yield started, json.loads(said)["url"]
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()
        # The pipe's transport belongs to this loop, and must not outlive it.
        await started.stderr.read()


def ended(world, directory, *arguments, **extra):
    """The program run to its end."""
    done = subprocess.run(
        [PROGRAM, *arguments],
        env=environment(world, directory, **extra),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done
