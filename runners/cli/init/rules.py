"""Rules: what each option of init may be, by itself, and how that is said."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import get_args
from urllib.parse import urlsplit

from machines.classes import load_classes
from runners.model.settings import (
    IMAGE,
    NAME,
    PATTERN_WORDS,
    REGION,
    URL,
    FleetSettings,
    GitHubSettings,
    InfisicalSettings,
    PoolSettings,
    Section,
)

CLASS_PREFIX = "gha-"
HOST, FLY = "host", "fly"
WHERE = (HOST, FLY)
"""Where the dispatcher may run: a host of one's own, or a Machine at Fly."""

# GitHub's own limit on a login, with a letter or digit at both ends.
_LOGIN = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?"
_REPOSITORY = rf"{_LOGIN}/[A-Za-z0-9._-]{{1,100}}"
# Fly's names of apps and organizations: under 63 characters (text of its own refusal).
_SLUG = r"[a-z0-9](?:[a-z0-9-]{0,60}[a-z0-9])?"
_APP_ID = r"[A-Za-z0-9]{1,40}"
# A dispatcher beside simulators speaks http; anywhere else its answers would be read on the way.
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Wrong:
    """One option that cannot be used.

    Attributes:
        option: as typed, ``--org``.
        found: what was given, or ``nothing``.
        expected: in plain words.
    """

    option: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.option}: found {self.found}, expected {self.expected}"


@dataclass(frozen=True, slots=True)
class Rule:
    """What one option may be.

    Attributes:
        option: as typed.
        ok: whether one value will do.
        expected: what will do, in plain words.
    """

    option: str
    ok: Callable[[str], bool]
    expected: Callable[[], str]

    def wrong(self, value: str) -> Wrong | None:
        """The mistake that a value is, or None."""
        return None if self.ok(value) else Wrong(self.option, quoted(value), self.expected())

    def missing(self) -> Wrong:
        """The mistake that no value is."""
        return Wrong(self.option, "nothing", self.expected())


def quoted(value: object) -> str:
    """A value as a mistake shows it."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def whole_class(word: str) -> str:
    """``gha-medium`` for ``medium``; a class of that very name stays itself."""
    return word if word in load_classes() else f"{CLASS_PREFIX}{word}"


def _like(pattern: str) -> Callable[[str], bool]:
    return lambda value: re.fullmatch(pattern, value) is not None


def _known_class(word: str) -> bool:
    return whole_class(word) in load_classes()


def _classes() -> str:
    return f"a machine class: {', '.join(name.removeprefix(CLASS_PREFIX) for name in load_classes())}"


def _reachable(url: str) -> bool:
    if not _like(URL)(url):
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)


def _printable(value: str) -> bool:
    return bool(value) and value.isprintable()


def _folder(value: str) -> bool:
    return value.startswith("/") and value.isprintable()


def _rule(option: str, ok: Callable[[str], bool], expected: str | Callable[[], str]) -> Rule:
    return Rule(option, ok, expected if callable(expected) else lambda: expected)


def _settings_own(option: str, pattern: str) -> Rule:
    """What a setting's own pattern asks for."""
    return _rule(option, _like(pattern), PATTERN_WORDS[pattern])


def _words(option: str, section: type[Section], key: str) -> Rule:
    """One of the words that a setting knows, taken from the setting itself."""
    words = tuple(str(word) for word in get_args(section.model_fields[key].annotation))
    return _rule(option, lambda value: value in words, f"one of {', '.join(words)}")


RULES: Mapping[str, Rule] = {
    "name": _settings_own("--name", NAME),
    "org": _rule("--org", _like(_LOGIN), "a GitHub organization: up to 39 letters, digits and dashes"),
    "repository": _rule("--repository", _like(_REPOSITORY), "one repository, OWNER/NAME"),
    "fly_org": _rule(
        "--fly-org", _like(_SLUG), "the slug of a Fly organization: lower-case letters, digits and dashes"
    ),
    "public_url": _rule(
        "--public-url",
        _reachable,
        "where GitHub and Machines reach the dispatcher: an https URL without a query or a password",
    ),
    "classes": _rule("--class", _known_class, _classes),
    "apps": _rule("--apps", _like(_SLUG), "a Fly app: up to 62 lower-case letters, digits and dashes"),
    "regions": _settings_own("--regions", REGION),
    "credentials": _words("--credentials", GitHubSettings, "credentials"),
    "registration": _words("--registration", PoolSettings, "registration"),
    "runner_group": _rule("--runner-group", _printable, "the name of a runner group"),
    "secrets": _words("--secrets", FleetSettings, "secrets"),
    "infisical_project": _rule("--infisical-project", _printable, "the id of the Infisical project"),
    "infisical_environment": _rule(
        "--infisical-environment", _printable, "the slug of an Infisical environment"
    ),
    "infisical_path": _rule("--infisical-path", _folder, "a folder in Infisical, from / on"),
    "infisical_project_slug": _rule(
        "--infisical-project-slug", _like(_SLUG), "the slug of the Infisical project"
    ),
    "infisical_auth": _words("--infisical-auth", InfisicalSettings, "auth"),
    "infisical_identity": _rule(
        "--infisical-identity", _printable, "the id of the dispatcher's machine identity in Infisical"
    ),
    "infisical_url": _rule("--infisical-url", _reachable, "an https URL"),
    "app_id": _rule("--app-id", _like(_APP_ID), "the GitHub App's id or client id"),
    "image": _settings_own("--image", IMAGE),
    "dispatcher": _rule("--dispatcher", lambda value: value in WHERE, f"one of {', '.join(WHERE)}"),
}
"""By key of Choices, what its option may be; numbers are Typer's to check."""
