"""A FlySim whose clock the test moves, with bodies that do what the test says."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator.fly import FlySim
from simulator.fly.body import BodyBoot, BodyExit
from simulator.fly.machine import SimMachine

TOKEN = "FlyV1 fm2_simulated"
APPS = ("runners-a", "runners-b")
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class HandClock:
    """Time stands still until the test moves it."""

    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += max(0.0, seconds)


class HeldBody:
    """Bodies that run until the test, or FlySim, ends them."""

    def __init__(self) -> None:
        self.running: dict[str, BodyBoot] = {}
        self.done: list[tuple[str, str, int]] = []

    def start(self, boot: BodyBoot) -> None:
        self.running[boot.machine_id] = boot

    def exit(self, machine_id: str, code: int = 0, signal: int = -1) -> None:
        self.running.pop(machine_id).exited(BodyExit(code, signal))

    def signal(self, machine_id: str, signum: int) -> None:
        self.done.append(("signal", machine_id, signum))

    def kill(self, machine_id: str) -> None:
        self.done.append(("kill", machine_id, 9))
        self.exit(machine_id, 137, 9)

    def freeze(self, machine_id: str) -> None:
        self.done.append(("freeze", machine_id, 0))

    def thaw(self, machine_id: str) -> None:
        self.done.append(("thaw", machine_id, 0))

    def log(self, machine_id: str) -> str:
        return f"log of {machine_id}"

    async def close(self) -> None:
        self.running.clear()


class World:
    """A FlySim, its clock and its bodies."""

    def __init__(self, **changed: Any) -> None:
        self.clock = HandClock()
        self.body = HeldBody()
        arguments: dict[str, Any] = {
            "clock": self.clock,
            "seed": 7,
            "scale": 1.0,
            "org_slug": "acme",
            "public_url": "http://fly.sim",
            "apps": APPS,
            "body": self.body,
            "api_token": TOKEN,
            "list_lag": 0.0,
            "signing_key": KEY,
        }
        self.sim = FlySim(**{**arguments, **changed})

    def request(self, name: str = "m-1", **changed: Any) -> dict[str, Any]:
        config = {
            "image": "registry.fly.io/runner:1@sha256:" + "a" * 64,
            "auto_destroy": True,
            "restart": {"policy": "no"},
            "metadata": {"fly_gha_pool": "small", "fly_gha_fleet": "main"},
            "env": {"FLY_GHA_URL": "http://dispatcher"},
            **changed.pop("config", {}),
        }
        return {"name": name, "region": "ams", "config": config, **changed}

    def create(self, name: str = "m-1", app: str = "runners-a", **changed: Any) -> SimMachine:
        return self.sim.create(app, self.request(name, **changed)).machine

    def started(self, name: str = "m-1", **changed: Any) -> SimMachine:
        machine = self.create(name, **changed)
        self.until(lambda: machine.state == "started")
        return machine

    def stopped(self, name: str = "m-1", **changed: Any) -> SimMachine:
        machine = self.create(name, skip_launch=True, **changed)
        self.until(lambda: machine.state == "stopped")
        return machine

    def pass_time(self, seconds: float) -> None:
        end = self.clock.time + seconds
        while (due := self.sim.agenda.next_due) is not None and due <= end:
            self.clock.time = max(self.clock.time, due)
            self.sim.agenda.run_due()
        self.clock.time = end

    def until(self, reached: Callable[[], bool], at_most: float = 600.0) -> None:
        end = self.clock.time + at_most
        while not reached():
            due = self.sim.agenda.next_due
            assert due is not None, "nothing is due any more"
            assert due <= end, "not reached in time"
            self.pass_time(max(0.0, due - self.clock.time))

    def kinds(self) -> list[str]:
        return [entry["kind"] for entry in self.sim.journal]

    def last(self, kind: str) -> Mapping[str, Any]:
        return self.sim.journal.of(kind)[-1]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def make_world() -> Callable[..., World]:
    return World
