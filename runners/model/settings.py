"""What an operator may set: the sections of fleet.toml, each overridable by ``FLY_GHA_<SECTION>__<KEY>``.

Only meaning and limits live here; reading the file and the environment is ``runners/fleet_file.py``.
Credentials are never settings: they come from Infisical or the environment (``runners/secrets``).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from runners.model.access_modes import access_mistakes
from runners.model.allow_lists import list_mistakes
from runners.model.timing import Timing

NAME = r"^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$"
SCOPE = r"^(orgs/[A-Za-z0-9-]+|repos/[A-Za-z0-9-]+/[A-Za-z0-9._-]+)$"
# Without a name or password: Machines are told it, and logs show it.
_HOST = r"([^\s?#@/:\[\]]+|\[[0-9A-Fa-f:.]+\])"
_PORT = r"([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])"
URL = rf"^https?://{_HOST}(:{_PORT})?(/[^\s?#]*)?$"
EVENT = r"^[a-z_]{1,64}$"
IMAGE = r"^[^\s@]+@sha256:[0-9a-f]{64}$"
REGION = r"^[a-z]{3}$"
LEASED_FROM = r"^([A-Za-z0-9-]|\{owner\}){1,64}$"
# What a pattern asks for, for whoever did not meet it.
PATTERN_WORDS: Mapping[str, str] = {
    NAME: "1 to 30 lower-case letters, digits and dashes, with no dash at either end",
    SCOPE: "orgs/NAME or repos/OWNER/NAME",
    URL: "an http or https URL with a host, and without a password or a query",
    EVENT: "the name of an event that starts workflows, such as push or pull_request",
    IMAGE: "NAME@sha256:<64 hexadecimal digits>, as `make image` prints it; see machines/runner/README.md",
    REGION: "three lower-case letters, such as iad; `fly platform regions` lists them",
    LEASED_FROM: "letters, digits and dashes, with {owner} in place of the owner",
}
Name = Annotated[str, Field(pattern=NAME)]
Scope = Annotated[str, Field(pattern=SCOPE)]
Url = Annotated[str, Field(pattern=URL)]
EventName = Annotated[str, Field(pattern=EVENT)]
Image = Annotated[str, Field(pattern=IMAGE)]
Region = Annotated[str, Field(pattern=REGION)]

# actions/runner refuses these in a name, and so do label matchers (source of actions/runner).
LABEL_MAX = 64
FORBIDDEN_IN_LABELS = re.compile(r'[\s",:<>|*?\\]')


class Section(BaseModel):
    """A section of fleet.toml: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FleetSettings(Section):
    """``[fleet]``: what holds for all pools."""

    name: Name = Field(
        "fleet",
        description="Marks this fleet's Machines and runners; two fleets in one organization need two names.",
    )
    public_url: Url = Field(
        "http://127.0.0.1:8080",
        description="Where Machines reach the dispatcher; also the audience of their tokens.",
    )
    host: str = Field("127.0.0.1", description="Address the dispatcher listens on.")
    port: int = Field(
        8080, ge=0, le=65_535, description="Port the dispatcher listens on; 0 picks a free one."
    )
    database_url: str = Field(
        "sqlite:///fly-gha.db", description="sqlite:///PATH or postgresql://USER@HOST/NAME."
    )
    max_machines: int = Field(
        50, ge=0, le=100_000, description="Most Machines of all pools together, whatever their state."
    )
    daily_budget_usd: float | None = Field(
        None, ge=0, description="New launches stop when a day (UTC) has cost this much."
    )
    paused: bool = Field(False, description="Launch nothing; what runs goes on.")
    classes: str | None = Field(
        None,
        description="Folder of class files that add to those of fly-gha or replace them: docs/classes.md.",
    )
    secrets: Literal["local", "infisical"] = Field("local", description="Where credentials come from.")
    secrets_file: str | None = Field(
        None,
        description="File of NAME=value lines, mode 0600: all credentials, or those that open Infisical.",
    )


