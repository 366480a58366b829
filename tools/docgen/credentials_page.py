"""docs/credentials.md: names from runners.secrets.names, rights and powers from the code that uses them."""

import asyncio
from collections.abc import Mapping

from pydantic import SecretStr

from docgen.blocks import code, page, summary, table
from runners.connections import ALWAYS_NEEDED
from runners.github.app_auth import ORGANIZATION_PERMISSIONS, REPOSITORY_PERMISSIONS, AppMinter, AppSigner
from runners.github.app_tokens import AppTokens
from runners.github.client import GitHub
from runners.github.tokens import TokenSource
from runners.secrets.github_tokens import USABLE_MARGIN_S, PublishedTokens
from runners.secrets.interface import Vault
from runners.secrets.local import EnvironmentSecrets
from runners.secrets.names import (
    CREDENTIALS,
    INSTALLATION_PREFIX,
    REGISTRATION_PREFIX,
    installation_token_name,
    registration_token_name,
)
from runners.secrets.publisher import MANAGING, WATCHING
from runners.upstream.clock import SystemClock

# Verbs at GitHub: the client's method, and what the fleet does where it is missing. Those of the App need
# what only a key's holder can sign.
OF_INSTALLATION: Mapping[str, str] = {
    "mint_jit": "no Machine is launched; jobs wait with `credential_missing`",
    "registration_token": "pools that register by `token` launch nothing",
    "delete_runner": "a claimed Machine is not ended before `timing.max_lifetime`",
    "list_runners": "what vanished or lingers at GitHub is not noticed; nothing is ended on that ground",
    "queued_runs": "the queue sweep finds nothing; a lost webhook stays lost",
    "jobs_of_run": "likewise",
}
OF_APP: Mapping[str, str] = {
    "deliveries": "a lost webhook is found by the queue sweep alone (`timing.queue_sweep_period`)",
    "delivery": "likewise",
}
# What a name built from an owner or a scope holds.
BUILT: Mapping[str, tuple[str, str]] = {
    f"{INSTALLATION_PREFIX}<OWNER>": (
        "An ephemeral installation token, written by the publisher.",
        f"`{installation_token_name('acme-inc')}` for `acme-inc`",
    ),
    f"{REGISTRATION_PREFIX}<SCOPE>": (
        "An ephemeral registration token, for scopes with a pool that registers by `token` or `auto`.",
        f"`{registration_token_name('orgs/acme')}` for `orgs/acme`",
    ),
}


def credentials_page() -> str:
    """The whole page."""
    published, by_key = asyncio.run(_opens_the_log())
    names = [(code(name), says, _needed(name)) for name, says in CREDENTIALS.items()]
    names += [
        (code(name), f"{says} {example}.", "in mode `published`") for name, (says, example) in BUILT.items()
    ]
    return page(
        "Credentials",
        "Credentials are read at run time, from one of two places (`fleet.secrets`): a folder in "
        "Infisical, or the environment or a file of `NAME=value` lines with mode 0600 "
        "(`fleet.secrets_file`). The names are the same in both. They are read anew every "
        "`timing.credentials_period`, so a rotation needs no restart, and the last good reading stays in "
        "force while Infisical cannot be reached.",
        "## Names",
        table(("Name", "What it is for", "Needed"), names),
        "With Infisical, `INFISICAL_CLIENT_ID` and `INFISICAL_CLIENT_SECRET` (Universal Auth of a "
        "machine identity) come from the environment or the file, and everything else from the folder. "
        "`FLY_GHA_FLEET_KEY` is any secret of 32 or more characters that you make up. No credential is a "
        "setting, an argument, a log field, an event or part of a Machine's configuration.",
        "## Modes of access to GitHub",
        "`github.credentials` chooses:",
        table(
            ("Mode", "Who holds the App key", "What the dispatcher holds"),
            [
                (
                    "`published` (the default)",
                    "`fly-gha tokens publish`, its own process with its own identity",
                    f"tokens of an hour at most, none with less than {USABLE_MARGIN_S:.0f} s left",
                ),
                ("`app`", "the dispatcher", "the key; it mints installation tokens for itself"),
            ],
        ),
        "In `published` the two processes share nothing but the Infisical folder: the publisher's "
        "identity may write it, the dispatcher's may only read it. A published value is JSON: `token`, "
        "`expires_at` (Unix seconds), `permissions`.",
        "## What each mode can do",
        table(
            ("Verb", "Meaning", "`published`", "`app`", "Without it"),
            [
                *(
                    (code(verb), _says(verb), "yes", "yes", without)
                    for verb, without in OF_INSTALLATION.items()
                ),
                *(
                    (code(verb), _says(verb), _yes(published), _yes(by_key), without)
                    for verb, without in OF_APP.items()
                ),
            ],
        ),
        "## Rights",
        "The GitHub App is granted, and every installation token is narrowed to:",
        table(
            ("Scope of the pools", "Permissions", "In `published`"),
            [
                ("`orgs/NAME`", _rights(ORGANIZATION_PERMISSIONS), _rights({**MANAGING["orgs"], **WATCHING})),
                (
                    "`repos/OWNER/NAME`",
                    _rights(REPOSITORY_PERMISSIONS),
                    _rights({**MANAGING["repos"], **WATCHING}),
                ),
            ],
        ),
        "`FLY_API_TOKEN` must be good for every app a pool names: an organization token, or the apps' "
        "deploy tokens in one comma-separated value beginning with `FlyV1 `. "
        "`GITHUB_WEBHOOK_SECRET_PREVIOUS` keeps the old secret valid while you change the one at GitHub.",
        "## Not yet",
        "Logging in to Infisical with Fly's OIDC token, and GitHub tokens leased from Infisical's "
        "dynamic secrets, are not built.",
    )


async def _opens_the_log() -> tuple[bool, bool]:
    """Whether each mode can sign as the App, asked of the modes themselves, with a key made for it."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - for this question only
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - likewise

    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    clock = SystemClock()
    signer = AppSigner("1", lambda: SecretStr(key.decode()), clock)
    sources: tuple[TokenSource, TokenSource] = (
        PublishedTokens(Vault(EnvironmentSecrets({}), clock, 1.0), clock),
        AppTokens(_unused_minter(), signer, clock),
    )
    published, by_key = [await source.app_jwt() is not None for source in sources]
    return published, by_key


def _unused_minter() -> AppMinter:
    """Signing as the App mints nothing."""
    return AppMinter.__new__(AppMinter)


def _says(verb: str) -> str:
    return summary(getattr(GitHub, verb)).partition(":")[0].rstrip(".")


def _yes(value: bool) -> str:
    return "yes" if value else "**no**"


def _needed(name: str) -> str:
    if name in ALWAYS_NEEDED.values():
        return "always"
    if name.startswith("INFISICAL_"):
        return "with Infisical"
    return "in mode `app`, and by the publisher" if name == "GITHUB_APP_PRIVATE_KEY" else "during a rotation"


def _rights(permissions: Mapping[str, str]) -> str:
    return ", ".join(f"{code(name)}: {right}" for name, right in sorted(permissions.items()))
