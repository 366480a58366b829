"""GitHub tokens from Infisical's dynamic secrets of the type ``github``: one lease is one installation token.

Infisical holds the App key, and a token carries all rights of its installation. A lease cannot be renewed
(400), and revoking it does not end the token, so none is given back: it ends by its TTL. Who asks keeps the
token for most of its hour, since a dynamic secret has at most 10,000 live leases.
"""

from collections.abc import Mapping

import httpx
from pydantic import SecretStr

from runners.secrets.infisical_answers import UPSTREAM, LeaseAnswer, message_of, read_answer
from runners.secrets.infisical_calls import InfisicalCalls
from runners.secrets.interface import CredentialMissing, SourceRefused
from runners.upstream.errors import ErrorClass, UpstreamError

OPENER = "INFISICAL_CLIENT_ID"
LEASES_PATH = "/api/v1/dynamic-secrets/leases"


class PlanRestricted(UpstreamError):
    """The plan, or the licence of a self-hosted server, does not include dynamic secrets."""


# What a 400 means, by a part of its sentence (Infisical's source); the first that fits.
_PLAN = "plan restriction"
_REFUSALS: Mapping[str, tuple[str, str]] = {
    _PLAN: (
        "Infisical's plan does not include dynamic secrets",
        'set github.credentials = "published", which needs none of them, or use a plan that includes them',
    ),
    "lease limit": (
        "the dynamic secret has as many live leases as Infisical allows",
        "set its default TTL to 1h, so that leases end with their tokens, and revoke old ones",
    ),
    "TTL": (
        "its default TTL is shorter than a minute or longer than its maximum",
        "set its default TTL to 1h and its maximum TTL to 1h or more",
    ),
}


class GitHubLeases:
    """Leases installation tokens, each call a new one.

    Args:
        calls: the session at Infisical; not closed here.
    """

    def __init__(self, calls: InfisicalCalls) -> None:
        self._calls = calls
        self._granted: dict[str, Mapping[str, str]] = {}

    def granted(self, owner: str) -> Mapping[str, str]:
        """What the installation was granted, as the last lease said; empty where none did."""
        return self._granted.get(owner.lower(), {})

    async def installation_token(self, owner: str) -> tuple[SecretStr, float]:
        """A new token of an owner's installation, and its end in Unix seconds: the lease's or its own.

        Raises:
            PlanRestricted: dynamic secrets are not part of the plan.
            UpstreamError: Infisical or GitHub refused, or could not be reached.
            CredentialMissing: what opens Infisical is missing, or the place it is in must not be used.
        """
        settings = self._calls.settings
        name = settings.dynamic_secret_of(owner)
        attempted = f"lease a GitHub token from the dynamic secret {name} in Infisical"
        body = {
            "dynamicSecretName": name,
            "projectSlug": settings.project_slug,
            "environmentSlug": settings.environment,
            "path": settings.path,
        }
        try:
            answer = await self._calls.send("POST", LEASES_PATH, attempted, json=body)
        except SourceRefused as refused:
            # Who calls GitHub knows of missing credentials, not of the places they come from.
            raise CredentialMissing(OPENER, refused.where, refused.next_step, refused.why) from refused
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise _bad_request(answer, name, self._calls.refusal(answer, attempted, mutating=True))
        if not answer.is_success:
            raise self._calls.refusal(answer, attempted, mutating=True)
        leased = read_answer(LeaseAnswer, answer, attempted)
        self._granted[owner.lower()] = leased.data.permissions
        ends_at = min(leased.data.expires_at, leased.lease.expire_at)
        return leased.data.token, ends_at.timestamp()


def _bad_request(answer: httpx.Response, name: str, meant: UpstreamError) -> UpstreamError:
    said = message_of(answer)
    other = (
        "Infisical could not get a token from GitHub",
        f"check App id, installation id and private key in {name}; Infisical's own log tells more",
    )
    why, next_step = next((meaning for part, meaning in _REFUSALS.items() if part in said), other)
    kind = PlanRestricted if _PLAN in said else UpstreamError
    return kind(
        upstream=UPSTREAM,
        error_class=ErrorClass.REFUSED,
        attempted=meant.attempted,
        why=why,
        status=meant.status,
        request_id=meant.request_id,
        next_step=next_step,
    )