class GitHubSettings(Section):
    """``[github]``: the API, the way of access, and what is allowed."""

    api_url: Url = Field("https://api.github.com", description="REST base URL (GITHUB_API_URL).")
    web_url: Url = Field(
        "https://github.com", description="Where runners register in token mode (GITHUB_SERVER_URL)."
    )
    api_version: str = Field("2022-11-28", description="X-GitHub-Api-Version, pinned.")
    credentials: Literal["published", "lease", "app"] = Field(
        "published",
        description="Ephemeral tokens from a publisher, leases from Infisical, or the App key: "
        "docs/credentials.md.",
    )
    app_id: str | None = Field(
        None, description="The GitHub App's id or client id; needed to sign as the App."
    )
    organizations: tuple[str, ...] = Field(
        (), description="Owners whose repositories are served; empty serves the pools' scopes only."
    )
    repositories: tuple[str, ...] = Field(
        (), description="owner/name patterns that are served; empty allows all of the owners."
    )
    installations: tuple[int, ...] = Field(
        (), description="Installation ids that are served; empty allows all."
    )
    webhook_max_bytes: int = Field(
        1_048_576, ge=1024, le=26_214_400, description="Larger webhook bodies are refused."
    )
    writes_per_minute: int = Field(
        150, ge=1, description="Registrations and removals per minute and installation."
    )


class FlySettings(Section):
    """``[fly]``: the Machines API and its limits."""

    api_hostname: Url = Field(
        "https://api.machines.dev", description="Machines API base URL (FLY_API_HOSTNAME)."
    )
    org_slug: str = Field("personal", description="The Fly organization that owns the runner apps.")
    oidc_issuer: Url | None = Field(
        None, description="Issuer of Machine tokens; https://oidc.fly.io/<org_slug> when not set."
    )
    image: Image = Field(
        description="The runner image by digest, NAME@sha256:…: a tag may mean another image tomorrow."
    )
    creates_per_second: float = Field(1, gt=0, description="Machine creates per second and app.")
    create_burst: int = Field(3, ge=1, description="Creates that may go out at once per app.")

    @property
    def issuer(self) -> str:
        """The issuer that every claim's token must name."""
        return self.oidc_issuer or f"https://oidc.fly.io/{self.org_slug}"


class InfisicalSettings(Section):
    """``[infisical]``: where the secrets are, when ``fleet.secrets = "infisical"``."""

    api_url: Url = Field("https://app.infisical.com", description="Base URL (INFISICAL_API_URL).")
    project_id: str = Field("", description="The project's id.")
    environment: str = Field("prod", description="The environment's slug.")
    path: str = Field("/", description="The folder the secrets are in, dynamic secrets too.")
    auth: Literal["universal", "fly-oidc"] = Field(
        "universal",
        description="How to log in: with a client id and secret, or as the Fly Machine this process runs on.",
    )
    identity_id: str = Field("", description='The machine identity that auth = "fly-oidc" logs in as.')
    audience: str | None = Field(
        None, description="Audience of the Fly token, its boundAudiences; api_url when not set."
    )
    organization_slug: str = Field(
        "", max_length=64, description="Sub-organization to log in to; the identity's own when empty."
    )
    project_slug: str = Field("", description='The project\'s slug, for github.credentials = "lease".')
    dynamic_secret: str = Field(
        "github-{owner}",
        pattern=LEASED_FROM,
        description="Name of an owner's dynamic secret; one serves one installation of the App.",
    )

    @property
    def base_url(self) -> str:
        """Without ``/api``: the CLI's INFISICAL_API_URL ends in it, the SDKs' does not; both are taken."""
        return self.api_url.rstrip("/").removesuffix("/api")

    @property
    def token_audience(self) -> str:
        """The audience of the Fly token that logs in."""
        return self.audience or self.base_url

    def dynamic_secret_of(self, owner: str) -> str:
        """The name of an owner's dynamic secret, in lower case as Infisical keeps it."""
        return self.dynamic_secret.replace("{owner}", owner).lower()


