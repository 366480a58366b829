"""Universal Auth: a client id and a client secret prove who we are to Infisical."""

import hashlib
from collections.abc import Mapping

import httpx

from runners.secrets.infisical_login import Proof
from runners.secrets.interface import CredentialMissing, SecretSource

_ID = "INFISICAL_CLIENT_ID"
_SECRET = "INFISICAL_CLIENT_SECRET"  # noqa: S105 - a name


class UniversalAuth:
    """The login with a client id and secret; a Method.

    Args:
        opener: where the two are, read anew for every login.
    """

    path = "/api/v1/auth/universal-auth/login"

    def __init__(self, opener: SecretSource) -> None:
        self._opener = opener

    async def proof(self) -> Proof:
        """The pair as it is now.

        Raises:
            CredentialMissing: half of it is not there.
            SourceRefused: the place it is in must not be used.
        """
        found = await self._opener.read()
        values: list[str] = []
        for name in (_ID, _SECRET):
            value = found.get(name)
            if value is None or not value.get_secret_value().strip():
                raise CredentialMissing(name, self._opener.where, f"put {name} there; it opens Infisical")
            values.append(value.get_secret_value().strip())
        client_id, client_secret = values
        body = {"clientId": client_id, "clientSecret": client_secret}

        async def presented() -> Mapping[str, str]:
            return body

        return Proof(hashlib.sha256("\0".join(values).encode()).digest(), presented)

    def refused(self, answer: httpx.Response) -> tuple[str, str]:  # noqa: ARG002 - a lock answers the same
        """Wrong, locked, or ended: Infisical's answer is the same."""
        return (
            "the client id or secret is wrong or has ended, or the id is locked; three failures lock it",
            f"put the right {_ID} and {_SECRET} into {self._opener.where}; it is tried at once",
        )
