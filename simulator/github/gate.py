"""The door of the API: who calls, may they, how much have they left, and in what form they are answered."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from simulator.github.accounts import Repository
from simulator.github.model import GitHubSim
from simulator.github.problems import GitHubProblem, bad_credentials
from simulator.github.tokens import InstallationToken

T = TypeVar("T")
SCHEMES = frozenset({"bearer", "token"})
PER_PAGE_DEFAULT = 30
PER_PAGE_MAX = 100
# How long the API takes to answer, in real seconds, divided by the world's scale.
ANSWER_DELAY = (0.05, 0.4)
# A connection whose answer is lost looks this often whether its caller has left, and ends after this.
LOOK_EVERY = 0.05
LOST_ANSWER = 60.0


class Gate:
    """Authenticates, charges and answers.

    Args:
        sim: the world.
    """

    def __init__(self, sim: GitHubSim) -> None:
        self._sim = sim
        self._answered = 0

    def app(self, request: Request) -> None:
        """Let the App itself in (its JWT). These calls have a rate limit of their own, not simulated.

        Raises:
            GitHubProblem: 401.
        """
        self._sim.advance()
        self._sim.tokens.check_app_jwt(_credential(request))

    def installation(self, request: Request) -> InstallationToken:
        """Let an installation token in, without charging it.

        Raises:
            GitHubProblem: 401.
        """
        self._sim.advance()
        return self._sim.tokens.check_installation(_credential(request))

    def organization(self, request: Request, org: str, permission: str, level: str) -> str:
        """Let an installation token into an organization; returns the scope `orgs/LOGIN`.

        Raises:
            GitHubProblem: 401, 403 permission or rate limit, 404, 429.
        """
        token = self._charged(request)
        found = self._sim.directory.org(org)
        token.require(permission, level)
        return f"orgs/{found.login}"

    def repository(self, request: Request, owner: str, repo: str, permission: str, level: str) -> Repository:
        """Let an installation token into a repository.

        Raises:
            GitHubProblem: 401, 403 permission or rate limit, 404, 429.
        """
        token = self._charged(request)
        found = self._sim.directory.repository(owner, repo)
        token.require(permission, level, found)
        return found

    def request_id(self) -> str:
        """The `x-github-request-id` of the next answer."""
        self._answered += 1
        return f"{self._sim.draws.of('request', self._answered).getrandbits(64):016X}"

    async def answer(
        self, request: Request, body: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Answer after the usual delay, with the headers every answer carries; a None body is empty."""
        request_id = self.request_id()
        draw = self._sim.draws.of("answer", self._answered)
        await self._sim.clock.sleep(draw.uniform(*ANSWER_DELAY) / self._sim.scale)
        all_headers = {
            "x-github-request-id": request_id,
            "x-github-media-type": "github.v3; format=json",
            **self._quota(request),
            **(headers or {}),
        }
        if body is None:
            return Response(status_code=status, headers=all_headers)
        return JSONResponse(body, status_code=status, headers=all_headers)

    async def lose_answer(self, request: Request) -> None:
        """Say nothing until the caller has given up, a minute at most.

        Raises:
            GitHubProblem: 502, which nobody is there to read.
        """
        given_up = self._sim.clock.now() + LOST_ANSWER
        while self._sim.clock.now() < given_up and not await request.is_disconnected():
            await self._sim.clock.sleep(LOOK_EVERY)
        raise GitHubProblem(502, "Server Error")

    def _charged(self, request: Request) -> InstallationToken:
        token = self.installation(request)
        self._sim.limits.spend(token.installation_id, request.method, request.url.path)
        return token

    def _quota(self, request: Request) -> dict[str, str]:
        try:
            token = self.installation(request)
        except GitHubProblem:
            return {}
        return self._sim.limits.quota(token.installation_id).headers()


async def json_body(request: Request) -> dict[str, Any]:
    """The request's JSON object; an empty body is an empty object.

    Raises:
        GitHubProblem: 400.
    """
    raw = await request.body()
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        raise GitHubProblem(400, "Problems parsing JSON") from None
    if not isinstance(body, dict):
        raise GitHubProblem(400, "Body should be a JSON object")
    return body


def page_of(request: Request, items: Sequence[T]) -> tuple[list[T], dict[str, str]]:
    """The page asked for with `per_page` and `page`, and its Link header."""
    per_page = per_page_of(request)
    page = max(1, _number(request, "page", 1))
    last = max(1, -(-len(items) // per_page))
    links = []
    if page < last:
        links += [_link(request, "next", page=page + 1), _link(request, "last", page=last)]
    if page > 1:
        links += [_link(request, "prev", page=page - 1), _link(request, "first", page=1)]
    shown = list(items[(page - 1) * per_page : page * per_page])
    return shown, {"link": ", ".join(links)} if links else {}


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """The Link header of a cursor-paged list."""
    return {} if cursor is None else {"link": _link(request, "next", cursor=cursor)}


def per_page_of(request: Request) -> int:
    """`per_page`, held within 1 to 100 as GitHub does."""
    return min(PER_PAGE_MAX, max(1, _number(request, "per_page", PER_PAGE_DEFAULT)))


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isdigit() else default


def _link(request: Request, rel: str, **changed: Any) -> str:
    return f'<{request.url.include_query_params(**changed)}>; rel="{rel}"'


def _credential(request: Request) -> str:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() not in SCHEMES or not secret:
        raise GitHubProblem(401, "Requires authentication") if not secret else bad_credentials()
    return secret