class PoolSettings(Section):
    """``[[pools]]``: interchangeable runners."""

    name: Name = Field(
        description="A pool named gha-medium uses machines/gha-medium.toml and serves fly-gha-medium."
    )
    labels: tuple[str, ...] = Field(
        (), max_length=20, description="Labels it registers and serves; fly-<name> when empty."
    )
    machine_class: str | None = Field(None, description="Machine class; the pool's name when not set.")
    scope: Scope = Field(description='Where runners register: "orgs/NAME" or "repos/OWNER/NAME".')
    runner_group: str = Field("Default", description="Runner group of the organization.")
    registration: Literal["jit", "token", "auto"] = Field(
        "jit",
        description="How a Machine registers; token serves bursts and is weaker; auto is jit until a "
        "quarter of github.writes_per_minute is left, then token.",
    )
    apps: tuple[str, ...] = Field(
        min_length=1,
        max_length=50,
        description="Fly apps the Machines are created in; creates spread over them.",
    )
    regions: tuple[Region, ...] = Field(
        ("iad",), min_length=1, description="Fly regions in order of preference."
    )
    max_machines: int = Field(10, ge=0, le=10_000, description="Most Machines of this pool, spares included.")
    stopped: int = Field(0, ge=0, le=1000, description="Stopped spares to keep.")
    ready: int = Field(0, ge=0, le=1000, description="Booted spares to keep.")
    daily_budget_usd: float | None = Field(
        None, ge=0, description="New launches of this pool stop past this cost per day (UTC)."
    )
    fallback: str | None = Field(
        None, description="Pool that takes this pool's jobs while this one is drained."
    )
    repositories: tuple[str, ...] = Field(
        (),
        max_length=50,
        description="owner/name patterns that it serves, besides github.repositories; empty adds no limit.",
    )
    workflows: tuple[str, ...] = Field(
        (),
        max_length=50,
        description="Patterns for owner/name/.github/workflows/FILE.yml; the Machine's gate fails others.",
    )
    events: tuple[EventName, ...] = Field(
        (), max_length=50, description="Events whose runs it serves; the Machine's gate fails others."
    )
    allow_forks: bool = Field(
        False, description="Run pull requests from forks, of private repositories too; see docs/security.md."
    )
    allow_public: bool = Field(False, description="Serve public repositories; see docs/security.md first.")
    drained: bool = Field(False, description="Take no new work.")

    @field_validator("labels")
    @classmethod
    def _labels_are_sendable(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        for label in labels:
            if not label or len(label) > LABEL_MAX or FORBIDDEN_IN_LABELS.search(label):
                raise ValueError(
                    f'1 to {LABEL_MAX} characters each, without spaces and without any of " , : < > | * ? \\'
                )
        return labels

    @property
    def served_labels(self) -> tuple[str, ...]:
        """What its runners register with, and what a job's labels must be a subset of."""
        return self.labels or (f"fly-{self.name}",)

    @property
    def class_name(self) -> str:
        """The machine class it boots."""
        return self.machine_class or self.name

    @property
    def owner(self) -> str:
        """The account whose installation pays for its mints."""
        return self.scope.split("/")[1]


class Settings(Section):
    """The whole of fleet.toml."""

    fleet: FleetSettings = Field(default_factory=FleetSettings)
    timing: Timing = Field(default_factory=Timing)
    github: GitHubSettings = Field(default_factory=GitHubSettings)
    fly: FlySettings
    infisical: InfisicalSettings = Field(default_factory=InfisicalSettings)
    pools: tuple[PoolSettings, ...] = Field(min_length=1, max_length=200)

    @model_validator(mode="before")
    @classmethod
    def _an_absent_section_is_an_empty_one(cls, document: object) -> object:
        # So that what is required of it is named by its own key.
        return {"fly": {}, **document} if isinstance(document, Mapping) else document

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        mistakes = [
            *self._pool_mistakes(),
            *list_mistakes(self.github, self.pools),
            *access_mistakes(self.fleet, self.github, self.infisical, self.pools),
        ]
        if mistakes:
            raise ValueError("\n".join(mistakes))
        return self

    def _pool_mistakes(self) -> Iterator[str]:
        names = [pool.name for pool in self.pools]
        for index, pool in enumerate(self.pools):
            if pool.name in names[:index]:
                yield f"pools.{index}.name: found {pool.name!r} a second time, expected a name of its own"
            if pool.fallback is not None and (pool.fallback not in names or pool.fallback == pool.name):
                yield f"pools.{index}.fallback: found {pool.fallback!r}, expected the name of another pool"
            if pool.registration != "jit" and (pool.allow_public or pool.allow_forks):
                allows = "public repositories" if pool.allow_public else "pull requests from forks"
                yield (
                    f"pools.{index}.registration: found {pool.registration!r}, expected 'jit': "
                    f"the pool allows {allows}"
                )

    def pool(self, name: str) -> PoolSettings | None:
        """The pool of that name, or None."""
        return next((pool for pool in self.pools if pool.name == name), None)
