"""Holding the App key: sign as the App, find its installations, mint their tokens.

GitHub's rules: RS256, issuer is the App's id or client id, issued a minute in the past
against clock skew, at most ten minutes long. An installation token lives for an hour, may be narrowed, and
may be of any length. Times come from the injected clock; two objects of a class share nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import httpx
import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from pydantic import SecretStr

from runners.github.calls import Call, Calls
from runners.github.errors import GRANT, UPSTREAM, our_fault
from runners.github.scope import Scope
from runners.upstream.clock import Clock
from runners.upstream.errors import ErrorClass, UpstreamError

# What the fleet does with a token, and nothing more.
ORGANIZATION_PERMISSIONS: Mapping[str, str] = {
    "organization_self_hosted_runners": "write",
    "actions": "read",
    "metadata": "read",
}
REPOSITORY_PERMISSIONS: Mapping[str, str] = {
    "administration": "write",
    "actions": "read",
    "metadata": "read",
}

_JWT_BACKDATED_S = 60
_JWT_LIFE_S = 540
# Signed anew when half of it is over: a signature takes a millisecond, reading the key several.
_JWT_REUSED_S = 240


@dataclass(frozen=True, slots=True)
class _Signed:
    key: SecretStr
    token: SecretStr
    until: float


class AppSigner:
    """Signs as the App: a TokenSource for the calls that only the App itself may make.

    Args:
        app_id: the App's id or client id.
        private_key: gives the key as PEM now; asked every time, so a rotated key is used at once. What it
            raises for a missing key comes out of every method here and of every call.
        clock: the only time there is.
    """

    def __init__(self, app_id: str, private_key: Callable[[], SecretStr], clock: Clock) -> None:
        self._app_id = app_id
        self._private_key = private_key
        self._clock = clock
        self._signed: _Signed | None = None

    async def app_jwt(self) -> SecretStr:
        """A token to act as the App itself, for some minutes.

        Raises:
            UpstreamError: the key is no key.
        """
        key = self._private_key()
        now = self._clock.now()
        if self._signed is None or self._signed.key != key or self._signed.until <= now:
            self._signed = _Signed(key, self._sign(key, int(now)), now + _JWT_REUSED_S)
        return self._signed.token

    async def token(self, owner: str) -> SecretStr:
        """Never: a signature opens no installation.

        Raises:
            UpstreamError: always.
        """
        raise our_fault(f"act for {owner}", "only the App's own signature is here", "use an AppTokens")

    async def registration_token(self, scope: str) -> SecretStr | None:  # noqa: ARG002 - the seam's signature
        """None: it has to be minted."""
        return None

    def _sign(self, key: SecretStr, now: int) -> SecretStr:
        claims = {"iss": self._app_id, "iat": now - _JWT_BACKDATED_S, "exp": now + _JWT_LIFE_S}
        try:
            # A key that was kept in one line has its line breaks as \n.
            pem = key.get_secret_value().replace("\\n", "\n")
            return SecretStr(jwt.encode(claims, pem, algorithm="RS256"))
        except (ValueError, TypeError, jwt.PyJWTError, UnsupportedAlgorithm) as error:
            raise UpstreamError(
                upstream=UPSTREAM,
                error_class=ErrorClass.REFUSED,
                attempted="sign as the App",
                why=f"the App key is not an RSA private key in PEM ({type(error).__name__})",
                next_step="put the whole downloaded .pem into GITHUB_APP_PRIVATE_KEY",
            ) from None


class AppMinter:
    """Mints installation tokens, each call a new one.

    Args:
        transport: what sends; shared, never closed from here.
        signer: signs as the App.
        clock: for the times that errors name.
        scopes: the pools' scopes. They say where to look an owner's installation up, which permissions its
            tokens need, and, where no pool serves a whole organization, for which repositories.
        api_url: REST base URL.
        api_version: X-GitHub-Api-Version.
        timeout: as for the client.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        signer: AppSigner,
        clock: Clock,
        *,
        scopes: Iterable[str],
        api_url: str,
        api_version: str,
        timeout: float = 10.0,
    ) -> None:
        self._calls = Calls(
            transport, signer, clock, api_url=api_url, api_version=api_version, timeout=timeout
        )
        self._scopes = tuple(Scope.parse(scope, "read the pools' scopes") for scope in sorted(set(scopes)))
        self._installations: dict[str, int] = {}

    async def installation_token(
        self, owner: str, permissions: Mapping[str, str] | None = None
    ) -> tuple[SecretStr, float]:
        """A new token of the owner's installation, and its end in Unix seconds by GitHub's clock.

        Args:
            owner: an account that the App is installed on.
            permissions: what the token may do; when None, what the owner's pools need.

        Raises:
            UpstreamError: the App is not installed there, lacks a permission, or cannot be reached.
        """
        known = self._installations.get(owner.lower())
        if known is not None:
            try:
                return await self._mint(owner, known, permissions)
            except UpstreamError as error:
                if error.error_class is not ErrorClass.NOT_FOUND:
                    raise
                self._installations.pop(owner.lower(), None)  # installed anew under another id, or gone
        found = await self._find_installation(owner)
        self._installations[owner.lower()] = found
        return await self._mint(owner, found, permissions)

    async def _mint(
        self, owner: str, installation_id: int, permissions: Mapping[str, str] | None
    ) -> tuple[SecretStr, float]:
        scopes = self._scopes_of(owner)
        body: dict[str, object] = {"permissions": dict(permissions or _permissions(scopes))}
        if _only_repositories(scopes):
            body["repositories"] = [scope.repository for scope in scopes]
        call = Call(
            "POST",
            f"/app/installations/{installation_id:d}/access_tokens",
            f"mint an installation token for {owner}",
            None,
            body=body,
        )
        try:
            return await self._calls.read(
                call, lambda answer: (SecretStr(answer.secret("token")), answer.time("expires_at"))
            )
        except UpstreamError as error:
            if error.status == httpx.codes.UNPROCESSABLE_ENTITY:
                raise _not_granted(error, permissions or _permissions(scopes)) from error
            raise

    async def _find_installation(self, owner: str) -> int:
        scopes = self._scopes_of(owner)
        path = scopes[0].path if _only_repositories(scopes) else f"orgs/{owner}"
        attempted = f"find the App's installation in {path}"
        call = Call("GET", f"/{Scope.parse(path, attempted).path}/installation", attempted, None)
        return await self._calls.read(call, lambda answer: answer.whole("id"))

    def _scopes_of(self, owner: str) -> list[Scope]:
        return [scope for scope in self._scopes if scope.owner.lower() == owner.lower()]


def _not_granted(refusal: UpstreamError, asked: Mapping[str, str]) -> UpstreamError:
    """GitHub mints no token that may more than the installation; it does not say which of it is too much."""
    wanted = ", ".join(f"{name}: {level}" for name, level in asked.items())
    why = f"the App's installation lacks a permission of {wanted}, or does not cover the pools' repositories"
    return UpstreamError(
        upstream=UPSTREAM,
        error_class=refusal.error_class,
        attempted=refusal.attempted,
        why=why,
        status=refusal.status,
        request_id=refusal.request_id,
        next_step=GRANT,
    )


def _only_repositories(scopes: list[Scope]) -> bool:
    return bool(scopes) and all(scope.repository is not None for scope in scopes)


def _permissions(scopes: list[Scope]) -> dict[str, str]:
    """The right to administer repositories only where a pool registers in one: GitHub asks for it there."""
    permissions: dict[str, str] = {}
    if not _only_repositories(scopes):
        permissions |= ORGANIZATION_PERMISSIONS
    if any(scope.repository is not None for scope in scopes):
        permissions |= REPOSITORY_PERMISSIONS
    return permissions
