"""Credentials that this server must not hold, known by their names and by how their values look.

It answers agents and has no authority over anything; a credential of Fly, GitHub, Infisical or of the
dispatcher's operators in its environment would be authority waiting for a mistake. Over HTTP the server
refuses to start with one. On standard input it is started by somebody's own agent in their own environment:
it drops them and says so. The same looks serve the audit record, where such a value is masked.
"""

import re
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

OWN_TOKEN = "FLY_GHA_STATUS_TOKEN"  # noqa: S105 - a name
"""The one credential this server has, whose value must have the form of DISPATCHER_TOKEN."""

DISPATCHER_TOKEN = re.compile(r"fgr_[a-z2-7]{8}_[A-Za-z0-9_-]{43}")

LISTED: Mapping[str, str] = {
    "FLY_API_TOKEN": "creates and destroys Machines",
    "FLY_ACCESS_TOKEN": "creates and destroys Machines",
    "FLY_*TOKEN": "opens Fly",
    "FLY_GHA_TOKEN": "an operator's token of the dispatcher",
    "FLY_GHA_TOKEN_FILE": "names a file with an operator's token of the dispatcher",
    "FLY_GHA_FLEET_KEY": "opens registrations of runners",
    "FLY_GHA_FLEET__DATABASE_URL": "opens the dispatcher's database",
    "FLY_GHA_FLEET__SECRETS_FILE": "names a file with the dispatcher's credentials",
    "GITHUB_TOKEN": "opens GitHub",
    "GITHUB_PAT": "opens GitHub",
    "GITHUB_*TOKEN": "opens GitHub",
    "GITHUB_APP_PRIVATE_KEY*": "is the GitHub App",
    "GITHUB_WEBHOOK_SECRET*": "signs webhooks as GitHub does",
    "GITHUB_INSTALLATION_TOKEN_*": "registers runners",
    "GITHUB_REGISTRATION_TOKEN_*": "registers runners",
    "GH_*TOKEN": "opens GitHub",
    "ACTIONS_*TOKEN": "speaks as a GitHub Actions job",
    "ACTIONS_RUNNER_INPUT_*": "registers a runner",
    "INFISICAL_*": "opens Infisical",
}
"""Names, ``*`` for any text, and what each opens."""

HARMLESS = frozenset({OWN_TOKEN, "INFISICAL_API_URL"})
"""Names that a pattern of LISTED would take although they open nothing more than this server may."""

# What follows a prefix that ordinary text may begin with, too; every other prefix speaks for itself. Each is
# bounded, so that no text makes the search slow.
_AFTER: Mapping[str, str] = {
    "st.": r"[0-9a-f-]{16,64}\.",
    "v1.": r"[0-9a-f]{40}",
    "eyJ": r"[A-Za-z0-9_-]{8,256}\.eyJ",
    "eyIu": r"[A-Za-z0-9+/=]{32}",
    "-----BEGIN ": r"[A-Z0-9 ]{0,40}PRIVATE KEY",
}

SECRET_PREFIXES: tuple[str, ...] = (
    # GitHub: personal, OAuth, user, installation, refresh, fine-grained; installations of older servers.
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "v1.",
    # Fly: a macaroon with its scheme, each kind without it, an OAuth token.
    "FlyV1 ",
    "fm1r_",
    "fm1a_",
    "fm1_",
    "fm2_",
    "fo1_",
    # Infisical: a service token. Its access tokens, like Fly's OIDC tokens, are JWTs.
    "st.",
    "eyJ",
    # GitHub's just-in-time configuration of a runner: base64 of {".
    "eyIu",
    # Ours: of the dispatcher, of this server.
    "fgr_",
    "fgs_",
    # A private key, and the beginnings of one in base64.
    "-----BEGIN ",
    "LS0tLS1CRUdJTiBQUklW",
    "LS0tLS1CRUdJTiBSU0Eg",
    "LS0tLS1CRUdJTiBFQyBQ",
    "LS0tLS1CRUdJTiBFTkNSWVBU",
    "LS0tLS1CRUdJTiBPUEVOU1NI",
)
"""How credentials begin; a few of these begin other text, too: ask looks_secret."""

