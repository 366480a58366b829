"""How a service begins in its image: it takes its volume, becomes its user, and runs.

Every command of the images of the dispatcher, the publisher and fly-gha-status goes through here, also one
that an operator calls by ``fly ssh console``, who is root there: what root made on the volume the service
could not read. Standard library only; a copy of this file is all that an image needs of it:

    /venv/bin/python -I enter.py DATA MODULE:CALLABLE [ARGUMENT…]

An image starts as root for three things that only root can do, whatever Fly does by itself: give the volume
to the service's user, make the settings that Fly wrote as files readable, and let that user reach Fly's
socket, which "privileged processes" may use and which mints the token that opens Infisical. As anybody else
it changes none of these.
"""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path

USER_ID = 10001
"""The service's user and group; the Dockerfiles make them with this number."""

SETTINGS = Path("/etc/fly-gha")
"""Where ``[[files]]`` of a fly.toml puts settings: none of them is a secret."""

ENVIRONMENT = "settings.env"
"""There, NAME=value lines for a program that is set by its environment. What is set already wins."""

SOCKET = Path("/.fly/api")


def take(data: Path, settings: Path, socket: Path, user: int) -> None:
    """As root: give ``user`` the volume, the settings and the socket. What is refused is said and left.

    Args:
        data: where the volume is. What root owns in it changes hands: a file that was put there by hand. A
            link, and a file with a second name, do not.
        settings: a folder of files without secrets.
        socket: Fly's, which may be absent.
        user: number of the user and of the group.
    """
    for path in (data, *_owned_by_root(data)):
        _try(f"give {path} to user {user}", partial(os.chown, path, user, user))
    _try(f"close {data} to others", partial(data.chmod, 0o700))
    for path in (settings, *settings.glob("*")) if settings.is_dir() else ():
        _try(f"make {path} readable", partial(_add, path, 0o555 if path.is_dir() else 0o444))
    if socket.exists():
        _try(f"let user {user} into {socket.parent}", partial(_add, socket.parent, 0o011))
        _try(f"let user {user} use {socket}", partial(_share, socket, user))


def drop(user: int) -> None:
    """Become ``user`` for good; nothing happens to whoever is not root."""
    if os.geteuid() != 0:
        return
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def read_settings(path: Path) -> Iterator[tuple[str, str]]:
    """The (name, value) of each line; one that is neither that, a comment nor empty ends the process."""
    if not path.is_file():
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip()
        name, separator, value = text.partition("=")
        if not text or text.startswith("#"):
            continue
        if not separator or not name.isidentifier():
            sys.exit(f"{path}, line {number}: expected NAME=value, a comment or nothing")
        yield name, value


def main(arguments: list[str]) -> None:
    """Take, drop, and call what the arguments name."""
    data, target, *rest = arguments
    os.umask(0o077)
    if os.geteuid() == 0:
        take(Path(data), SETTINGS, SOCKET, USER_ID)
        drop(USER_ID)
    for name, value in read_settings(SETTINGS / ENVIRONMENT):
        os.environ.setdefault(name, value)
    os.environ["HOME"] = data
    # A path in the settings that is relative, the database's too, means a file on the volume.
    os.chdir(data)
    module, _, name = target.partition(":")
    sys.argv = [Path(sys.argv[0]).name, *rest]
    call: Callable[[], object] = getattr(import_module(module), name)
    call()


def _owned_by_root(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        status = path.lstat()
        plain = stat.S_ISDIR(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_nlink == 1)
        if status.st_uid == 0 and plain and path.name != "lost+found":
            yield path


def _add(path: Path, extra: int) -> None:
    path.chmod(stat.S_IMODE(path.stat().st_mode) | extra)


def _share(socket: Path, group: int) -> None:
    os.chown(socket, -1, group)
    _add(socket, 0o060)


def _try(what: str, act: Callable[[], None]) -> None:
    try:
        act()
    except OSError as error:
        sys.stderr.write(f"could not {what}: {error.strerror}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
