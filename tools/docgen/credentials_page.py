"""docs/credentials.md: names, modes, logins and rights from the code that uses them."""

import asyncio
from collections.abc import Mapping

from pydantic import SecretStr

from docgen.blocks import code, page, summary, table
from machines.own_identity import SOCKET
from runners.connections import ALWAYS_NEEDED
from runners.github.app_auth import ORGANIZATION_PERMISSIONS, REPOSITORY_PERMISSIONS, AppMinter, AppSigner
from runners.github.app_tokens import AppTokens
from runners.github.client import GitHub
from runners.github.leased_tokens import LeasedTokens
from runners.github.tokens import TokenSource
from runners.model.settings import InfisicalSettings
from runners.model.timing import Timing
from runners.secrets.ageing import FLY_LATE_S, late_below
from runners.secrets.github_tokens import USABLE_MARGIN_S, PublishedTokens
from runners.secrets.infisical_login import RENEW_AFTER, RETRY_REFUSED_S
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
    "scope_seen": "pools that do not serve public repositories launch nothing; jobs wait with `group_unread`",
    "queued_runs": "the queue sweep finds nothing; a lost webhook stays lost",
    "jobs_of_run": "likewise",
}
OF_APP: Mapping[str, str] = {
    "deliveries": "a lost webhook is found by the queue sweep alone (`timing.queue_sweep_period`)",
    "delivery": "likewise",
}
ROTATIONS: Mapping[str, str] = {
    "FLY_API_TOKEN": "Make the new one, put it in place, wait, revoke the old one at Fly.",
    "GITHUB_WEBHOOK_SECRET": "Copy the old value to `GITHUB_WEBHOOK_SECRET_PREVIOUS` and put the new one "
    "in place; wait; change it in the App's settings; take the previous one away a few minutes later. "
    "Deliveries signed with either are taken meanwhile.",
    "FLY_GHA_FLEET_KEY": "Put the new one in place. A registration that was sealed with the old one and "
    "not claimed yet is minted anew (`seal_broken`).",
    "GITHUB_APP_PRIVATE_KEY": "An App may have several keys: make the new one, put it where the publisher "
    "(or, in `app`, the dispatcher) reads, wait, delete the old one at GitHub. Tokens that were minted "
    "with it live on. In `lease`, change it in the dynamic secret.",
    "INFISICAL_CLIENT_SECRET": "A client id may have several secrets: make the new one, put it into the "
    "environment (which takes a restart) or the file (which does not), wait, revoke the old one. The next "
    "login uses it: at 80 % of the access token's life, or when the token is refused.",
    "GITHUB_INSTALLATION_TOKEN_<OWNER>": "The publisher does it, ten minutes before the hour is over "
    "(`timing.token_refresh_margin`).",
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
    opens_log = asyncio.run(_opens_the_log())
    timing = Timing()
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
        "`FLY_GHA_FLEET_KEY` is any secret of 32 or more characters that you make up. No credential is a "
        "setting, an argument, a log field, an event or part of a Machine's configuration.",
        "## Logging in to Infisical",
        'With `fleet.secrets = "infisical"`, `infisical.auth` chooses how a process proves who it is. '
        "Everything else is read from the folder.",
        table(
            ("`infisical.auth`", "What proves it", "What is stored where it runs"),
            [
                (
                    "`universal` (the default)",
                    "Universal Auth of a machine identity",
                    "`INFISICAL_CLIENT_ID` and `INFISICAL_CLIENT_SECRET`, in the environment or the file",
                ),
                (
                    "`fly-oidc`",
                    f"OIDC Auth: Fly's word for its Machine, from `{SOCKET}` (or `FLY_API_SOCKET`)",
                    "nothing",
                ),
            ],
        ),
        f"A login is repeated at {RENEW_AFTER:.0%} of its access token's life, and at once when Infisical "
        "says that the token has ended; tokens are never renewed. Three failed logins lock a client id "
        "for five minutes, so what was refused (401 or 403) is presented again only when it has changed, "
        f"after {RETRY_REFUSED_S / 60:.0f} minutes, or after a restart; a new Fly token is no change. So "
        "`serve` goes on, not ready, with a client id or secret that Infisical refuses. Give "
        "every access token a short life: Infisical's default is 30 days, an hour (3600 s) will do.",
        "For `fly-oidc`, add OIDC Auth to the machine identity, and set `infisical.identity_id` to its id:",
        table(
            ("OIDC Auth", "Value"),
            [
                ("`oidcDiscoveryUrl`", "`https://oidc.fly.io/ORG`, without a slash at the end"),
                ("`boundIssuer`", "the same"),
                (
                    "`boundAudiences`",
                    f"that of `infisical.audience`, or `{InfisicalSettings().token_audience}`; never empty",
                ),
                ("`boundSubject`", "`ORG:APP:*`, the Fly organization and the app this process runs in"),
                ("`boundClaims`", "`app_name` = `APP`"),
                ("`accessTokenTTL`, `accessTokenMaxTTL`", "`3600`"),
            ],
        ),
        "Job code on a runner Machine can mint such a token too, for any audience. So bind the subject "
        "**and** `app_name`, each with an app that runs nothing else, and never run the dispatcher or the "
        "publisher in an app of a pool: there, `fly-oidc` refuses to log in. A self-hosted Infisical "
        "older than April 2026 fetched the issuer's keys without checking its certificate unless `caCert` "
        "was set: use a newer one.",
        "Dispatcher and publisher read the same `fleet.toml` and are two identities: give the publisher "
        "its own by `FLY_GHA_INFISICAL__IDENTITY_ID`.",
        "What each process's own identity needs in the folder:",
        table(
            (
                "Identity",
                "Secrets: describe and read value",
                "Secrets: create and edit",
                "Dynamic secrets: lease",
            ),
            [
                ("dispatcher, `published` or `app`", "yes", "no", "no"),
                ("dispatcher, `lease`", "yes", "no", "yes"),
                ("publisher", "yes", "yes", "no"),
                ("runner apps", "no identity", "no identity", "no identity"),
            ],
        ),
        "Where no value may be read, Infisical lists the secret all the same, with a placeholder; that is "
        "an error here, never a value. A wrong `infisical.project_id`, `environment`, `path`, "
        "`project_slug` or `dynamic_secret` is named with what it holds, by `fly-gha doctor` and in the "
        "log of `fly-gha serve`, before anything is booted.",
        "## Modes of access to GitHub",
        "`github.credentials` chooses:",
        table(
            ("Mode", "Who holds the App key", "What the dispatcher holds", "Needs"),
            [
                (
                    "`published` (the default)",
                    "`fly-gha tokens publish`, its own process with its own identity",
                    f"tokens of an hour at most, narrowed, none with less than {USABLE_MARGIN_S:.0f} s left",
                    "Infisical, any plan",
                ),
                (
                    "`lease`",
                    "Infisical, in a dynamic secret of the type GitHub",
                    "one leased token of an hour per owner, with **all** rights of the installation",
                    "Infisical with dynamic secrets in its plan; github.com",
                ),
                (
                    "`app`",
                    "the dispatcher",
                    "the key; it mints narrowed installation tokens for itself",
                    "nothing",
                ),
            ],
        ),
        "In `published` the two processes share nothing but the Infisical folder: the publisher's "
        "identity may write it, the dispatcher's may only read it. A published value is JSON: `token`, "
        "`expires_at` (Unix seconds), `permissions`. A token that GitHub refuses before its time has the "
        "folder read again at once.",
        "The publisher renews a token ten minutes before its end, and at once when GitHub has revoked it. "
        "With `--listen HOST:PORT` it answers `/healthz`, and `/readyz` with 503 while its last pass "
        "failed or is long ago, or a token could not be renewed or is late.",
        "In `lease`, make one dynamic secret per owner, in the same folder (`infisical.path`), named as "
        f"`infisical.dynamic_secret` says (`{InfisicalSettings().dynamic_secret_of('Acme')}` for `Acme`), "
        "with the App's id, its private key and the installation's id, a default TTL of `1h` and no "
        "shorter maximum; set `infisical.project_slug`. The fleet keeps one lease per owner until "
        f"{timing.token_refresh_margin / 60:.0f} minutes before it ends, and makes one more after a "
        "restart, which is far from Infisical's limit of 10,000. Leases are not renewed or revoked: "
        "Infisical cannot renew them, and revoking one does not end its token. Such a token cannot be "
        "narrowed, so give the App no right that the fleet does not need.",
        "## What each mode can do",
        table(
            ("Verb", "Meaning", *(code(mode) for mode in opens_log), "Without it"),
            [
                *(
                    (code(verb), _says(verb), *("yes" for _ in opens_log), without)
                    for verb, without in OF_INSTALLATION.items()
                ),
                *(
                    (code(verb), _says(verb), *(_yes(can) for can in opens_log.values()), without)
                    for verb, without in OF_APP.items()
                ),
            ],
        ),
        "Every mode works with every `registration` of a pool. `token`, and `auto` when the minute's "
        "writes are spent, use one registration token per scope and hour: the published one, or one that "
        "is minted once and kept until ten minutes before it ends.",
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
        "## What ends",
        f"A GitHub token with less than {late_below(timing) / 60:.0f} minutes left, and an `FLY_API_TOKEN` "
        f"with less than {FLY_LATE_S / 86_400:.0f} days, were not replaced in time: that is the incident "
        "`credential_ageing`, and a problem in status, page, `doctor`, `fly-gha-status`, the detail of "
        "`/readyz` (which stays 200: it still works) and `fly_gha_credential_left_seconds`. The end of a Fly "
        "token is read from the token itself, as `fly tokens create --expiry` wrote it. Of client secrets, "
        "webhook secrets, App keys and fleet keys nobody says when they end: note it where you made them.",
        "## Rotating",
        f"Every credential is read anew each {timing.credentials_period:.0f} s "
        "(`timing.credentials_period`): put the new value in the old one's place, wait for "
        "`credentials.changed` in the log, then end the old one. Nothing is restarted.",
        table(("Credential", "How"), [(code(name), how) for name, how in ROTATIONS.items()]),
    )


async def _opens_the_log() -> dict[str, bool]:
    """Whether each mode can sign as the App, asked of the modes themselves, with a key made for it."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - for this question only
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - likewise

    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    clock = SystemClock()
    signer = AppSigner("1", lambda: SecretStr(key.decode()), clock)
    sources: Mapping[str, TokenSource] = {
        "published": PublishedTokens(Vault(EnvironmentSecrets({}), clock, 1.0), clock),
        "lease": LeasedTokens(_never, clock, margin=1.0),
        "app": AppTokens(_unused_minter(), signer, clock),
    }
    return {mode: await source.app_jwt() is not None for mode, source in sources.items()}


async def _never(owner: str) -> tuple[SecretStr, float]:
    """Signing as the App leases nothing."""
    raise NotImplementedError(owner)


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
        return "with Infisical and `universal`"
    return "in mode `app`, and by the publisher" if name == "GITHUB_APP_PRIVATE_KEY" else "during a rotation"


def _rights(permissions: Mapping[str, str]) -> str:
    return ", ".join(f"{code(name)}: {right}" for name, right in sorted(permissions.items()))
