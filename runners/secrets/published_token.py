"""The form in which the publisher leaves a GitHub token and the dispatcher finds it: JSON in one secret.

``{"token": "ghs_…", "expires_at": 1793812800}``; an installation token also says with which permissions
it was asked for, so that a pool with a new kind of scope gets a wider one at once.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr


class NotAPublishedToken(ValueError):
    """The secret is there but holds something else; its text says what is wrong, never what it holds."""


@dataclass(frozen=True, slots=True)
class PublishedToken:
    """One ephemeral GitHub token.

    Attributes:
        expires_at: Unix seconds.
        permissions: those an installation token was narrowed to; empty for a registration token.
    """

    token: SecretStr
    expires_at: float
    permissions: Mapping[str, str]

    def left(self, now: float) -> float:
        """Seconds it has to live; negative once it expired."""
        return self.expires_at - now

    def to_secret(self) -> SecretStr:
        """The value to store."""
        fields: dict[str, object] = {"token": self.token.get_secret_value(), "expires_at": self.expires_at}
        if self.permissions:
            fields["permissions"] = dict(self.permissions)
        return SecretStr(json.dumps(fields, sort_keys=True))


def read_published(value: SecretStr) -> PublishedToken:
    """Read the stored value.

    Raises:
        NotAPublishedToken: it is not of this form.
    """
    fields = _json(value)
    if not isinstance(fields, dict):
        raise NotAPublishedToken('it is not JSON of the form {"token": …, "expires_at": …}')
    token, expires_at = fields.get("token"), fields.get("expires_at")
    if not isinstance(token, str) or not token:
        raise NotAPublishedToken("it has no token in it")
    if (
        isinstance(expires_at, bool)
        or not isinstance(expires_at, int | float)
        or not math.isfinite(expires_at)
    ):
        raise NotAPublishedToken("its expires_at is not a number of Unix seconds")
    permissions = fields.get("permissions")
    return PublishedToken(
        SecretStr(token),
        float(expires_at),
        {str(key): str(level) for key, level in permissions.items()} if isinstance(permissions, dict) else {},
    )


def _json(value: SecretStr) -> object:
    # JSONDecodeError carries the whole text; it must not become anybody's context.
    try:
        return json.loads(value.get_secret_value())
    except ValueError:
        return None
