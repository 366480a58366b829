#!/usr/bin/env python3
"""Configures this folder as a runner, as the real config.sh does."""

import os
import sys

ROOT = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, ROOT)

from standin.wrappers import configure  # noqa: E402 - the folder is not installed; its own root is its path

sys.exit(configure(ROOT, sys.argv[1:]))
