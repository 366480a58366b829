"""A clock that moves when somebody waits, and bodies of Machines that end when a scene says so."""

import asyncio
from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI

from simulator.agenda import Agenda
from simulator.fly.body import BodyBoot, BodyExit

START = 1_790_000_000.0


class LeapingClock:
    """Nobody waits: a sleep takes its time out of the future at once."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += max(0.0, seconds)
        await asyncio.sleep(0)

    def pass_time(self, agenda: Agenda, seconds: float) -> None:
        """Let everything happen that is due within that time, each at its moment."""
        end = self.time + seconds
        while (due := agenda.next_due) is not None and due <= end:
            self.time = max(self.time, due)
            agenda.run_due()
        self.time = end


class HeldBodies:
    """Bodies that run until the scene, or FlySim, ends them."""

    def __init__(self) -> None:
        self._running: dict[str, BodyBoot] = {}

    def start(self, boot: BodyBoot) -> None:
        self._running[boot.machine_id] = boot

    def exit(self, machine_id: str, code: int) -> None:
        self._running.pop(machine_id).exited(BodyExit(code, -1))

    def signal(self, machine_id: str, signum: int) -> None:
        self._running.pop(machine_id).exited(BodyExit(0, signum))

    def kill(self, machine_id: str) -> None:
        self._running.pop(machine_id).exited(BodyExit(137, 9))

    def freeze(self, machine_id: str) -> None:
        pass

    def thaw(self, machine_id: str) -> None:
        pass

    def log(self, machine_id: str) -> str:
        return f"log of {machine_id}"

    async def close(self) -> None:
        self._running.clear()


@cache
def signing_key() -> rsa.RSAPrivateKey:
    """One key is enough for all that is signed here; making it is dear."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def served_by(app: FastAPI) -> dict[str, str]:
    """What a face serves of its published API: `METHOD /path` with the operation's id."""
    return {
        f"{method.upper()} {path}": operation["operationId"]
        for path, item in app.openapi()["paths"].items()
        for method, operation in item.items()
        if not path.startswith("/_")
    }
