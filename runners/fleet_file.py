"""Reads fleet.toml and the environment into Settings, and says every mistake at once.

The environment wins: ``FLY_GHA_<SECTION>__<KEY>`` for any setting (``FLY_GHA_POOLS`` as JSON for the pools),
and the names that the ecosystems use for base URLs.
"""

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from runners.model.settings import Settings

PREFIX = "FLY_GHA_"
ECOSYSTEM_NAMES: Mapping[str, tuple[str, str]] = {
    "FLY_API_HOSTNAME": ("fly", "api_hostname"),
    "GITHUB_API_URL": ("github", "api_url"),
    "GITHUB_SERVER_URL": ("github", "web_url"),
    "INFISICAL_API_URL": ("infisical", "api_url"),
}
SECTIONS = tuple(Settings.model_fields)
SHOWN = 60


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
        return Settings.model_validate(document)
    except ValidationError as error:
        raise FleetFileInvalid(where, tuple(_line(each) for each in error.errors())) from None


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
        if section in SECTIONS and (separator or section == "pools"):
            found.append((section, key, text))
    return found


def _set(document: dict[str, Any], section: str, key: str, text: str) -> None:
    """Lay one variable over the document; lists and numbers are written as JSON, text as it is."""
    try:
        value: Any = json.loads(text)
    except ValueError:
        value = text
    if not key:
        document[section] = value
        return
    table = document.setdefault(section, {})
    if isinstance(table, dict):
        table[key] = value


def _line(error: ErrorDetails) -> str:
    """``pools.0.max_machines: found -1, expected: …``, the last part in pydantic's words."""
    key = ".".join(str(part) for part in error["loc"]) or "the file"
    expected = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return f"{key}: found a key that fly-gha does not know, expected one that docs/settings.md lists"
    if error["type"] == "missing":
        return f"{key}: found nothing, expected a value (required)"
    if error["type"] == "value_error" and not error["loc"]:
        return expected
    found = repr(error["input"])
    shown = found if len(found) <= SHOWN else found[:SHOWN] + "…"
    return f"{key}: found {shown}, expected: {expected}"