# So much of a token must follow its prefix in the middle of a text: a word like "fm2_io" is not one.
_INSIDE_MIN = 16


@dataclass(frozen=True, slots=True)
class Offence:
    """A variable of the environment that holds a credential; its value is never part of this.

    Attributes:
        name: the variable.
        why: what gives it away.
    """

    name: str
    why: str


class CredentialsPresent(Exception):
    """The environment holds credentials that this server must not have.

    Attributes:
        offences: which.
    """

    def __init__(self, offences: tuple[Offence, ...]) -> None:
        self.offences = offences
        super().__init__(
            "start fly-gha-status: the environment holds credentials that a read-only server must not have: "
            f"{_words(offences)}; next: start it without them (env -u NAME fly-gha-status); its own "
            f"dispatcher token, with the scope read, is all it needs: {OWN_TOKEN}_FILE or {OWN_TOKEN}"
        )


def looks_secret(text: str) -> bool:
    """Whether ``text`` is a credential, or has one inside (a header, a URL, JSON)."""
    return _BEGINS.match(text) is not None or _INSIDE.search(text) is not None


def found(environ: Mapping[str, str]) -> tuple[Offence, ...]:
    """The variables that hold a credential, by name or by value, sorted by name; empty ones hold nothing."""
    offences = []
    for name in sorted(environ):
        value = environ[name].strip()
        why = _why(name.upper(), value) if value else None
        if why is not None:
            offences.append(Offence(name, why))
    return tuple(offences)


def refuse_or_drop(
    environ: MutableMapping[str, str], transport: str, say: Callable[[str], None]
) -> tuple[Offence, ...]:
    """Make sure that the environment holds no credential but this server's own.

    Args:
        environ: usually ``os.environ``, whose deletions reach this process and every child. What the kernel
            shows of a process's first environment in /proc does not change; only the same user can read it.
        transport: ``http``, where an offence is refused, or ``stdio``, where it is removed.
        say: writes one line for the person who started this, on standard error.

    Returns:
        What was removed.

    Raises:
        CredentialsPresent: over HTTP, something was found.
    """
    offences = found(environ)
    if offences and transport != "stdio":
        raise CredentialsPresent(offences)
    for offence in offences:
        del environ[offence.name]
    if offences:
        say(f"fly-gha-status dropped credentials that it must not have: {_words(offences)}")
    return offences


def _why(name: str, value: str) -> str | None:
    if name == OWN_TOKEN and DISPATCHER_TOKEN.fullmatch(value):
        return None
    if name not in HARMLESS:
        for pattern, opens in LISTED.items():
            if fnmatchcase(name, pattern):
                return opens
    return "its value looks like a credential" if looks_secret(value) else None


def _words(offences: tuple[Offence, ...]) -> str:
    return ", ".join(f"{each.name} ({each.why})" for each in offences)


def _begins() -> re.Pattern[str]:
    forms = (re.escape(prefix) + _AFTER.get(prefix, "") for prefix in SECRET_PREFIXES)
    return re.compile(rf"\s*[\"']?(?:(?:bearer|token|basic)\s+)?(?-i:{'|'.join(forms)})", re.IGNORECASE)


def _inside() -> re.Pattern[str]:
    rest = rf"[A-Za-z0-9_+/=.\-]{{{_INSIDE_MIN}}}"
    forms = (re.escape(prefix) + _AFTER.get(prefix, rest) for prefix in SECRET_PREFIXES)
    return re.compile(rf"(?<![A-Za-z0-9_])(?:{'|'.join(forms)})")


_BEGINS = _begins()
_INSIDE = _inside()
