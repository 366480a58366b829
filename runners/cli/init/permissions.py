"""The list of permissions: who holds which right where, and which secrets are kept under which names.

What GitHub's App needs is what the code asks for when it mints (``runners/github/app_auth.py``), and the
names of secrets are those that it reads (``runners/secrets/names.py``): the list cannot say another thing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runners.cli.doctor.checks_github import EVENT
from runners.cli.init.choices import APP, FLY_OIDC, INFISICAL, LEASE, PUBLISHED, Choices
from runners.connections import ALWAYS_NEEDED
from runners.github.app_auth import ORGANIZATION_PERMISSIONS, REPOSITORY_PERMISSIONS
from runners.model.settings import InfisicalSettings
from runners.secrets.names import CREDENTIALS, installation_token_name, registration_token_name

WEBHOOK_PATH = "/webhooks/github"
# As GitHub's page of an App's permissions calls them, and what the fleet does with each.
WORDS: Mapping[str, tuple[str, str]] = {
    "organization_self_hosted_runners": (
        "Organization: Self-hosted runners",
        "register runners, list and remove them",
    ),
    "administration": ("Repository: Administration", "register runners in one repository"),
    "actions": ("Repository: Actions", "see runs and jobs that wait"),
    "metadata": ("Repository: Metadata", "GitHub gives it with every other"),
}
APP_KEY = "GITHUB_APP_PRIVATE_KEY"


@dataclass(frozen=True, slots=True)
class Right:
    """One right or secret.

    Attributes:
        where: who has to give it: ``GitHub App``, ``Runner group``, ``Fly``, ``Infisical``, ``Secrets of …``.
        what: its name there.
        level: how much of it, "" where there is no more or less.
        why: what the fleet does with it.
    """

    where: str
    what: str
    level: str
    why: str


def rights(choices: Choices) -> tuple[Right, ...]:
    """Every right and every secret that this fleet needs, and no other."""
    return (*_app(choices), *_group(choices), *_fly(choices), *_infisical(choices), *_secrets(choices))


def app_permissions(choices: Choices) -> Mapping[str, str]:
    """The App's permissions by GitHub's own names."""
    return ORGANIZATION_PERMISSIONS if choices.organization_wide else REPOSITORY_PERMISSIONS


def _app(choices: Choices) -> Iterator[Right]:
    for name, level in app_permissions(choices).items():
        title, why = WORDS[name]
        yield Right("GitHub App", f"{title} ({name})", level, why)
    yield Right("GitHub App", f"Event: {EVENT}", "subscribe", "hear of jobs that are queued and that end")
    yield Right(
        "GitHub App",
        f"Webhook: {choices.public_url.rstrip('/')}{WEBHOOK_PATH}",
        "",
        "with a secret, as application/json, SSL verification on",
    )
    yield Right("GitHub App", f"Installed on {choices.scope}", "", "nothing else needs it")


def _group(choices: Choices) -> Iterator[Right]:
    if choices.organization_wide:
        yield Right(
            "Runner group",
            choices.runner_group,
            "",
            "private repositories that may use these runners; no public ones",
        )


def _fly(choices: Choices) -> Iterator[Right]:
    for app in choices.apps:
        yield Right(
            "Fly", f"App {app}", "", "its Machines run jobs; a network of its own, no secrets, no services"
        )
    if len(choices.apps) == 1:
        yield Right("Fly", f"Deploy token of {choices.apps[0]}", "", "make, start and end Machines there")
    else:
        yield Right(
            "Fly",
            f"Organization token of {choices.fly_org}",
            "",
            "a deploy token opens one app, and these are several",
        )


def _infisical(choices: Choices) -> Iterator[Right]:
    if choices.secrets != INFISICAL:
        return
    place = f"{choices.infisical_path} of {choices.infisical_environment}"
    yield Right("Infisical", "Identity of the dispatcher", f"read values in {place}", "its credentials")
    if choices.credentials == PUBLISHED:
        yield Right(
            "Infisical",
            "Identity of the publisher",
            f"read, create and edit in {place}",
            "keeps GitHub's tokens fresh there",
        )
    if choices.credentials == LEASE:
        yield Right(
            "Infisical",
            "Identity of the dispatcher",
            f"lease dynamic secrets in {place}",
            f"GitHub's tokens of {choices.owner}; each carries all rights of the installation",
        )
        dynamic = InfisicalSettings().dynamic_secret_of(choices.owner)
        yield Right(
            "Infisical", f"Dynamic secret {dynamic}", "", "of the type GitHub: App id, key, installation id"
        )
    if choices.infisical_auth == FLY_OIDC:
        yield Right(
            "Infisical",
            "OIDC Auth of each identity",
            f"boundSubject {choices.fly_org}:APP:* and boundClaims app_name = APP",
            "logs in as the Machine it runs on: docs/credentials.md",
        )
    yield Right("Infisical", "Identity of the runner apps", "none", "job code could log in as its Machine")


def _secrets(choices: Choices) -> Iterator[Right]:
    place = "Secrets in Infisical" if choices.secrets == INFISICAL else "Secrets of the dispatcher"
    for name in ALWAYS_NEEDED.values():
        yield _secret(place, name)
    if choices.credentials == APP:
        yield _secret(place, APP_KEY)
    if choices.credentials == PUBLISHED:
        by_publisher = "written by the publisher, by nobody else"
        yield Right(place, installation_token_name(choices.owner), "", by_publisher)
        if choices.registration != "jit":
            yield Right(place, registration_token_name(choices.scope), "", by_publisher)
        yield _secret("Secrets of the publisher", APP_KEY)
    if choices.secrets == INFISICAL and choices.infisical_auth != FLY_OIDC:
        for name in ("INFISICAL_CLIENT_ID", "INFISICAL_CLIENT_SECRET"):
            yield _secret("Secrets of the dispatcher", name)
            if choices.credentials == PUBLISHED:
                yield _secret("Secrets of the publisher", name)


def _secret(place: str, name: str) -> Right:
    return Right(place, name, "", CREDENTIALS[name].rstrip("."))


def permissions_page(choices: Choices, found: tuple[Right, ...]) -> str:
    """PERMISSIONS.md."""
    lines = [
        f"# Permissions of the fleet {choices.name}",
        "",
        "Written by `fly-gha init` from what the code asks for; what is not listed is not needed. Nothing",
        "here is a secret. `fly-gha doctor` checks what can be checked.",
    ]
    for where in dict.fromkeys(right.where for right in found):
        lines += ["", f"## {where}", "", "| What | How much | What for |", "| --- | --- | --- |"]
        lines += [
            f"| {_cell(right.what)} | {_cell(right.level) or '-'} | {_cell(right.why)} |"
            for right in found
            if right.where == where
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
