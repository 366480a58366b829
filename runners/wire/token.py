"""API tokens as an administrator sees them; the text of one is in the single answer that makes it."""

from runners.wire.answer import Answer
from runners.wire.text import Untrusted
from runners.wire.times import Time


class TokenView(Answer):
    """One API token, without its text.

    Attributes:
        id: names it in lists and events (``token:ID``).
        name: what a person called it.
        scopes: what it may do; none implies another.
        repositories: ``owner/name`` patterns it is limited to; empty means all.
        pools: pools it is limited to; empty means all.
        state: ``valid``, ``ended`` or ``revoked``.
        last_used_at: to the minute.
    """

    id: str
    name: Untrusted
    scopes: tuple[str, ...]
    repositories: tuple[str, ...]
    pools: tuple[str, ...]
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None
    last_used_at: Time | None
    state: str


class TokenList(Answer):
    """Every token that the asking one may manage, oldest first."""

    revision: int
    as_of: Time
    tokens: tuple[TokenView, ...]


class TokenMade(Answer):
    """A token was made.

    Attributes:
        text: what its bearer sends, in this one answer and nowhere else; null in a repeat under the same
            Idempotency-Key.
        token: the rest of it.
        revision: of the event log with this change in it.
        next: what to do with it.
    """

    text: str | None
    token: TokenView
    revision: int
    as_of: Time
    next: tuple[str, ...]


class TokenRevoked(Answer):
    """A token opens nothing any more.

    Attributes:
        changed: false when it had been revoked before.
    """

    token: TokenView
    changed: bool
    revision: int
    as_of: Time
    next: tuple[str, ...]
