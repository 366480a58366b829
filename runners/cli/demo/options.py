"""What the demo's command line can say."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from runners.cli.demo.script import TOTAL


class Sabotage(StrEnum):
    """What is made wrong: a Machine left running, a pool over its cap, a registration without a runner."""

    LEAK = "leak"
    CAP = "cap"
    GHOST = "ghost"


class Registration(StrEnum):
    """How the Machines of every pool register."""

    JIT = "jit"
    TOKEN = "token"  # noqa: S105 - a word of GitHub's, not a token
    AUTO = "auto"


class Credentials(StrEnum):
    """Who holds the App key: the publisher, Infisical, or the dispatcher."""

    PUBLISHED = "published"
    LEASE = "lease"
    APP = "app"


@dataclass(frozen=True, slots=True)
class Variant:
    """Which fleet the demo runs.

    Attributes:
        registration: of every pool; None lets one register by jit and one by token.
        credentials: ``github.credentials``.
        stopped: stopped spares that gha-medium keeps.
        ready: booted spares that gha-medium keeps.
        jobs: how many are queued in the burst.
    """

    registration: Registration | None = None
    credentials: Credentials = Credentials.PUBLISHED
    stopped: int = 0
    ready: int = 0
    jobs: int = TOTAL

    @property
    def warm(self) -> bool:
        """Whether spares are kept."""
        return self.stopped + self.ready > 0


@dataclass(frozen=True, slots=True)
class Options:
    """One run of the demo.

    Attributes:
        program: how the user called fly-gha, for the commands to paste.
    """

    seed: int
    scale: float
    variant: Variant
    folder: Path
    sabotage: frozenset[Sabotage]
    keep_serving: bool
    trace: bool
    program: Path
