"""Credentials from one folder of Infisical: read all of it, write one secret.

Flags are always sent, since their defaults and spelling changed between versions; a value that the identity
may not see comes with status 200, and is an error here.
"""

from collections.abc import Mapping
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from runners.secrets.infisical_answers import (
    UPSTREAM,
    SecretAnswer,
    SecretListAnswer,
    WriteAnswer,
    read_answer,
)
from runners.secrets.infisical_calls import InfisicalCalls
from runners.upstream.errors import ErrorClass, UpstreamError

LIST_PATH = "/api/v4/secrets"

_FLAGS: Mapping[str, str] = {
    "viewSecretValue": "true",
    "expandSecretReferences": "true",
    "recursive": "false",
    "includePersonalOverrides": "false",
    "includeImports": "true",
}
_NAMES_SHOWN = 3


class InfisicalSecrets:
    """One folder of one environment of one project; a :class:`WritableSource`.

    Args:
        calls: the session; closed with this.
    """

    def __init__(self, calls: InfisicalCalls) -> None:
        self._settings = calls.settings
        self._calls = calls
        self._etag = ""
        self._kept: Mapping[str, SecretStr] = {}

    @property
    def where(self) -> str:
        """The folder in words."""
        place = self._settings
        return f"Infisical folder {place.path} of {place.environment} in project {place.project_id}"

    async def read(self) -> Mapping[str, SecretStr]:
        """Every secret of the folder and of what it imports.

        Raises:
            UpstreamError: Infisical could not be reached or refused, or a value is hidden from the identity.
            CredentialMissing, SourceRefused: what opens Infisical is missing, or must not be used.
        """
        attempted = f"read {self.where}"
        headers = {"If-None-Match": self._etag} if self._etag else {}
        answer = await self._calls.send(
            "GET", LIST_PATH, attempted, params={**self._place, **_FLAGS}, headers=headers
        )
        if answer.status_code == httpx.codes.NOT_MODIFIED and self._etag:
            return self._kept
        if not answer.is_success:
            raise self._calls.refusal(answer, attempted)
        listed = read_answer(SecretListAnswer, answer, attempted)
        # A folder's own secrets win over imported ones, a later import over an earlier one.
        layers = [*(imported.secrets for imported in listed.imports), listed.secrets]
        found = {secret.key: secret for layer in layers for secret in layer}
        self._refuse_hidden(found, attempted)
        self._kept = {name: secret.value for name, secret in found.items()}
        self._etag = answer.headers.get("etag", "")
        return self._kept

    async def write(self, name: str, value: SecretStr) -> None:
        """Replace the secret's value, or create it.

        Raises:
            UpstreamError: it was refused, waits for somebody's approval, or its answer was lost.
            CredentialMissing, SourceRefused: what opens Infisical is missing, or must not be used.
        """
        attempted = f"write the secret {name} to {self.where}"
        path = f"{LIST_PATH}/{quote(name, safe='')}"
        body = {**self._place, "type": "shared", "secretValue": value.get_secret_value()}
        answer = await self._calls.send("PATCH", path, attempted, json=body)
        if answer.status_code == httpx.codes.NOT_FOUND:
            answer = await self._calls.send("POST", path, attempted, json=body)
        if not answer.is_success:
            raise self._calls.refusal(answer, attempted, mutating=True)
        if read_answer(WriteAnswer, answer, attempted).approval is not None:
            raise UpstreamError(
                upstream=UPSTREAM,
                error_class=ErrorClass.REFUSED,
                attempted=attempted,
                why="a change policy turned it into a request for approval, so nothing was written",
                status=answer.status_code,
                next_step="exempt the publisher's identity from the policy, or give it a folder without one",
            )

    async def close(self) -> None:
        """Close the client and its transport."""
        await self._calls.close()

    @property
    def _place(self) -> dict[str, str]:
        place = self._settings
        return {
            "projectId": place.project_id,
            "environment": place.environment,
            "secretPath": place.path,
        }

    def _refuse_hidden(self, found: Mapping[str, SecretAnswer], attempted: str) -> None:
        hidden = sorted(name for name, secret in found.items() if secret.hidden)
        if not hidden:
            return
        more = f" and {len(hidden) - _NAMES_SHOWN} more" if len(hidden) > _NAMES_SHOWN else ""
        raise UpstreamError(
            upstream=UPSTREAM,
            error_class=ErrorClass.REFUSED,
            attempted=attempted,
            why=f"the values of {', '.join(hidden[:_NAMES_SHOWN])}{more} are hidden from this identity",
            status=httpx.codes.OK,
            next_step="give the machine identity the right to read values in this folder",
        )
