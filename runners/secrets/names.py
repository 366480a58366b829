"""The names under which credentials are kept, the same in Infisical, in the environment and in a file.

``docs/credentials.md`` is generated from here. A name built from an owner or a scope is upper-cased, and what
a variable's name cannot hold becomes ``_``.
"""

import re
from collections.abc import Mapping

CREDENTIALS: Mapping[str, str] = {
    "FLY_API_TOKEN": "Creates, starts and destroys Machines in the runner apps.",
    "GITHUB_WEBHOOK_SECRET": "Signs GitHub's webhooks.",
    "GITHUB_WEBHOOK_SECRET_PREVIOUS": "Still accepted while the webhook secret is being rotated.",
    "GITHUB_APP_PRIVATE_KEY": "The GitHub App's key; the publisher's alone unless github.credentials is app.",
    "FLY_GHA_FLEET_KEY": "Seals registrations in the database until they are claimed.",
    "INFISICAL_CLIENT_ID": "Opens Infisical; only from the environment or a file.",
    "INFISICAL_CLIENT_SECRET": "Opens Infisical; only from the environment or a file.",
}
"""Each credential with a fixed name, and what it opens."""

INSTALLATION_PREFIX = "GITHUB_INSTALLATION_TOKEN_"
REGISTRATION_PREFIX = "GITHUB_REGISTRATION_TOKEN_"

_NOT_IN_A_NAME = re.compile(r"[^A-Z0-9]")


def installation_token_name(owner: str) -> str:
    """``GITHUB_INSTALLATION_TOKEN_ACME`` for ``acme``."""
    return INSTALLATION_PREFIX + _as_name(owner)


def registration_token_name(scope: str) -> str:
    """``GITHUB_REGISTRATION_TOKEN_ACME`` for ``orgs/acme``, ``…_ACME_WEB`` for ``repos/acme/web``.

    A bare owner means the organization's scope.
    """
    kind, _, rest = scope.partition("/")
    return REGISTRATION_PREFIX + _as_name(rest if rest and kind in ("orgs", "repos") else scope)


def is_credential(name: str) -> bool:
    """Whether a variable of the environment is one of ours to read."""
    return name in CREDENTIALS or name.startswith((INSTALLATION_PREFIX, REGISTRATION_PREFIX))


def _as_name(text: str) -> str:
    return _NOT_IN_A_NAME.sub("_", text.upper())
