"""A GitHubSim on a clock that only moves when a test says so."""

import asyncio
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator.github.accounts import RepositorySpec, RunnerGroupSpec
from simulator.github.jobs import JobOrder, RunOrder, StepOrder, WorkflowJob
from simulator.github.model import GitHubSim
from simulator.github.registration import Registration
from simulator.github.sessions import Session

APP_ID = 4711


class HandClock:
    """Time as told. A sleep returns at once without moving it: only `World.wait` does."""

    def __init__(self, start: float) -> None:
        self.time = start

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class World:
    """A GitHubSim and the few things tests do with it all the time."""

    def __init__(self, sim: GitHubSim, clock: HandClock, key: rsa.RSAPrivateKey) -> None:
        self.sim = sim
        self.clock = clock
        self._key = key

    def wait(self, seconds: float) -> None:
        """Let time pass, everything that is due happening at its own moment."""
        end = self.clock.time + seconds
        while (due := self.sim.agenda.next_due) is not None and due <= end:
            self.clock.time = max(due, self.clock.time)
            self.sim.advance()
        self.clock.time = end

    def app_jwt(self, **claims: Any) -> str:
        now = int(self.clock.time)
        said = {"iss": str(APP_ID), "iat": now - 60, "exp": now + 540, **claims}
        return jwt.encode(said, self._key, algorithm="RS256")

    def token(self, **narrowing: Any) -> str:
        wish = {"repositories": None, "repository_ids": None, "permissions": None, **narrowing}
        return self.sim.tokens.mint_installation(self.sim.directory.installation.id, **wish).secret

    def jit(self, name: str = "r1", labels: tuple[str, ...] = ("fly",), group: int = 1) -> Registration:
        return self.sim.registrations.mint_jit(
            "orgs/acme", name, self.sim.directory.group(group), list(labels), "_work"
        )

    def online(self, runner: Registration) -> Session:
        return self.sim.sessions.open(runner.identity.client_id, runner.identity.proof(), "2.336.0")

    def queue(
        self,
        *jobs: str,
        repository: str = "acme/web",
        labels: tuple[str, ...] = ("fly",),
        **more: Any,
    ) -> list[WorkflowJob]:
        steps = (StepOrder("build", 1.0),)
        orders = tuple(JobOrder(name, labels, steps, **more) for name in jobs or ("build",))
        return self.sim.queue.start_run(RunOrder(repository, orders)).jobs

    def webhooks(self) -> list[dict[str, Any]]:
        """Take what is due and pretend it arrived."""
        taken = list(self.sim.webhooks.take_due())
        for delivery in taken:
            delivery.status, delivery.status_code = "OK", 202
            self.sim.webhooks.sent(delivery)
        return [dict(delivery.facts) | {"guid": delivery.guid, "id": delivery.id} for delivery in taken]


@pytest.fixture(scope="session")
def app_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def make_world(app_key: rsa.RSAPrivateKey) -> Callable[..., World]:
    public = app_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    def make(**changed: Any) -> World:
        clock = HandClock(1_790_000_000.0)
        wish = {
            "clock": clock,
            "seed": 7,
            "scale": 1.0,
            "public_url": "http://127.0.0.1:8002",
            "app_id": APP_ID,
            "app_public_key": public.decode(),
            "webhook_url": "http://127.0.0.1:9/webhooks/github",
            "webhook_secret": "whsec",
            "organization": "acme",
            "repositories": ["web", "api", RepositorySpec("site", private=False)],
            "runner_groups": [
                "fleet",
                RunnerGroupSpec("only-web", ["web"]),
                RunnerGroupSpec("open", None, True),
            ],
            **changed,
        }
        return World(GitHubSim(**wish), clock, app_key)

    return make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()
