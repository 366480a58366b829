"""Starts the boot agent beside it as its image does, but at a test's pace: PACE_JSON USER [subreaper]."""

import importlib.util
import json
import os
import sys
import time
from pathlib import Path

BOOT = Path(__file__).with_name("boot.py")


def main() -> None:
    spec = importlib.util.spec_from_file_location("boot", BOOT)
    boot = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(boot)
    if "subreaper" in sys.argv:  # makes the agent inherit orphans, as process 1 does
        import ctypes  # noqa: PLC0415

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    world = boot.World(time.time, time.monotonic, os.urandom)
    sys.exit(boot.Agent(os.environ, world, boot.Pace(**json.loads(sys.argv[1])), sys.argv[2]).run())


main()
