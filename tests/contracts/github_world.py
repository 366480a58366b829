"""A GitHubSim behind its face, our GitHub client in `app` mode in front of it, and what was said between."""

from dataclasses import dataclass, field
from typing import Any

import httpx
from cryptography.hazmat.primitives import serialization
from fastapi import FastAPI
from pydantic import SecretStr

from runners.github.app_auth import AppMinter, AppSigner
from runners.github.app_tokens import AppTokens
from runners.github.calls import Calls
from runners.github.client import GitHub
from runners.github.survey import Survey
from runners.github.token_probe import TokenProbe
from simulator.github.courier import Bell, Courier
from simulator.github.face import build_app
from simulator.github.jobs import JobOrder, RunOrder, StepOrder, WorkflowJob
from simulator.github.model import GitHubSim
from simulator.github.sessions import Session
from tests.contracts.exchange import Recorder
from tests.contracts.sends import Watched
from tests.contracts.worlds import LeapingClock, signing_key

URL = "http://github.test"
APP_ID = 4711
VERSION = "2022-11-28"
ORG, REPO = "orgs/acme", "repos/acme/web"
LABELS = ("fly-gha-medium",)


@dataclass
class GitHubWorld:
    """A GitHubSim with recorded clients, and what its webhooks said."""

    sim: GitHubSim
    app: FastAPI
    clock: LeapingClock
    recorder: Recorder
    http: httpx.AsyncClient
    webhooks: list[httpx.Request] = field(default_factory=list)

    def wait(self, seconds: float = 90.0) -> None:
        """Long enough for a new minute of rate limits and for the lists to know."""
        self.clock.pass_time(self.sim.agenda, seconds)

    def app_mode(self, *scopes: str) -> tuple[Any, Any]:
        """The client and the minter as production wires them for the pools' scopes."""
        signer = AppSigner(str(APP_ID), private_key, self.clock)
        minter = Watched(
            AppMinter(
                self.recorder,
                signer,
                self.clock,
                scopes=scopes or (ORG, REPO),
                api_url=URL,
                api_version=VERSION,
            )
        )
        tokens = AppTokens(minter, signer, self.clock)
        github = GitHub(self.recorder, tokens, self.clock, api_url=URL, api_version=VERSION)
        return Watched(github), minter

    def probe(self) -> TokenProbe:
        """What the publisher asks whether a token is still good."""
        return TokenProbe(self.recorder, self.clock, api_url=URL, api_version=VERSION)

    def survey(self) -> Any:
        """What doctor reads, as production wires it."""
        signer = AppSigner(str(APP_ID), private_key, self.clock)
        _, minter = self.app_mode()
        tokens = AppTokens(minter, signer, self.clock)
        return Watched(
            Survey(Calls(self.recorder, tokens, self.clock, api_url=URL, api_version=VERSION, timeout=10.0))
        )

    async def credentials(self) -> tuple[str, str]:
        """The App's JWT and an installation token with all permissions."""
        signer = AppSigner(str(APP_ID), private_key, self.clock)
        wish = {"repositories": None, "repository_ids": None, "permissions": None}
        token = self.sim.tokens.mint_installation(self.sim.directory.installation.id, **wish)
        return (await signer.app_jwt()).get_secret_value(), token.secret

    async def by_hand(self, credential: str, method: str, path: str, status: int, **request: Any) -> Any:
        headers = {"authorization": f"Bearer {credential}"} if credential else {}
        answer = await self.http.request(method, path, headers=headers, **request)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def queue(self, *jobs: JobOrder) -> list[WorkflowJob]:
        return self.sim.queue.start_run(RunOrder("acme/web", jobs or (job(),))).jobs

    def online(self, name: str) -> Session:
        runner = next(one for one in self.sim.registrations.all() if one.name == name)
        return self.sim.sessions.open(runner.identity.client_id, runner.identity.proof(), "2.336.0")

    async def post_webhooks(self) -> None:
        """Let the courier carry all that is due, until nothing is."""
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._take))
        async with http:
            courier = Courier(self.sim.webhooks, self.clock, Bell(), http)
            while self.sim.webhooks.waiting():
                self.wait(5.0)
                for delivery in self.sim.webhooks.take_due():
                    await courier.deliver(delivery)

    def _take(self, request: httpx.Request) -> httpx.Response:
        self.webhooks.append(request)
        return httpx.Response(202)


def make_world() -> GitHubWorld:
    clock = LeapingClock()
    public = signing_key().public_key()
    sim = GitHubSim(
        clock=clock,
        seed=7,
        scale=1.0,
        public_url=URL,
        app_id=APP_ID,
        app_public_key=public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode(),
        webhook_url="http://dispatcher.test/webhooks/github",
        webhook_secret="whsec",
        organization="acme",
        repositories=["web", "api"],
        runner_groups=["fleet"],
    )
    app = build_app(sim)
    recorder = Recorder(httpx.ASGITransport(app))
    return GitHubWorld(sim, app, clock, recorder, httpx.AsyncClient(transport=recorder, base_url=URL))


def private_key() -> SecretStr:
    encoded = signing_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SecretStr(encoded.decode())


def job(name: str = "build", **changed: Any) -> JobOrder:
    return JobOrder(name, LABELS, (StepOrder("test", 1.0),), **changed)
