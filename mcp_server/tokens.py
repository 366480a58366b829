"""Tokens of callers: what one is, how it is made, and how its text is read.

A token is ``fgs_<id>_<secret>``, like the dispatcher's ``fgr_…``: the id names it in lists and audit records,
the secret has 256 random bits. Kept is the SHA-256 of the secret, enough for a secret nobody can guess.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from mcp_server.caller import Caller, Scope, Sight
from runners.wire.headers import NARROWING_CHARACTERS_MAX, NARROWING_ENTRIES_MAX
from runners.wire.text import shown

PREFIX = "fgs"
ID_BYTES = 5
SECRET_BYTES = 32
NAME_MAX = 64
_TEXT = re.compile(rf"{PREFIX}_([a-z2-7]{{8}})_([A-Za-z0-9_-]{{43}})")

_REPOSITORY = r"^[A-Za-z0-9._*?\[\]!-]{1,98}/[A-Za-z0-9._*?\[\]!-]{1,98}$"
_POOL = r"^[a-z0-9][a-z0-9-]{0,62}$"
_TOOL = r"^[a-z][a-z0-9_]{0,63}$"
_PROJECT = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

Time = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _plain(name: str) -> str:
    if shown(name) != name:
        raise ValueError("it has characters that do not show")
    return name


def _sorted(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


def _sendable(names: tuple[str, ...]) -> tuple[str, ...]:
    """What a caller may see is sent to the dispatcher as a header."""
    if len(",".join(names)) > NARROWING_CHARACTERS_MAX:
        raise ValueError(f"together they have more than {NARROWING_CHARACTERS_MAX} characters")
    return _sorted(names)


class Token(BaseModel):
    """One token as it is kept, without its secret.

    Attributes:
        id: names it.
        secret_hash: SHA-256 of the secret, in hexadecimal.
        name: what a person calls it.
        project: whose ceiling its bearer shares.
        scopes: what its bearer may ask about.
        repositories: ``owner/name`` patterns its bearer is limited to; empty means all.
        pools: pools its bearer is limited to; empty means all.
        tools: the only tools its bearer may call; empty means all of the scopes.
        created_at: Unix seconds.
        expires_at: from then on it opens nothing; None for no end.
        revoked_at: when it was revoked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    id: Annotated[str, Field(pattern=r"^[a-z2-7]{8}$")]
    secret_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", repr=False)]
    name: Annotated[str, Field(min_length=1, max_length=NAME_MAX), AfterValidator(_plain)]
    project: Annotated[str, Field(pattern=_PROJECT)]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1), AfterValidator(_sorted)]
    repositories: Annotated[
        tuple[Annotated[str, Field(pattern=_REPOSITORY)], ...],
        Field(max_length=NARROWING_ENTRIES_MAX),
        AfterValidator(_sendable),
    ] = ()
    pools: Annotated[
        tuple[Annotated[str, Field(pattern=_POOL)], ...],
        Field(max_length=NARROWING_ENTRIES_MAX),
        AfterValidator(_sendable),
    ] = ()
    tools: Annotated[
        tuple[Annotated[str, Field(pattern=_TOOL)], ...], Field(max_length=64), AfterValidator(_sorted)
    ] = ()
    created_at: Time
    expires_at: Time | None = None
    revoked_at: Time | None = None

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> Self:
        if self.expires_at is not None and self.expires_at <= self.created_at:
            raise ValueError("it would end before it begins")
        return self

    def valid(self, now: float) -> bool:
        """Whether it still opens anything."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def caller(self) -> Caller:
        """Who its bearer is."""
        sight = Sight(self.repositories, self.pools)
        return Caller(self.id, self.name, self.project, frozenset(self.scopes), sight, frozenset(self.tools))


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made: the only moment at which its text exists.

    Attributes:
        token: what to keep.
        text: what its bearer sends.
    """

    token: Token
    text: SecretStr


@dataclass(frozen=True, slots=True)
class Presented:
    """A text that has the form of a token.

    Attributes:
        id: of the token that it claims to be.
        secret_hash: of the secret that it brought.
    """

    id: str
    secret_hash: str

    def proves(self, kept: str | None) -> bool:
        """Whether the secret is the one whose hash is kept; takes the same time whatever the answer."""
        return hmac.compare_digest(self.secret_hash, kept or "0" * 64) and kept is not None


def new_token(
    entropy: Callable[[int], bytes],
    *,
    name: str,
    project: str,
    scopes: tuple[Scope, ...],
    now: float,
    repositories: tuple[str, ...] = (),
    pools: tuple[str, ...] = (),
    tools: tuple[str, ...] = (),
    expires_at: float | None = None,
) -> NewToken:
    """Make a token.

    Args:
        entropy: gives that many random bytes.
        name: see Token, as all that follow.
        project: see there.
        scopes: at least one.
        now: Unix seconds.
        repositories: see there.
        pools: see there.
        tools: see there.
        expires_at: Unix seconds, or None for no end.

    Raises:
        pydantic.ValidationError: one of them is not what it must be.
    """
    token_id = base64.b32encode(entropy(ID_BYTES)).decode().lower()
    secret = base64.urlsafe_b64encode(entropy(SECRET_BYTES)).rstrip(b"=").decode()
    token = Token(
        id=token_id,
        secret_hash=_hash(secret),
        name=name,
        project=project,
        scopes=scopes,
        repositories=repositories,
        pools=pools,
        tools=tools,
        created_at=now,
        expires_at=expires_at,
    )
    return NewToken(token, SecretStr(f"{PREFIX}_{token_id}_{secret}"))


def presented(credential: SecretStr) -> Presented | None:
    """What a credential says, or None when it has not the form of a token."""
    match = _TEXT.fullmatch(credential.get_secret_value())
    return None if match is None else Presented(match[1], _hash(match[2]))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
