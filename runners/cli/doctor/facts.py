"""Facts: all that the doctor could find out, before anybody judges it; no credential is among them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from machines.survey import AppSeen, TokenSeen
from runners.github.survey import Grants, HookConfig
from runners.model.groups import ScopeSeen
from runners.model.settings import Settings

T = TypeVar("T")
SECRETS_PLACE = "credentials' place"
"""The line that says whether credentials can be read; others point to it."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A fact that could not be had.

    Attributes:
        why: in plain words.
        refused: somebody answered no, so something is wrong; else nobody can say.
        next_step: what to do about it.
        missing: what was asked for is not there.
        status: the HTTP status of the answer, if there was one.
    """

    why: str
    refused: bool = False
    next_step: str = ""
    missing: bool = False
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Database:
    """What is where ``fleet.database_url`` leads.

    Attributes:
        there: False for an SQLite file that nobody has made yet.
        missing: revisions that the dispatcher would apply when it starts.
        writable: whether something could be written; None when there is nothing to write to yet.
        created_at: by Fly app, when the last Machine was asked for that Fly made there, Unix seconds.
        images: those that Machines of this fleet were seen to run.
    """

    there: bool
    missing: tuple[str, ...] = ()
    writable: bool | None = None
    created_at: Mapping[str, float] = field(default_factory=dict)
    images: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Credential:
    """One credential that is needed.

    Attributes:
        held: it is there and not empty.
        wrong: what is wrong with its form, "" for nothing.
        note: what else may be said of it, such as how long it is good for.
    """

    name: str
    held: bool
    wrong: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Deliveries:
    """GitHub's log of the last day.

    Attributes:
        attempts: how many.
        arrived: those the receiver took.
        last_at: of the latest attempt, Unix seconds, None without one.
        last_status: what the receiver answered to it; 0 for no answer.
    """

    attempts: int
    arrived: int
    last_at: float | None
    last_status: int


@dataclass(frozen=True, slots=True)
class Answering:
    """Who answers GET /readyz at an address.

    Attributes:
        status: the HTTP status.
        fleet: the fleet it says it is, "" when it is no dispatcher.
        instance: which process of it.
        lacks: what it says it lacks.
    """

    status: int
    fleet: str
    instance: str
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything.

    Attributes:
        now: our clock, Unix seconds.
        where: the place that credentials are read from.
        secrets: whether that place could be read: "" or why not.
        clock_offsets: by upstream, seconds by which its clock is ahead of ours.
        as_app: asked as the GitHub App, with its key.
        leases: by owner, the permissions of the GitHub token that Infisical leased.
        addresses: what the name in ``fleet.public_url`` resolves to.
        public: who answers there.
        scopes: by scope, who may use its runners.
        granted: by owner, the permissions that its published token was made with.
        local: who answers where this configuration's dispatcher listens.
        versions_offered: by scope, the version of actions/runner that GitHub offers.
        versions_used: by scope, the versions that this fleet's runners told GitHub.
    """

    now: float
    settings: Settings
    where: str
    secrets: Unread | None
    credentials: tuple[Credential, ...]
    database: Database | Unread
    clock_offsets: Mapping[str, float | Unread] = field(default_factory=dict)
    as_app: bool = False
    leases: Mapping[str, Mapping[str, str] | Unread] = field(default_factory=dict)
    app: Grants | Unread = field(default_factory=lambda: Unread("not asked"))
    installations: Mapping[str, Grants | Unread] = field(default_factory=dict)
    hook: HookConfig | Unread = field(default_factory=lambda: Unread("not asked"))
    deliveries: Deliveries | Unread = field(default_factory=lambda: Unread("not asked"))
    scopes: Mapping[str, ScopeSeen | Unread] = field(default_factory=dict)
    granted: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    fly_tokens: tuple[TokenSeen, ...] | Unread = field(default_factory=lambda: Unread("not asked"))
    fly_apps: Mapping[str, AppSeen | Unread] = field(default_factory=dict)
    fly_images: Mapping[str, frozenset[str] | Unread] = field(default_factory=dict)
    fly_regions: frozenset[str] | Unread = field(default_factory=lambda: Unread("not asked"))
    addresses: tuple[str, ...] | Unread = field(default_factory=lambda: Unread("not asked"))
    public: Answering | Unread = field(default_factory=lambda: Unread("not asked"))
    local: Answering | Unread = field(default_factory=lambda: Unread("not asked"))
    versions_offered: Mapping[str, str | Unread | None] = field(default_factory=dict)
    versions_used: Mapping[str, frozenset[str] | Unread] = field(default_factory=dict)
