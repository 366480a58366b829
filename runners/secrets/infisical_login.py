"""The login to Infisical, by whatever method, careful not to lock itself out.

Three failed Universal Auth logins lock a client id for five minutes, so what was refused is not presented
again until somebody changed it, or until RETRY_REFUSED_S later: an operator may have mended Infisical's side.
Access tokens are never renewed (renewal past the maximum has deleted tokens): at 80 % of a token's life a new
login replaces it, one login for all who wait.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import httpx
from pydantic import SecretStr

from runners.model.settings import InfisicalSettings
from runners.secrets.infisical_answers import UPSTREAM, AccessTokenAnswer, no_answer, read_answer, refusal
from runners.upstream.clock import Clock
from runners.upstream.errors import ErrorClass, UpstreamError

RENEW_AFTER = 0.8  # of the token's life
ENDLESS_S = 86_400.0  # a token without end is replaced daily all the same
RETRY_REFUSED_S = 600.0  # a twentieth of the pace at which three failures lock

ATTEMPTED = "log in to Infisical"
_REFUSED = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


@dataclass(frozen=True, slots=True)
class Proof:
    """What the next login will present.

    Attributes:
        fingerprint: of what an operator would change after a refusal; never the secret itself. A token that
            is new with every login is no change.
        body: makes the request's body; asked only when the login is sent.
    """

    fingerprint: bytes
    body: Callable[[], Awaitable[Mapping[str, str]]]


class Method(Protocol):
    """A way to prove who we are."""

    @property
    def path(self) -> str:
        """Where the login is sent."""
        ...

    async def proof(self) -> Proof:
        """What would be presented now.

        Raises:
            CredentialMissing, SourceRefused: something it needs is not there, or must not be used.
        """
        ...

    def refused(self, answer: httpx.Response) -> tuple[str, str]:
        """Why a 401 or 403 was answered, and the next step; neither repeats the answer's own text."""
        ...


@dataclass(frozen=True, slots=True)
class _Session:
    token: SecretStr
    fresh_until: float
    ends_at: float


class InfisicalLogin:
    """Hands out a live access token, logging in when there is none.

    Args:
        http: has Infisical as its base URL.
        method: proves who we are; asked anew for every login, so that a change needs no restart.
        clock: when tokens age.
        settings: name the sub-organization to log in to, if any.
    """

    def __init__(
        self, http: httpx.AsyncClient, method: Method, clock: Clock, settings: InfisicalSettings
    ) -> None:
        self._http = http
        self._method = method
        self._clock = clock
        self._settings = settings
        self._session: _Session | None = None
        self._one_login = asyncio.Lock()
        self._logins = 0
        self._failure: UpstreamError | None = None
        self._refusal: UpstreamError | None = None
        self._refused_proof: bytes | None = None
        self._refused_until = 0.0

    async def token(self, refused: SecretStr | None = None) -> SecretStr:
        """A live access token.

        Args:
            refused: a token that Infisical has just refused; another one is wanted.

        Raises:
            UpstreamError: the login was refused, or Infisical could not be reached and no token is left.
            CredentialMissing: something that the login needs is not there.
            SourceRefused: the place it is in must not be used.
        """
        if (session := self._usable(refused)) is not None:
            return session.token
        seen = self._logins
        async with self._one_login:
            if (session := self._usable(refused)) is not None:
                return session.token
            # Whoever waited while a login failed shares that failure instead of repeating it.
            outcome: _Session | UpstreamError | None = self._failure if self._logins != seen else None
            if outcome is None:
                outcome = await self._attempt()
            if isinstance(outcome, _Session):
                return outcome.token
            if (session := self._session) is not None and self._still_does(session, refused, outcome):
                return session.token
            raise _again(outcome)

    async def _attempt(self) -> _Session | UpstreamError:
        self._failure = None
        try:
            self._session = await self._log_in()
        except UpstreamError as failure:
            self._failure = failure
            return failure
        finally:
            self._logins += 1
        return self._session

    def _still_does(self, session: _Session, refused: SecretStr | None, failure: UpstreamError) -> bool:
        """Whether an ageing token carries us over a login that may succeed later.

        A refused login is shown at once, though the old token would still do: somebody has to act.
        """
        passing = failure.error_class is ErrorClass.TRY_LATER
        return passing and session.token != refused and self._clock.now() < session.ends_at

    def _usable(self, refused: SecretStr | None) -> _Session | None:
        session = self._session
        if session is None or session.token == refused or self._clock.now() >= session.fresh_until:
            return None
        return session

    async def _log_in(self) -> _Session:
        proof = await self._method.proof()
        asked_at = self._clock.now()
        if (
            self._refusal is not None
            and proof.fingerprint == self._refused_proof
            and asked_at < self._refused_until
        ):
            raise _again(self._refusal)
        slug = self._settings.organization_slug
        body = {**(await proof.body()), **({"organizationSlug": slug} if slug else {})}
        try:
            answer = await self._http.post(self._method.path, json=body)
        except httpx.HTTPError as error:
            raise no_answer(error, ATTEMPTED) from None
        if answer.status_code in _REFUSED:
            self._refusal = self._refused(answer, asked_at)
            self._refused_proof, self._refused_until = proof.fingerprint, asked_at + RETRY_REFUSED_S
            raise _again(self._refusal)
        if not answer.is_success:
            raise refusal(answer, ATTEMPTED, self._clock.now(), settings=self._settings)
        self._refusal = None
        given = read_answer(AccessTokenAnswer, answer, ATTEMPTED)
        life = given.expires_in or ENDLESS_S
        return _Session(given.access_token, asked_at + RENEW_AFTER * life, asked_at + life)

    def _refused(self, answer: httpx.Response, asked_at: float) -> UpstreamError:
        why, next_step = self._method.refused(answer)
        return UpstreamError(
            upstream=UPSTREAM,
            error_class=ErrorClass.REFUSED,
            attempted=ATTEMPTED,
            why=why,
            status=answer.status_code,
            retry_at=asked_at + RETRY_REFUSED_S,
            request_id=refusal(answer, ATTEMPTED, asked_at).request_id,
            next_step=next_step,
        )


def _again(failure: UpstreamError) -> UpstreamError:
    """The same failure for another caller; one exception raised twice would mix their tracebacks."""
    return UpstreamError(
        upstream=failure.upstream,
        error_class=failure.error_class,
        attempted=failure.attempted,
        why=failure.why,
        status=failure.status,
        answered=failure.answered,
        retry_at=failure.retry_at,
        request_id=failure.request_id,
        next_step=failure.next_step,
    )
