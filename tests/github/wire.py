"""A GitHub made of one function, and a clock that moves when told: the client under test is the real one."""

import json

import httpx
from pydantic import SecretStr

API_URL = "https://github.test/api/v3"
API_VERSION = "2022-11-28"
NOW = 1_800_000_000.0


class ManualClock:
    def __init__(self, now: float = NOW) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += max(0.0, seconds)


class GivenTokens:
    """A TokenSource as in ``published`` mode: it hands out what it was given and cannot renew."""

    def __init__(self) -> None:
        self.jwt: str | None = None
        self.registration: dict[str, str] = {}

    async def token(self, owner: str) -> SecretStr:
        return SecretStr(f"ghs_{owner}")

    async def app_jwt(self) -> SecretStr | None:
        return None if self.jwt is None else SecretStr(self.jwt)

    async def registration_token(self, scope: str) -> SecretStr | None:
        token = self.registration.get(scope)
        return None if token is None else SecretStr(token)


class Wire(httpx.AsyncBaseTransport):
    """Answers by ``METHOD /path`` below the base URL and keeps every request. An answer is a response, an
    exception to raise, a function of the request, or a list of these, used one after the other."""

    def __init__(self) -> None:
        self.answers: dict[str, object] = {}
        self.requests: list[httpx.Request] = []
        self.closed = 0

    def on(self, call: str, *answers: object) -> None:
        self.answers[call] = list(answers) if len(answers) > 1 else answers[0]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        path = request.url.path.removeprefix("/api/v3")
        answer = self.answers[f"{request.method} {path}"]
        if isinstance(answer, list):
            answer = answer.pop(0)
        if callable(answer):
            answer = answer(request)
            if hasattr(answer, "__await__"):
                answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def aclose(self) -> None:
        self.closed += 1

    def sent(self, index: int = -1) -> dict[str, object]:
        return json.loads(self.requests[index].content)

    def calls(self) -> list[str]:
        return [f"{r.method} {r.url.path.removeprefix('/api/v3')}" for r in self.requests]
