"""The canary workflow with the labels of the pools, from the file next to this module."""

import json
import os
from importlib.resources import files
from pathlib import Path

from runners.cli.init.choices import Choices

WORKFLOW = "fly-gha-canary.yml"
_TEMPLATE = "canary.yml"
_OWN_CHECKOUT = Path(__file__).resolve().parents[3]
_LABELS = '["fly-gha-medium"]'


def canary(choices: Choices) -> str:
    """The whole workflow: one job for each pool's label."""
    template = files(__package__).joinpath(_TEMPLATE).read_text(encoding="utf-8")
    before, labels, after = template.partition(_LABELS)
    if not labels:
        raise AssertionError(f"{_TEMPLATE} has no {_LABELS} to be replaced")
    return before + json.dumps(choices.labels) + after


def canary_path(directory: Path) -> Path:
    """Where it goes: where GitHub looks for it when the directory is a repository, else beside fleet.toml.

    The checkout of fly-gha itself is a repository, too, and not one whose jobs the fleet is made for.
    """
    if os.path.lexists(directory / ".git") and directory.resolve() != _OWN_CHECKOUT:
        return directory / ".github" / "workflows" / WORKFLOW
    return directory / WORKFLOW
