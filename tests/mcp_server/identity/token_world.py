"""Tokens as tests make them: entropy that repeats, files in a folder of the test."""

import hashlib
from pathlib import Path

from mcp_server.caller import Scope
from mcp_server.token_file import TokenFile
from mcp_server.tokens import NewToken, new_token

NOW = 1_795_000_000.0


class Entropy:
    """Bytes that look random and are the same in every run."""

    def __init__(self, seed: str = "seed") -> None:
        self._drawn = 0
        self._seed = seed

    def __call__(self, count: int) -> bytes:
        self._drawn += 1
        return hashlib.sha256(f"{self._seed}/{self._drawn}".encode()).digest()[:count]


def token(entropy=None, **fields) -> NewToken:
    given = {"name": "ci", "project": "web", "scopes": (Scope.JOBS,), "now": NOW, **fields}
    return new_token(entropy or Entropy(), **given)


def keep(path: Path, *made: NewToken) -> None:
    """Add tokens to the file, as the command does."""
    TokenFile(path).change(lambda kept: ((*kept, *(each.token for each in made)), None))


def revoke(path: Path, made: NewToken, at: float = NOW) -> None:
    def op(kept):
        ended = (
            each.model_copy(update={"revoked_at": at}) if each.id == made.token.id else each for each in kept
        )
        return tuple(ended), None

    TokenFile(path).change(op)
