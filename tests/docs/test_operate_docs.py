"""docs/api.md says what every change takes."""

import re
import sys
from pathlib import Path

from fastapi.routing import APIRoute

from runners.api import operate, operate_fleet, operate_runners, operate_sweep, tokens_admin

ROOT = Path(__file__).resolve().parents[2]
OPERATING = (operate, operate_fleet, operate_runners, operate_sweep, tokens_admin)


def changes():
    for module in OPERATING:
        for route in module.router.routes:
            if isinstance(route, APIRoute) and "GET" not in route.methods:
                yield route.path


def test_the_body_of_every_change_is_documented():
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    part = re.search(r"^### What is sent$(.*?)^## ", page, re.DOTALL | re.MULTILINE)[1]
    documented = set(re.findall(r"^\| `([^`]+)` \| `reason` ", part, re.MULTILINE))
    assert documented == set(changes())


def test_what_is_documented_is_what_the_routes_take(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    monkeypatch.delitem(sys.modules, "docgen", raising=False)
    from docgen.operate_part import BODIES  # noqa: PLC0415 - tools are no package of ours

    assert set(BODIES) == set(changes())
