"""Choices: a fleet as init was told to write it, or every option that is wrong."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runners.cli.init.rules import FLY, HOST, RULES, Wrong, quoted, whole_class

PUBLISHED, LEASE, APP = "published", "lease", "app"
"""The ways of access to GitHub."""
INFISICAL, LOCAL = "infisical", "local"
"""The places of secrets."""
UNIVERSAL, FLY_OIDC = "universal", "fly-oidc"
"""The ways to log in to Infisical."""

_NAME_MAX = 30


@dataclass(frozen=True, slots=True)
class Choices:
    """A fleet as it is to be written.

    Attributes:
        scope: ``orgs/NAME`` or ``repos/OWNER/NAME``.
        classes: machine classes; each makes a pool of the same name.
        infisical_url: "" for Infisical's own cloud.
        app_id: of the GitHub App, "" while there is none.
        image: the runner image by digest, "" while there is none.
        dispatcher: where it runs; at Fly its image sets host and port, and Fly its environment.
    """

    name: str
    scope: str
    fly_org: str
    public_url: str
    classes: tuple[str, ...]
    apps: tuple[str, ...]
    regions: tuple[str, ...]
    credentials: str
    registration: str
    runner_group: str
    secrets: str
    infisical_project: str
    infisical_project_slug: str
    infisical_auth: str
    infisical_identity: str
    infisical_environment: str
    infisical_path: str
    infisical_url: str
    app_id: str
    image: str
    dispatcher: str
    max_machines: int
    daily_budget_usd: float
    stopped: int
    ready: int

    @property
    def owner(self) -> str:
        """The account that the App is installed on."""
        return self.scope.split("/")[1]

    @property
    def organization_wide(self) -> bool:
        """Whether runners register in the organization, not in one repository."""
        return self.scope.startswith("orgs/")

    @property
    def labels(self) -> tuple[str, ...]:
        """What a workflow's runs-on names, one for each pool."""
        return tuple(f"fly-{name}" for name in self.classes)


def defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """What need not be given; some of it follows from what is."""
    org = str(given.get("org") or str(given.get("repository") or "").partition("/")[0])
    name = str(given.get("name") or _as_name(org) or "fleet")
    credentials = given.get("credentials") or PUBLISHED
    dispatcher = given.get("dispatcher") or (FLY if given.get("infisical_auth") == FLY_OIDC else HOST)
    return {
        "name": name,
        "classes": ("medium",),
        "apps": (f"{name}-runners-a",),
        "regions": ("iad",),
        "credentials": credentials,
        "registration": "jit",
        "runner_group": "Default",
        # A publisher's tokens and Infisical's leases are in Infisical; at Fly it is the only place there is.
        "secrets": LOCAL if credentials == APP and dispatcher == HOST else INFISICAL,
        "infisical_project": "",
        "infisical_project_slug": "",
        "infisical_auth": UNIVERSAL,
        "infisical_identity": "",
        "infisical_environment": "prod",
        "infisical_path": "/",
        "infisical_url": "",
        "app_id": "",
        "image": "",
        "dispatcher": dispatcher,
        "max_machines": 10,
        "daily_budget_usd": 25.0,
        "stopped": 0,
        "ready": 0,
    }


def choose(given: Mapping[str, Any]) -> Choices | tuple[Wrong, ...]:
    """The fleet that the options ask for, or every option that is wrong.

    Args:
        given: by key of Choices, with ``org`` or ``repository`` for the scope; None and empty ones count as
            not given.
    """
    told = {key: value for key, value in given.items() if value not in (None, "", ())}
    whole = {**defaults(told), **told}
    wrong = tuple(dict.fromkeys(_wrong(told, whole)))
    if wrong:
        return wrong
    org, repository = whole.pop("org", ""), whole.pop("repository", "")
    whole["scope"] = f"repos/{repository}" if repository else f"orgs/{org}"
    whole["classes"] = tuple(dict.fromkeys(whole_class(word) for word in whole["classes"]))
    return Choices(**whole)


def _wrong(told: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[Wrong]:
    if "org" not in told and "repository" not in told:
        yield RULES["org"].missing()
    elif "org" in told and "repository" in told:
        yield Wrong(
            "--repository", quoted(told["repository"]), "nothing beside --org: runners have one scope"
        )
    yield from (RULES[key].missing() for key in ("fly_org", "public_url") if key not in told)
    for key, value in whole.items():
        for each in value if isinstance(value, tuple) else (value,):
            # A default that is "" is for later; one that follows from a mistake is not another.
            if key in told and key in RULES and (mistake := RULES[key].wrong(each)):
                yield mistake
    yield from _of_secrets(told, whole)


def _of_secrets(told: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[Wrong]:
    """What a way of access needs of the place of secrets."""
    credentials = whole["credentials"]
    if whole["secrets"] == LOCAL and credentials in (PUBLISHED, LEASE):
        yield Wrong("--secrets", quoted(LOCAL), f"infisical: --credentials {credentials} keeps tokens there")
    if whole["secrets"] != INFISICAL:
        if whole["dispatcher"] == FLY and credentials == APP:
            # FLY_API_TOKEN would have to be a secret of the Fly app, and Fly keeps such names for itself.
            yield Wrong(
                "--secrets", quoted(LOCAL), "infisical: at Fly no secret may have a name like FLY_API_TOKEN"
            )
        return
    if "infisical_project" not in told:
        yield RULES["infisical_project"].missing()
    if credentials == LEASE and "infisical_project_slug" not in told:
        yield RULES["infisical_project_slug"].missing()
    if whole["infisical_auth"] == FLY_OIDC:
        if "infisical_identity" not in told:
            yield RULES["infisical_identity"].missing()
        if whole["dispatcher"] == HOST:
            yield Wrong("--dispatcher", quoted(HOST), "fly: --infisical-auth fly-oidc logs in as a Machine")


def _as_name(org: str) -> str:
    """A fleet's name made of an organization's."""
    return re.sub(r"[^a-z0-9]+", "-", org.lower())[:_NAME_MAX].strip("-")
