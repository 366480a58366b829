#!/usr/bin/env python3
"""Keeps the listener alive and hides most of its exit codes, as the real run.sh and run-helper.sh do."""

import os
import sys

ROOT = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, ROOT)

from standin.wrappers import run  # noqa: E402 - the folder is not installed; its own root is its path

sys.exit(run(ROOT, sys.argv[1:]))
