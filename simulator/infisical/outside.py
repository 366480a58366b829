"""What Infisical itself asks of others: an OIDC issuer for its keys, GitHub for installation tokens.

GitHub is asked as any App's owner asks it; a refusal there is a 400 here, whatever its status was.
"""

from collections.abc import Mapping
from typing import Any

import httpx
import jwt

from simulator.infisical.leases import GitHubDynamicSecret
from simulator.infisical.oidc_auth import undiscovered
from simulator.infisical.refusal import Refusal, bad_request

TIMEOUT_S = 10.0
_API_VERSION = "2022-11-28"


class Outside:
    """The calls that InfisicalSim makes.

    Args:
        github_url: REST base URL that leases are minted at.
        transport: what sends; the network when not given.
    """

    def __init__(self, github_url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._github_url = github_url.rstrip("/")
        self._http = httpx.AsyncClient(transport=transport, timeout=TIMEOUT_S, trust_env=False)

    async def key_set(self, discovery_url: str) -> Mapping[str, Any]:
        """The JWKS that an issuer's discovery document names; fetched for every login, as Infisical does.

        Raises:
            Refusal: 401 when either could not be had.
        """
        try:
            found = await self._json(f"{discovery_url.rstrip('/')}/.well-known/openid-configuration")
            return await self._json(str(found["jwks_uri"]))
        except (httpx.HTTPError, ValueError, KeyError):
            raise undiscovered(discovery_url) from None

    async def installation_token(self, secret: GitHubDynamicSecret, now: float) -> Mapping[str, Any]:
        """GitHub's own answer to the mint.

        Raises:
            Refusal: 400 for whatever GitHub refused.
        """
        signed = jwt.encode(secret.app_claims(now), secret.private_key, algorithm="RS256")
        headers = {"authorization": f"Bearer {signed}", "x-github-api-version": _API_VERSION}
        try:
            installation = secret.installation_id or await self._only_installation(headers)
            answer = await self._http.post(
                f"{self._github_url}/app/installations/{installation}/access_tokens", headers=headers
            )
            if not answer.is_success:
                raise _github_refused(answer.status_code)
            minted = answer.json()
        except (httpx.HTTPError, ValueError):
            raise bad_request("Failed to get installation token from GitHub") from None
        return minted if isinstance(minted, dict) else {}

    async def close(self) -> None:
        """Close the client."""
        await self._http.aclose()

    async def _only_installation(self, headers: Mapping[str, str]) -> int:
        answer = await self._http.get(f"{self._github_url}/app/installations", headers=headers)
        if not answer.is_success:
            raise _github_refused(answer.status_code)
        found = answer.json()
        if len(found) != 1:
            raise bad_request(f"The App has {len(found)} installations; name one")
        return int(found[0]["id"])

    async def _json(self, url: str) -> Mapping[str, Any]:
        answer = await self._http.get(url)
        answer.raise_for_status()
        found = answer.json()
        if not isinstance(found, dict):
            raise ValueError(url)  # noqa: TRY004 - as a body that is no JSON
        return found


def _github_refused(status: int) -> Refusal:
    return bad_request(f"GitHub App authentication failed with status {status}")
