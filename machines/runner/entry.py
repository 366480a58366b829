"""The image's entrypoint: give the job a fast disk, start Docker, then become the boot agent.

A Machine's root disk does 8 MiB/s whatever its size, so the Machine class names a better place for all that
a job writes (FLY_GHA_DISK): a tmpfs, or a volume, which is wiped first, since another job may have had it.
There go the runner's home with the work folder, /tmp, the toolcache, and Docker's images and containers. A
disk that cannot be had is an end with its own exit code (boot.py EXITS), so that no job runs slowly on the
wrong one. Docker is not waited for here, and a job that needs none runs without it.

Run as root, by the standard library alone. In order: what is decided (pure functions), what is done.
"""
# ruff: noqa: S603 - the commands are those of the image

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple, NoReturn

DISK_FAILED, BROKEN = 30, 29
DISK = Path("/fly-gha-disk")
DOCKER_LOG = "/var/log/dockerd.log"
DOCKER_ON_ROOT = "/var/lib/docker"
MOUNTS = Path("/proc/self/mounts")
COMMAND_LIMIT_S = 30.0
# Minutes of a Machine that nobody claims cost more than a new volume.
WIPE_LIMIT_S = 120.0


class DiskFailed(Exception):
    """The disk that the class promises cannot be had; the text says why."""


class Disk(NamedTuple):
    """Where a job writes: ``tmpfs`` of so many MB, ``volume``, or ``root``."""

    kind: str
    size_mb: int = 0


class Place(NamedTuple):
    """A folder of the image whose writes go to the disk.

    Attributes:
        name: its folder on the disk.
        target: where the job finds it.
        over: what the image has there stays readable; otherwise it begins empty.
    """

    name: str
    target: str
    over: bool


# In the order of mounting: the work folder lies below the home, and is no overlay, since a job may well put
# another one there. Caches of npm, cargo and their like are in the home.
PLACES = (
    Place("home", "/home/runner", over=True),
    Place("work", "/home/runner/actions-runner/_work", over=False),
    Place("toolcache", "/opt/hostedtoolcache", over=True),
    Place("tmp", "/tmp", over=False),  # noqa: S108 - the folder itself
)


# ---- What is decided ----


def read_disk(text: str) -> Disk:
    """The setting FLY_GHA_DISK. DiskFailed when it is none: a guess would be the slow disk."""
    if text in {"root", "volume"}:
        return Disk(text)
    if found := re.fullmatch("tmpfs:([1-9][0-9]{0,6})", text):
        return Disk("tmpfs", int(found[1]))
    raise DiskFailed(f"FLY_GHA_DISK is {text!r:.40}, which is none of tmpfs:SIZE_MB, volume and root")


def filesystem(mounts: str, path: str) -> str:
    """The type of the file system that ``path`` is on, by /proc/self/mounts; of two mounts, the later."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        _, target, found, *_ = line.split(" ")
        if f"{path}/".startswith(f"{target.rstrip('/')}/") and len(target) >= best:
            best, kind = len(target), found
    return kind


def device_at(mounts: str, path: str) -> str | None:
    """What is mounted right there: a device with ext4 on it, empty for anything else, None for nothing."""
    found = [line.split(" ") for line in mounts.splitlines()]
    here = [(device, kind) for device, target, kind, *_ in found if target == path]
    if not here:
        return None
    device, kind = here[-1]
    return device if kind == "ext4" and device.startswith("/dev/") else ""


def mount_call(place: Place) -> list[str]:
    """The command that puts a place on the disk."""
    own = f"{DISK}/{place.name}"
    if not place.over:
        return ["mount", "--bind", own, place.target]
    options = f"lowerdir={place.target},upperdir={own}/upper,workdir={own}/work"
    return ["mount", "-t", "overlay", "-o", options, "overlay", place.target]


def storage_driver(below: str, fuse: bool) -> str:
    """Docker's storage driver for a file system: the kernel stacks no overlay upon what is one itself.

    Fly makes a root disk whose size was asked for an overlay. ``vfs`` copies layers whole, and always works.
    """
    if below != "overlay":
        return "overlay2"
    return "fuse-overlayfs" if fuse else "vfs"


def docker_call(root: str, driver: str) -> list[str]:
    """How the engine is started; the rest is in /etc/docker/daemon.json."""
    return ["dockerd", "--data-root", root, "--storage-driver", driver, "--pidfile", "/run/docker.pid"]


# ---- What is done ----


def say(step: str, detail: str) -> None:
    """One line of JSON, in the form of the boot agent's."""
    line = json.dumps({"at": round(time.time(), 3), "step": step, "detail": detail})
    os.write(2, f"{line}\n".encode())


