"""Scope: the organization or the one repository where runners register, and whose budget a call spends."""

import re
from dataclasses import dataclass

import httpx

from runners.github.errors import UPSTREAM, our_fault

# An owner as GitHub writes it (managed users have an underscore), and a repository's name.
_SCOPE = re.compile(r"orgs/([A-Za-z0-9_-]+)|repos/([A-Za-z0-9_-]+)/([A-Za-z0-9._-]+)")
_OWNER_IN_PATH = re.compile(r"/(?:orgs|repos)/([^/]+)(?:/|$)")

# Calls as the App itself are charged to no installation. No account name has an "@".
APP_KEY = f"{UPSTREAM}:@app"


@dataclass(frozen=True, slots=True)
class Scope:
    """``orgs/acme`` or ``repos/acme/web``.

    Attributes:
        path: the scope as it stands in a REST path.
        owner: the account whose installation is asked.
        repository: the repository's name, or None for an organization.
    """

    path: str
    owner: str
    repository: str | None

    @classmethod
    def parse(cls, text: str, attempted: str) -> "Scope":
        """Reads a scope.

        Raises:
            UpstreamError: it is neither form (our fault).
        """
        match = _SCOPE.fullmatch(text)
        if match is None or match[3] in (".", ".."):
            raise our_fault(
                attempted, "the scope is neither orgs/NAME nor repos/OWNER/NAME", "correct the pool's scope"
            )
        return cls(text, match[1] or match[2], match[3])


def upstream_key(request: httpx.Request) -> str:
    """The key of UpstreamTransport: ``github:OWNER``, spelt as in the scope, or ``github:@app``."""
    match = _OWNER_IN_PATH.search(request.url.path)
    return f"{UPSTREAM}:{match[1]}" if match else APP_KEY
