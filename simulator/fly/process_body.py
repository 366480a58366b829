"""A Machine's inside as real processes: the boot agent with its own group, directory and token socket.

The agent is run by path with the current interpreter, isolated and without site-packages (`-I -S`): it must
get by with the standard library, as it does on a real Machine. When its main process ends, the Machine ends,
and everything it started ends with it.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from simulator.fly import reaper
from simulator.fly.body import BodyBoot, BodyExit
from simulator.fly.machine_logs import MachineLogs
from simulator.fly.token_socket import LONGEST_PATH, serve_tokens

# What a shell reports when a command cannot be started; used when the agent's process cannot be made.
CANNOT_START = 127
# The longest path below a Machine's directory that must fit a unix socket: its token socket, or one the
# agent makes in its temporary directory.
ROOM_FOR_SOCKETS = 40
MACHINE_ID_LENGTH = 14


@dataclass(slots=True)
class _Running:
    """A body's process; its id is also its group's."""

    process: asyncio.subprocess.Process
    directory: Path


class ProcessBody:
    """Runs the insides of all Machines of one FlySim as processes.

    Args:
        agent: the boot agent's script.
        runner_template: folder that each Machine gets its own copy of, executable bits kept.
        directory: where the Machines' directories are made; short, since unix socket paths are.

    Raises:
        FileNotFoundError: the agent or the template does not exist.
        ValueError: `directory` is too long for unix sockets below it.
    """

    def __init__(self, agent: Path, runner_template: Path, directory: Path = Path("/tmp")) -> None:  # noqa: S108 - mkdtemp below makes a private directory in it
        for path in (agent, runner_template):
            if not path.exists():
                raise FileNotFoundError(f"a Machine's body needs {path}, which does not exist")
        longest = len(str(directory)) + len("/flysim-12345678/") + MACHINE_ID_LENGTH + ROOM_FOR_SOCKETS
        if longest > LONGEST_PATH:
            raise ValueError(f"{directory} is too long to hold unix sockets; give a short one such as /tmp")
        self._agent = agent.resolve()
        self._template = runner_template.resolve()
        self._root = Path(tempfile.mkdtemp(prefix="flysim-", dir=directory))
        self._logs = MachineLogs()
        self._running: dict[str, _Running] = {}
        self._doomed: set[str] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        read_end, self._last_will = os.pipe()
        self._reaper = subprocess.Popen(  # noqa: S603 - our own file, by path, with our own interpreter
            [sys.executable, "-I", "-S", str(Path(reaper.__file__)), str(self._root)],
            stdin=read_end,
            start_new_session=True,
        )
        os.close(read_end)

    def start(self, boot: BodyBoot) -> None:
        """Begin the agent's process as a task of the running loop."""
        self._doomed.discard(boot.machine_id)
        self._tasks[boot.machine_id] = asyncio.ensure_future(self._live(boot))

    def signal(self, machine_id: str, signum: int) -> None:
        """Signal the main process only, as Fly's init does."""
        if running := self._running.get(machine_id):
            with contextlib.suppress(ProcessLookupError):
                running.process.send_signal(signum)
        elif signum == signal.SIGKILL:
            self._doomed.add(machine_id)

    def kill(self, machine_id: str) -> None:
        """Kill the whole tree; a body that is only being started is killed as soon as it is."""
        if running := self._running.get(machine_id):
            reaper.kill_tree(running.process.pid, running.directory)
        else:
            self._doomed.add(machine_id)

    def freeze(self, machine_id: str) -> None:
        """Stop every process of the body."""
        self._signal_tree(machine_id, signal.SIGSTOP)

    def thaw(self, machine_id: str) -> None:
        """Continue every process of the body."""
        self._signal_tree(machine_id, signal.SIGCONT)

    def log(self, machine_id: str) -> str:
        """The end of what the Machine's bodies wrote to stdout and stderr."""
        return self._logs.read(machine_id)

    async def close(self) -> None:
        """Kill every body, wait for each to be gone, and remove all directories."""
        while self._tasks:
            for machine_id in tuple(self._tasks):
                self.kill(machine_id)
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._reaper.returncode is None:
            os.close(self._last_will)
            await asyncio.to_thread(self._reaper.wait)

    async def _live(self, boot: BodyBoot) -> None:
        directory = self._root / boot.machine_id
        ended = BodyExit(CANNOT_START)
        try:
            ended = await self._run(boot, directory)
        except OSError as wrong:
            self._logs.append(boot.machine_id, f"simulator: the body could not be run: {wrong}\n".encode())
        finally:
            shutil.rmtree(directory, ignore_errors=True)
            self._doomed.discard(boot.machine_id)
            self._tasks.pop(boot.machine_id, None)
        boot.exited(ended)

    async def _run(self, boot: BodyBoot, directory: Path) -> BodyExit:
        for part in ("home", "tmp"):
            (directory / part).mkdir(parents=True)
        runner = directory / "runner"
        shutil.copytree(self._template, runner, symlinks=True)
        socket = directory / "api"
        tokens = await serve_tokens(socket, boot.mint_oidc)
        try:
            with self._logs.writer(boot.machine_id) as output:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-S", str(self._agent)),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=directory / "home",
                    env=_environment(boot, directory, socket, runner),
                    start_new_session=True,
                )
                self._running[boot.machine_id] = _Running(process, directory)
                self._tell_reaper("+", process.pid)
                try:
                    if boot.machine_id in self._doomed:
                        self.kill(boot.machine_id)
                    code = await process.wait()
                finally:
                    reaper.kill_tree(process.pid, directory)
                self._tell_reaper("-", process.pid)
        finally:
            self._running.pop(boot.machine_id, None)
            tokens.close()
            await tokens.wait_closed()
        return BodyExit(code) if code >= 0 else BodyExit(128 - code, -code)

    def _signal_tree(self, machine_id: str, signum: int) -> None:
        if running := self._running.get(machine_id):
            reaper.signal_tree(running.process.pid, running.directory, signum)

    def _tell_reaper(self, sign: str, group: int) -> None:
        # A reaper that someone killed costs the last will, not the Machine that runs.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._last_will, f"{sign} {group}\n".encode())


def _environment(boot: BodyBoot, directory: Path, socket: Path, runner: Path) -> dict[str, str]:
    interpreter = Path(sys.executable).parent
    return {
        **boot.env,
        "FLY_API_SOCKET": str(socket),
        "FLY_GHA_RUNNER_DIR": str(runner),
        "HOME": str(directory / "home"),
        "TMPDIR": str(directory / "tmp"),
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join([str(interpreter), "/usr/local/bin", "/usr/bin", "/bin"]),
    }
