"""Asking: at a terminal, what was not given is asked for; an answer that will not do is asked for again."""

import shutil
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import typer

from machines.classes import load_classes
from machines.prices import dearest_usd_per_hour
from runners.cli.init.choices import FLY_OIDC, INFISICAL, LEASE, defaults
from runners.cli.init.rules import CLASS_PREFIX, RULES

# In the order in which they are asked; the rest has defaults that are seldom changed.
QUESTIONS: Mapping[str, str] = {
    "org": "GitHub organization",
    "fly_org": "Fly organization (its slug)",
    "public_url": "https address of the dispatcher",
    "classes": "Machine classes, a pool each",
    "apps": "Fly apps for the runners",
    "regions": "Regions, the preferred first",
    "credentials": "Access to GitHub: published, lease or app",
    "registration": "Registration: jit, token or auto",
    "dispatcher": "Where the dispatcher runs: host or fly",
    "infisical_project": "Infisical project id",
    "infisical_project_slug": "Infisical project slug",
    "infisical_identity": "Infisical identity of the dispatcher",
    "app_id": "GitHub App id (empty: later)",
    "image": "Runner image by digest (empty: later)",
}
_LISTS = frozenset({"classes", "apps", "regions"})
_MAY_BE_EMPTY = frozenset({"app_id", "image"})


def ask(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, with an answer to each question that was left open.

    Raises:
        typer.Abort: nobody wants to answer.
    """
    told = {key: value for key, value in given.items() if value not in (None, "", ())}
    for key, question in QUESTIONS.items():
        if key in told or (key == "org" and "repository" in told):
            continue
        known = defaults(told)
        if key.startswith("infisical_") and not _needed(key, {**known, **told}):
            continue
        told[key] = _answer(key, question, known.get(key))
    return told


def _needed(key: str, whole: Mapping[str, Any]) -> bool:
    """Whether this way of access asks for it of Infisical."""
    asked = {
        "infisical_project": True,
        "infisical_project_slug": bool(whole["credentials"] == LEASE),
        "infisical_identity": bool(whole["infisical_auth"] == FLY_OIDC),
    }
    return asked[key] and bool(whole["secrets"] == INFISICAL)


def _sizes() -> Iterator[str]:
    """The classes to choose from, the cheapest first."""
    classes = sorted(load_classes().values(), key=lambda each: dearest_usd_per_hour(each, ("iad",)))
    for each in classes:
        price = f"${dearest_usd_per_hour(each, ('iad',)):.2f}/h in iad"
        yield f"{each.name.removeprefix(CLASS_PREFIX)}: {each.description}; {price}"


def words(text: str) -> tuple[str, ...]:
    """``iad, ewr`` as a list."""
    return tuple(word for word in text.replace(",", " ").split() if word)


def _answer(key: str, question: str, default: Any) -> Any:
    if key == "classes":
        for line in _sizes():
            _echo(line)
    # Never None: the prompt would ask again by itself, and say nothing of why.
    first = ",".join(default) if isinstance(default, tuple) else default or ""
    while True:
        said = str(typer.prompt(question, default=first, err=True, show_default=first != "")).strip()
        values = words(said) if key in _LISTS else (said,)
        wrong = [mistake for value in values if value and (mistake := RULES[key].wrong(value))]
        if wrong:
            _echo(f"found {wrong[0].found}, expected {wrong[0].expected}")
        elif said or key in _MAY_BE_EMPTY:
            return values if key in _LISTS else said
        else:
            _echo(f"found nothing, expected {RULES[key].expected()}")


def _echo(line: str) -> None:
    """Beside the questions, and wrapped between words as they are not."""
    width = shutil.get_terminal_size().columns
    typer.echo(
        textwrap.fill(line, width, initial_indent="  ", subsequent_indent="    ", break_long_words=False),
        err=True,
    )
