"""The Universal Auth login to Infisical, careful not to lock itself out.

Three failed logins lock a client id for five minutes, so a 401 is final until the id or the secret changes.
Access tokens are never renewed (renewal past the maximum has deleted tokens): at 80 % of a token's life a new
login replaces it, one login for all who wait.
"""

import asyncio
import hashlib
from dataclasses import dataclass

import httpx
from pydantic import SecretStr

from runners.secrets.infisical_answers import UPSTREAM, AccessTokenAnswer, no_answer, read_answer, refusal
from runners.secrets.interface import CredentialMissing, SecretSource
from runners.upstream.clock import Clock
from runners.upstream.errors import ErrorClass, UpstreamError

LOGIN_PATH = "/api/v1/auth/universal-auth/login"
RENEW_AFTER = 0.8  # of the token's life
ENDLESS_S = 86_400.0  # a token without end is replaced daily all the same

_ATTEMPTED = "log in to Infisical"
_ID = "INFISICAL_CLIENT_ID"
_SECRET = "INFISICAL_CLIENT_SECRET"  # noqa: S105 - a name


@dataclass(frozen=True, slots=True)
class _Session:
    token: SecretStr
    fresh_until: float
    ends_at: float


class UniversalAuth:
    """Hands out a live access token, logging in when there is none.

    Args:
        http: has Infisical as its base URL.
        opener: where the client id and secret are, read anew for every login, so that changing them needs no
            restart.
        clock: when tokens age.
    """

    def __init__(self, http: httpx.AsyncClient, opener: SecretSource, clock: Clock) -> None:
        self._http = http
        self._opener = opener
        self._clock = clock
        self._session: _Session | None = None
        self._one_login = asyncio.Lock()
        self._logins = 0
        self._failure: UpstreamError | None = None
        self._refused_pair: bytes | None = None

    async def token(self, refused: SecretStr | None = None) -> SecretStr:
        """A live access token.

        Args:
            refused: a token that Infisical has just refused; another one is wanted.

        Raises:
            UpstreamError: the login was refused, or Infisical could not be reached and no token is left.
            CredentialMissing: there is no client id or secret.
            SourceRefused: the place they are in must not be used.
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
        client_id, client_secret = await self._pair()
        pair = hashlib.sha256(f"{client_id}\0{client_secret}".encode()).digest()
        if pair == self._refused_pair:
            raise self._final("they were refused before and have not changed")
        asked_at = self._clock.now()
        try:
            answer = await self._http.post(
                LOGIN_PATH, json={"clientId": client_id, "clientSecret": client_secret}
            )
        except httpx.HTTPError as error:
            raise no_answer(error, _ATTEMPTED) from None
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._refused_pair = pair
            raise self._final("they were refused", refusal(answer, _ATTEMPTED, asked_at).request_id)
        if not answer.is_success:
            raise refusal(answer, _ATTEMPTED, self._clock.now())
        self._refused_pair = None
        given = read_answer(AccessTokenAnswer, answer, _ATTEMPTED)
        life = given.expires_in or ENDLESS_S
        return _Session(given.access_token, asked_at + RENEW_AFTER * life, asked_at + life)

    async def _pair(self) -> tuple[str, str]:
        found = await self._opener.read()
        values: list[str] = []
        for name in (_ID, _SECRET):
            value = found.get(name)
            if value is None or not value.get_secret_value().strip():
                raise CredentialMissing(name, self._opener.where, f"put {name} there; it opens Infisical")
            values.append(value.get_secret_value().strip())
        return values[0], values[1]

    def _final(self, what: str, request_id: str = "") -> UpstreamError:
        return UpstreamError(
            upstream=UPSTREAM,
            error_class=ErrorClass.REFUSED,
            attempted=_ATTEMPTED,
            why=f"the client id or secret is wrong, or the id is locked: {what}; three failures lock it",
            status=httpx.codes.UNAUTHORIZED,
            request_id=request_id,
            next_step=f"put the right {_ID} and {_SECRET} into {self._opener.where}; it is tried at once",
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
