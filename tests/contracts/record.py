"""Plays all scenes once, and has every exchange judged by its API's specification and overlay."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.contracts import fly_scenes, github_scenes, infisical_scenes
from tests.contracts.deviations import load
from tests.contracts.exchange import Exchange
from tests.contracts.judge import Judge, Verdict
from tests.contracts.worlds import served_by

ROOT = Path(__file__).resolve().parents[2]
SPECS: Mapping[str, str] = {
    "fly": "fly-machines-openapi.json",
    "github": "github-rest-openapi.json",
    "infisical": "infisical-openapi.json",
}

OUT_OF_SCOPE: Mapping[str, str] = {
    "/_sim/": "the controls of a simulated world: no API has them",
    "/_runner/": "what the stand-in runner speaks instead of GitHub's unpublished broker protocol",
    "/oidc/": "Fly's issuer: discovery and key set are OpenID Connect's, not the Machines API's",
}
"""Prefixes of paths that no published document describes, and why."""


@dataclass(frozen=True, slots=True)
class Record:
    """One API after all scenes.

    Attributes:
        served: `METHOD /path` of the published API, as the simulator's face has it, with operation ids.
    """

    api: str
    judge: Judge
    served: Mapping[str, str]
    exchanges: tuple[Exchange, ...]
    verdicts: tuple[Verdict, ...]


@cache
def judge_of(api: str) -> Judge:
    """The judge of `fly`, `github` or `infisical`."""
    document = json.loads((ROOT / "tests/data/specs" / SPECS[api]).read_text(encoding="utf-8"))
    return Judge(document, load(ROOT / "simulator" / api / "deviations.toml"))


def in_scope(path: str) -> bool:
    """Whether a published document should describe that path."""
    return not path.startswith(tuple(OUT_OF_SCOPE))


def play_all() -> tuple[dict[str, Record], list[dict[str, object]]]:
    """The three records, and the payloads of all webhooks."""
    fly, to_fly = asyncio.run(fly_scenes.play())
    github, to_github, webhooks = asyncio.run(github_scenes.play())
    infisical, to_infisical, published = asyncio.run(infisical_scenes.play())
    records = {
        "fly": _record("fly", served_by(fly), to_fly),
        "github": _record("github", served_by(github), [*to_github, *published]),
        "infisical": _record("infisical", served_by(infisical), to_infisical),
    }
    return records, [json.loads(request.content) for request in webhooks]


def _record(api: str, served: Mapping[str, str], said: list[Exchange]) -> Record:
    judge = judge_of(api)
    verdicts = tuple(judge.judge(exchange) for exchange in said if in_scope(exchange.path))
    return Record(api, judge, served, tuple(said), verdicts)
