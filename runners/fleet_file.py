"""Reads fleet.toml and the environment into Settings, and says every mistake at once.

The environment wins: ``FLY_GHA_<SECTION>__<KEY>`` for any setting (``FLY_GHA_POOLS`` as JSON for the pools),
and the names that the ecosystems use for base URLs.
"""

import contextlib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from machines.classes import ClassFileError, load_fleet_classes
from runners.model.settings import IMAGE, PATTERN_WORDS, Settings
from runners.secrets.names import installation_token_name, registration_token_name

PREFIX = "FLY_GHA_"
ECOSYSTEM_NAMES: Mapping[str, tuple[str, str]] = {
    "FLY_API_HOSTNAME": ("fly", "api_hostname"),
    "GITHUB_API_URL": ("github", "api_url"),
    "GITHUB_SERVER_URL": ("github", "web_url"),
    "INFISICAL_API_URL": ("infisical", "api_url"),
}
SHOWN = 60
# What a required key asks for, where its name does not say it.
REQUIRED_WORDS: Mapping[str, str] = {"fly.image": PATTERN_WORDS[IMAGE]}


class FleetFileInvalid(Exception):
    """fleet.toml, with the environment over it, is not a fleet.

    Attributes:
        where: the file's path.
        mistakes: one line each: the key, what was found, what was expected.
    """

    def __init__(self, where: str, mistakes: tuple[str, ...]) -> None:
        self.where = where
        self.mistakes = mistakes
        super().__init__("\n".join((f"{where} cannot be used:", *(f"  {line}" for line in mistakes))))


def load_settings(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of one fleet.

    Args:
        path: fleet.toml.
        environ: the environment; the process's own when None.

    Raises:
        FleetFileInvalid: the file cannot be read, is not TOML, or has mistakes; all of them are named.
    """
    environ = os.environ if environ is None else environ
    document = _read(path)
    for section, key, text in _overrides(environ):
        _set(document, section, key, text)
    return check_settings(document, str(path))


def check_settings(document: Mapping[str, Any], where: str) -> Settings:
    """Settings from a parsed document.

    Raises:
        FleetFileInvalid: with one line per mistake.
    """
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        lines = tuple(line for each in _causes(error) for line in _lines(each))
        raise FleetFileInvalid(where, lines) from None
    mistakes = (*_unknown_classes(settings), *_colliding_names(settings))
    if mistakes:
        raise FleetFileInvalid(where, mistakes)
    return settings


def _unknown_classes(settings: Settings) -> Iterator[str]:
    """Pools whose Machines nobody could build: said here, not by a create that fails."""
    try:
        known = load_fleet_classes(settings.fleet.classes)
    except ClassFileError as error:
        key = "" if settings.fleet.classes is None else "fleet.classes: "
        yield from (f"{key}{error.path}: {mistake}" for mistake in error.mistakes)
        return
    for index, pool in enumerate(settings.pools):
        if pool.class_name not in known:
            found = repr(pool.machine_class) if pool.machine_class else f"nothing, so its name {pool.name!r}"
            yield f"pools.{index}.machine_class: found {found}, expected one of {', '.join(known)}"


def _colliding_names(settings: Settings) -> Iterator[str]:
    """Pools whose GitHub tokens would be kept under one name, each replacing the other's."""
    kept: dict[str, str] = {}
    for index, pool in enumerate(settings.pools):
        targets = [(installation_token_name(pool.owner), pool.owner)]
        if pool.registration != "jit":
            targets.append((registration_token_name(pool.scope), pool.scope))
        for name, target in targets:
            other = kept.setdefault(name, target)
            if other.lower() != target.lower():
                yield (
                    f"pools.{index}.scope: found {pool.scope!r}, expected one whose token is not kept under "
                    f"{name}, as that of {other} is; serve one of them from a fleet of its own"
                )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        line = "the file: found nothing there, expected a fleet file; name one with --config PATH"
    except (OSError, UnicodeDecodeError) as error:
        line = f"the file: could not be read ({type(error).__name__}), expected UTF-8 text"
    except tomllib.TOMLDecodeError as error:
        line = f"the file: not TOML: {error}"
    raise FleetFileInvalid(str(path), (line,))


def _overrides(environ: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(section, key, text) of each variable that overrides a setting; a key of "" is the whole section."""
    found = [
        (*ECOSYSTEM_NAMES[name], text) for name, text in environ.items() if name in ECOSYSTEM_NAMES and text
    ]
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX):
            continue
        section, separator, key = name.removeprefix(PREFIX).lower().partition("__")
        if separator or section == "pools":
            found.append((section, key, text))
    return found


def _set(document: dict[str, Any], section: str, key: str, text: str) -> None:
    """Lay one variable over the document: a list is JSON, ``null`` is no value, all else is as it is."""
    value: Any = None if text == "null" else text
    if text.startswith(("[", "{")):
        with contextlib.suppress(ValueError):
            value = json.loads(text)
    if not key:
        document[section] = value
        return
    table = document.setdefault(section, {})
    if isinstance(table, dict):
        table[key] = value
    else:
        # The pools are a list: there is no such variable, and the check says so by its name.
        document[f"{PREFIX}{section}__{key}".upper()] = value


def _causes(error: ValidationError) -> list[ErrorDetails]:
    """The mistakes without their consequences: a list is not too short because its items are wrong."""
    found = error.errors()
    places = [each["loc"] for each in found]
    return [
        each
        for each in found
        if each["type"] != "too_short"
        or not any(
            len(place) > len(each["loc"]) and place[: len(each["loc"])] == each["loc"] for place in places
        )
    ]


def _lines(error: ErrorDetails) -> tuple[str, ...]:
    """``pools.0.max_machines: found -1, expected: …``, the last part in pydantic's words."""
    key = ".".join(str(part) for part in error["loc"]) or "the file"
    expected = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return (f"{key}: found a key that fly-gha does not know, expected one that docs/settings.md lists",)
    if error["type"] == "missing":
        return (f"{key}: found nothing, expected {REQUIRED_WORDS.get(key, 'a value (required)')}",)
    if error["type"] == "value_error" and isinstance(error["input"], Mapping):
        # What hangs together across keys: each line names its own.
        return tuple(expected.splitlines())
    if error["type"] == "string_pattern_mismatch":
        pattern = str(error.get("ctx", {}).get("pattern", ""))
        expected = PATTERN_WORDS.get(pattern, expected)
    # Whoever shows this elsewhere does not show the password of a URL.
    found = re.sub(r"//[^/\s]*@", "//…@", repr(error["input"]))
    shown = found if len(found) <= SHOWN else found[:SHOWN] + "…"
    return (f"{key}: found {shown}, expected: {expected}",)
