"""What the demo's command line can say."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Sabotage(StrEnum):
    """What is made wrong: a Machine left running, a pool over its cap, a registration without a runner."""

    LEAK = "leak"
    CAP = "cap"
    GHOST = "ghost"


@dataclass(frozen=True, slots=True)
class Options:
    """One run of the demo.

    Attributes:
        program: how the user called fly-gha, for the commands to paste.
    """

    seed: int
    scale: float
    folder: Path
    sabotage: Sabotage | None
    keep_serving: bool
    trace: bool
    program: Path
