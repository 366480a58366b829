"""What runs inside a simulated Machine, seen from outside: the seam between FlySim and real processes.

FlySim decides when a body starts and what is done to it; the body says when it ended and how. A body is a
real process (`process_body.ProcessBody`) or a coroutine on the simulator's own clock (`ScriptBody`), which is
what virtual time needs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

KILLED = 137
NO_SIGNAL = -1


@dataclass(frozen=True, slots=True)
class BodyExit:
    """How a body ended.

    Attributes:
        exit_code: of its main process; 128 + the signal's number when a signal ended it.
        signal: that signal's number, or -1.
    """

    exit_code: int
    signal: int = NO_SIGNAL


@dataclass(frozen=True, slots=True)
class BodyBoot:
    """One boot of one Machine.

    Attributes:
        machine_id: Fly's id of the Machine; one body at a time has it.
        env: environment of the Machine's configuration and the FLY_ variables of its init.
        mint_oidc: gives an OIDC token for an audience, as POST /v1/tokens/oidc does (None: Fly's default
            audience); raises `FlyRefusal` when the token service is broken.
        exited: to be called once, when the body and every process of it has ended.
    """

    machine_id: str
    env: Mapping[str, str]
    mint_oidc: Callable[[str | None], str]
    exited: Callable[[BodyExit], None]


class Body(Protocol):
    """Runs the insides of all Machines of one FlySim."""

    def start(self, boot: BodyBoot) -> None:
        """Begin; returns at once."""
        ...

    def signal(self, machine_id: str, signum: int) -> None:
        """Deliver a signal to the main process; nothing happens when it has ended."""
        ...

    def kill(self, machine_id: str) -> None:
        """End every process of the body at once; `exited` follows."""
        ...

    def freeze(self, machine_id: str) -> None:
        """Stop every process of the body where it is, as when its host drops off the network."""
        ...

    def thaw(self, machine_id: str) -> None:
        """Let a frozen body go on."""
        ...

    def log(self, machine_id: str) -> str:
        """The last output of the Machine's bodies; empty for one that never booted."""
        ...

    async def close(self) -> None:
        """Kill every body and give back what they used."""
        ...


Script = Callable[[BodyBoot], Awaitable[int]]


class ScriptBody:
    """A body that is a coroutine returning its exit code; it must pass time only on the simulator's clock.

    Any signal ends it, as a process without handlers; freezing is not possible and has no effect.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._signals: dict[str, int] = {}

    def start(self, boot: BodyBoot) -> None:
        """Begin the script as a task of the running loop."""
        self._signals.pop(boot.machine_id, None)
        self._tasks[boot.machine_id] = asyncio.ensure_future(self._run(boot))

    def signal(self, machine_id: str, signum: int) -> None:
        """End the script with this signal."""
        if task := self._tasks.get(machine_id):
            self._signals[machine_id] = signum
            task.cancel()

    def kill(self, machine_id: str) -> None:
        """End the script as SIGKILL would."""
        self.signal(machine_id, 9)

    def freeze(self, machine_id: str) -> None:
        """No effect: a coroutine cannot be stopped half-way."""

    def thaw(self, machine_id: str) -> None:
        """No effect."""

    def log(self, machine_id: str) -> str:  # noqa: ARG002 - the protocol asks for one
        """A script has no output."""
        return ""

    async def close(self) -> None:
        """Cancel every script and wait for it."""
        tasks = list(self._tasks.items())
        for machine_id, _ in tasks:
            self.kill(machine_id)
        await asyncio.gather(*(task for _, task in tasks), return_exceptions=True)

    async def _run(self, boot: BodyBoot) -> None:
        try:
            ended = BodyExit(await self._script(boot))
        except asyncio.CancelledError:
            signum = self._signals.get(boot.machine_id, 9)
            ended = BodyExit(128 + signum, signum)
        self._tasks.pop(boot.machine_id, None)
        boot.exited(ended)
