"""What tests/live are told, all by the environment; tests/live/README.md says it to people."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

CONFIG = "FLY_GHA_LIVE_CONFIG"
FLY_APP = "FLY_GHA_LIVE_FLY_APP"
FLY_IMAGE = "FLY_GHA_LIVE_FLY_IMAGE"
GROUP = "FLY_GHA_LIVE_GITHUB_GROUP"
WRITER_FILE = "FLY_GHA_LIVE_INFISICAL_WRITER_FILE"
WRITER_PATH = "FLY_GHA_LIVE_INFISICAL_PATH"
BLIND_FILE = "FLY_GHA_LIVE_INFISICAL_BLIND_FILE"
CANARY_REPOSITORY = "FLY_GHA_LIVE_CANARY_REPOSITORY"
CANARY_TOKEN_FILE = "FLY_GHA_LIVE_CANARY_TOKEN_FILE"
CANARY_WORKFLOW = "FLY_GHA_LIVE_CANARY_WORKFLOW"
CANARY_REF = "FLY_GHA_LIVE_CANARY_REF"
PATIENCE = "FLY_GHA_LIVE_PATIENCE_S"
LOOK = "FLY_GHA_LIVE_LOOK_S"


@dataclass(frozen=True)
class Variable:
    """One variable: what it says, and the default, "" when there is none."""

    meaning: str
    default: str = ""


VARIABLES: Mapping[str, Variable] = {
    CONFIG: Variable("the fleet.toml of your fleet; its secrets are found as `fly-gha doctor` finds them"),
    FLY_APP: Variable("a Fly app with a network of its own and no other use; not one that a pool names"),
    FLY_IMAGE: Variable("an image by digest for the throw-away Machine", "fly.image"),
    GROUP: Variable("a runner group without public repositories, for a registration that never goes online"),
    WRITER_FILE: Variable(
        "a file (mode 0600) with INFISICAL_CLIENT_ID and INFISICAL_CLIENT_SECRET of an identity that writes"
    ),
    WRITER_PATH: Variable("the folder in Infisical that it may write to, with nothing else in it"),
    BLIND_FILE: Variable("the same of an identity that may list the fleet's folder and not read its values"),
    CANARY_REPOSITORY: Variable("owner/name of a private repository that has the canary workflow"),
    CANARY_TOKEN_FILE: Variable("a file (mode 0600) with a token of GitHub that may start workflows there"),
    CANARY_WORKFLOW: Variable("the workflow's file", "fly-gha-canary.yml"),
    CANARY_REF: Variable("the branch it is run on", "main"),
    PATIENCE: Variable("most seconds that one thing may take: a boot, an end, a run of the canary", "900"),
    LOOK: Variable("seconds between two looks at something that changes", "2"),
}
"""Every variable."""


def told(name: str) -> str:
    """What a variable says, or its default."""
    return os.environ.get(name) or VARIABLES[name].default


def missing(*names: str) -> str:
    """Why a test that needs these cannot run; "" when it can."""
    lacks = [name for name in names if not os.environ.get(name)]
    return f"set {' and '.join(lacks)}: see tests/live/README.md" if lacks else ""
