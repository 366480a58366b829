#!/usr/bin/env python3
"""Writes every generated part of README.md and docs/ anew; ``--check`` only says what is stale.

What the code already says (settings, verbs, routes, states, reasons, credentials) is not written twice by
hand: whole pages in docs/ are made from it, and in pages written by people the part between
``<!-- generated: NAME -->`` and ``<!-- end -->`` is.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from docgen.api_page import api_page
from docgen.blocks import with_parts
from docgen.classes_page import classes_page
from docgen.cli_page import cli_page, verb_table
from docgen.credentials_page import credentials_page
from docgen.demo_page import demo_fields
from docgen.metrics_page import metrics_page
from docgen.reasons_page import reasons_page
from docgen.settings_page import settings_page, settings_tables
from docgen.states_page import states_tables
from docgen.status_page import (
    status_credentials,
    status_resources,
    status_rules,
    status_settings,
    status_tools,
    status_verbs,
)

PAGES: Mapping[str, Callable[[], str]] = {
    "docs/api.md": api_page,
    "docs/classes.md": classes_page,
    "docs/cli.md": cli_page,
    "docs/credentials.md": credentials_page,
    "docs/metrics.md": metrics_page,
    "docs/reasons.md": reasons_page,
    "docs/settings.md": settings_page,
}
"""Pages that are generated as a whole."""

PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "README.md": {"verbs": verb_table, "settings": settings_tables},
    "docs/architecture.md": {"states": states_tables},
    "docs/demo.md": {"fields": demo_fields},
    "docs/status.md": {
        "credentials": status_credentials,
        "tools": status_tools,
        "resources": status_resources,
        "rules": status_rules,
        "verbs": status_verbs,
        "settings": status_settings,
    },
}
"""Parts, by page and name."""


def stale(root: Path) -> dict[str, str]:
    """By page, the text it should have; pages that have it are absent.

    Raises:
        blocks.PartMissing: a page lacks the markers of one of its parts.
    """
    wanted = {path: make() for path, make in PAGES.items()}
    for path, parts in PARTS.items():
        wanted[path] = with_parts(path, _text(root / path), {name: make() for name, make in parts.items()})
    return {path: text for path, text in wanted.items() if _text(root / path) != text}


def main(arguments: list[str], root: Path, say: Callable[[str], object] = print) -> int:
    """Write what is stale, or with ``--check`` name it and return 1."""
    found = stale(root)
    check = "--check" in arguments
    for path, text in sorted(found.items()):
        if check:
            say(f"{path} is stale: run make docs")
        else:
            (root / path).write_text(text, encoding="utf-8")
            say(f"{path} written")
    if not found:
        say("every generated page is up to date")
    return 1 if check and found else 0


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(__file__).resolve().parents[1]))