def run(call: list[str], limit: float = COMMAND_LIMIT_S) -> str:
    """Run a command to its end; the last line of what it complained about, empty when it succeeded."""
    try:
        done = subprocess.run(call, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return f"{call[0]} took longer than {limit:.0f} s"
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return "" if done.returncode == 0 else (lines or [f"{call[0]} returned {done.returncode}"])[-1][:300]


def prepare_disk(disk: Disk) -> None:
    """Make the disk ready and put every place on it.

    Raises:
        DiskFailed: it cannot be had, or not without what another job left there.
    """
    if disk.kind == "tmpfs":
        DISK.mkdir(exist_ok=True)
        options = f"size={disk.size_mb}m,mode=0755"
        if problem := run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(DISK)]):
            raise DiskFailed(f"a tmpfs of {disk.size_mb} MB cannot be mounted: {problem}")
    elif (device := device_at(MOUNTS.read_text(), str(DISK))) is None:
        raise DiskFailed(f"the class has a volume, and nothing is mounted at {DISK}")
    else:
        wipe_disk(device)
    for place in PLACES:
        folder = DISK / place.name
        if place.over:
            (folder / "work").mkdir(parents=True)  # the kernel's own, for an overlay
            folder = folder / "upper"
        folder.mkdir()
        about = Path(place.target).stat()  # what stands in for a folder has its owner and its mode
        os.chown(folder, about.st_uid, about.st_gid)
        folder.chmod(about.st_mode & 0o7777)
        if problem := run(mount_call(place)):
            raise DiskFailed(f"{place.target} cannot be put on the {disk.kind}: {problem}")


def wipe_disk(device: str) -> None:
    """Let nothing be left of another job, which was root on this volume if it liked.

    A volume is new with its Machine, and then there is nothing to do. Otherwise a new file system is quick
    whatever was there, and discards the old blocks; files are removed one by one where there is no device.

    Raises:
        DiskFailed: something is left, or the volume has no file system now.
    """
    if is_empty():
        return
    if device and not run(["umount", str(DISK)]):
        problem = run(["mkfs.ext4", "-q", "-F", device], WIPE_LIMIT_S)
        if problem := problem or run(["mount", "-t", "ext4", "-o", "noatime", device, str(DISK)]):
            raise DiskFailed(f"the volume {device} cannot be formatted: {problem}")
        return
    remove = ["find", str(DISK), "-xdev", "-mindepth", "1", "-delete"]
    if problem := run(remove, WIPE_LIMIT_S):
        run(["chattr", "-R", "-f", "-i", "-a", str(DISK)], WIPE_LIMIT_S)  # it may have made files immutable
        problem = run(remove, WIPE_LIMIT_S)
    if problem or not is_empty():
        raise DiskFailed(f"what another job left on the volume cannot be removed: {problem}")
    os.chown(DISK, 0, 0)
    DISK.chmod(0o755)  # the runner's user has to get to its own folders


def is_empty() -> bool:
    """Whether nothing is on the disk but what a new file system has."""
    return not any(path.name != "lost+found" or any(path.iterdir()) for path in DISK.iterdir())


def start_docker(root: str) -> int:
    """Start the engine and do not wait for it; its process id, or 0 when there is none."""
    below = filesystem(MOUNTS.read_text(), root)
    fuse = Path("/dev/fuse").exists() and shutil.which("fuse-overlayfs") is not None
    driver = storage_driver(below, fuse)
    own = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/root", "LANG": "C.UTF-8"}
    try:
        with Path(DOCKER_LOG).open("ab") as log:
            process = subprocess.Popen(
                docker_call(root, driver),
                env=own,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # what signals the agent's group does not mean the engine
            )
    except OSError as error:
        say("docker", f"dockerd cannot be started, so no step can use Docker: {error.strerror}")
        return 0
    say("docker", f"dockerd started on {root} ({below or 'unknown'}) with {driver}")
    return process.pid


def main() -> NoReturn:
    """Prepare, start, become the agent."""
    began = time.monotonic()
    try:
        disk = read_disk(os.environ.get("FLY_GHA_DISK", "root"))
        if disk.kind != "root":
            prepare_disk(disk)
        where = {"tmpfs": f"a tmpfs of {disk.size_mb} MB", "root": "the root disk"}.get(
            disk.kind, "the volume"
        )
        say("disk", f"the job writes to {where}, ready after {time.monotonic() - began:.2f} s")
    except (DiskFailed, OSError) as error:
        say("exit", f"{DISK_FAILED} exit_disk_failed: {error}")
        sys.exit(DISK_FAILED)
    pid = start_docker(DOCKER_ON_ROOT if disk.kind == "root" else f"{DISK}/docker")
    env = {**os.environ, "FLY_GHA_DOCKER_PID": str(pid), "FLY_GHA_DOCKER_LOG": DOCKER_LOG}
    agent = str(Path(__file__).resolve().with_name("boot.py"))
    os.execve(sys.executable, [sys.executable, "-I", "-S", agent], env)  # noqa: S606 - it is this process now


if __name__ == "__main__":
    main()
