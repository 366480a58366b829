"""Credentials from one folder of Infisical: read all of it, write one secret.

Small on purpose: the official SDK has no timeouts, repeats POSTs and does not encode names (infisicalsdk
1.0.18, read and run). Flags are always sent, since their defaults and spelling changed between versions; a
value that the identity may not see comes with status 200, and is an error here.
"""

from collections.abc import Mapping
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from runners.model.settings import InfisicalSettings
from runners.secrets.infisical_answers import (
    UPSTREAM,
    SecretAnswer,
    SecretListAnswer,
    WriteAnswer,
    no_answer,
    read_answer,
    refusal,
    token_refused,
)
from runners.secrets.interface import SecretSource
from runners.secrets.universal_auth import UniversalAuth
from runners.upstream.clock import Clock
from runners.upstream.errors import ErrorClass, UpstreamError

USER_AGENT = "fly-gha"
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
        settings: where the folder is.
        opener: where INFISICAL_CLIENT_ID and INFISICAL_CLIENT_SECRET are.
        clock: when access tokens age.
        transport: sends, and holds the deadline and the breaker; closed with this.
    """

    def __init__(
        self,
        settings: InfisicalSettings,
        opener: SecretSource,
        clock: Clock,
        transport: httpx.AsyncBaseTransport,
    ) -> None:
        # The CLI's INFISICAL_API_URL ends in /api, the SDKs' does not; both are taken.
        base_url = settings.api_url.rstrip("/").removesuffix("/api")
        self._settings = settings
        self._clock = clock
        self._http = httpx.AsyncClient(
            transport=transport,
            base_url=base_url,
            headers={"User-Agent": USER_AGENT},
            timeout=None,  # noqa: S113 - the transport's is the one deadline, over the whole exchange
            trust_env=False,
        )
        self._login = UniversalAuth(self._http, opener, clock)
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
        answer = await self._call(
            "GET", LIST_PATH, attempted, params={**self._place, **_FLAGS}, headers=headers
        )
        if answer.status_code == httpx.codes.NOT_MODIFIED and self._etag:
            return self._kept
        if not answer.is_success:
            raise refusal(answer, attempted, self._clock.now())
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
        answer = await self._call("PATCH", path, attempted, json=body)
        if answer.status_code == httpx.codes.NOT_FOUND:
            answer = await self._call("POST", path, attempted, json=body)
        if not answer.is_success:
            raise refusal(answer, attempted, self._clock.now(), mutating=True)
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
        await self._http.aclose()

    @property
    def _place(self) -> dict[str, str]:
        place = self._settings
        return {
            "projectId": place.project_id,
            "environment": place.environment,
            "secretPath": place.path,
        }

    async def _call(
        self,
        method: str,
        path: str,
        attempted: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send with an access token; when that is refused, once more with a new one.

        A refused token means that nothing was done, so even a write is safe to send again.
        """
        token = await self._login.token()
        for last in (False, True):
            authorized = {**(headers or {}), "Authorization": f"Bearer {token.get_secret_value()}"}
            try:
                answer = await self._http.request(method, path, params=params, json=json, headers=authorized)
            except httpx.HTTPError as error:
                raise no_answer(error, attempted, mutating=method != "GET") from None
            if last or not token_refused(answer):
                break
            token = await self._login.token(refused=token)
        return answer

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
