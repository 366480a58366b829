"""The runner image as far as it can be had without building it: a root of what its Dockerfile puts there.

In a mount namespace of its own, on a tmpfs, with the system's programs from this machine: entry.py mounts for
real, as root, and nothing of it is seen outside or left behind.
"""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from boot_world import BOOT, BootWorld

ROOT = BOOT.parents[2]
PLACE = BOOT.parent
PYTHON = "/opt/python/bin/python3"
# The image's own paths; what lies in them is built here as the Dockerfile says.
HARNESS = """
set -eu
umask 022
root=$1 world=$2 python=$3 volume=$4; shift 4
mount -t tmpfs -o mode=0755 tmpfs "$root"
cd "$root"
mkdir -p dev etc/docker proc run var/log var/lib/docker opt/python fly-gha-disk ".$world"
for name in bin lib lib32 lib64 sbin usr; do
  if [ -L "/$name" ]; then cp -P "/$name" .
  elif [ -d "/$name" ]; then mkdir "$name"; mount --bind "/$name" "$name"; fi
done
ln -s ../run var/run
mount --rbind /dev dev
mount --rbind /proc proc
mount --bind "$python" opt/python
mount --bind "$world" ".$world"
install -d -m 1777 tmp var/tmp
cp /etc/ld.so.cache etc/ 2>/dev/null || :
echo 'root:x:0:0::/root:/bin/sh
runner:x:1001:1001::/home/runner:/bin/bash' > etc/passwd
echo 'root:x:0:
docker:x:123:runner
runner:x:1001:' > etc/group
install -d -o 1001 -g 1001 home/runner opt/hostedtoolcache home/runner/actions-runner
cp -R "$world/actions-runner/." home/runner/actions-runner/
install -d -o 1001 -g 1001 home/runner/actions-runner/_work
echo 'from the image' > home/runner/.profile
echo 'from the image' > opt/hostedtoolcache/baked
chown -R 1001:1001 home/runner
cp -R "$world/image/." .
[ "$volume" = "" ] || { mount -t tmpfs tmpfs fly-gha-disk; sh -eu "$volume" "$root/fly-gha-disk" "$world"; }
exec chroot "$root" /usr/bin/env "PATH=$IMAGE_PATH" "$@"
"""
# An engine that answers a ping, says how it was called, and ends with the Machine.
DOCKERD = """#!{python} -IS
import json, os, socket, sys, time
parent, deadline = os.getppid(), time.monotonic() + 30
json.dump(sys.argv[1:], open({notes!r} + "/dockerd", "w"))
print("stand-in engine: hello", flush=True)
{script}
server = socket.socket(socket.AF_UNIX)
server.bind("/var/run/docker.sock")
server.listen(8)
server.settimeout(0.05)
while os.getppid() == parent and time.monotonic() < deadline:
    try:
        caller = server.accept()[0]
        caller.recv(4096)
        caller.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nOK")
        caller.close()
    except TimeoutError:
        pass
"""


# A real volume, in the file $2/volume; what is on it is up to the script that goes on.
EXT4 = """
umount "$1"
truncate -s 64M "$2/volume"
mkfs.ext4 -q -F "$2/volume"
mount "$(losetup --find --show "$2/volume")" "$1"
"""


def instructions():
    """(word, rest) of each instruction of the Dockerfile, continued lines joined and comments gone."""
    lines = (PLACE / "Dockerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    return [
        tuple(line.strip().split(None, 1)) for line in text.replace("\\\n", " ").splitlines() if line.strip()
    ]


def copied():
    """(sources, destination, options) of what is copied from the repository."""
    found = []
    for rest in (rest for word, rest in instructions() if word == "COPY"):
        words = rest.split()
        options = [each for each in words if each.startswith("--")]
        *sources, destination = (each for each in words if not each.startswith("--"))
        found.append((sources, destination, options))
    return found


def environment():
    rest = " ".join(rest for word, rest in instructions() if word == "ENV")
    return dict(pair.split("=", 1) for pair in rest.split())


def entrypoint():
    (rest,) = (rest for word, rest in instructions() if word == "ENTRYPOINT")
    return json.loads(rest)


def as_root():
    """What has to come before a command that mounts."""
    return [] if os.geteuid() == 0 else ["sudo", "--non-interactive", "--preserve-env"]


@dataclass
class ImageWorld(BootWorld):
    """A Machine that boots the image; ``volume`` is a shell script that fills a volume, a tmpfs at $1.

    It may put another there: see ``EXT4``.
    """

    python: str = PYTHON
    volume: str = ""

    def __post_init__(self):
        super().__post_init__()
        (self.folder / "root").mkdir()
        (self.folder / "image").mkdir()
        (self.folder / "bin").mkdir()
        for sources, destination, _ in copied():
            for source in sources:
                name = Path(source).name if destination.endswith("/") else ""
                target = self.folder / "image" / destination.lstrip("/") / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes((ROOT / source).read_bytes())

    def dockerd(self, script=""):
        path = self.folder / "bin" / "dockerd"
        path.write_text(DOCKERD.format(python=PYTHON, notes=str(self.notes), script=script))
        path.chmod(0o755)

    def boot(self, disk, **env):
        """Begin as Fly does: the image's entrypoint and environment, with the Machine's on top."""
        interpreter, *arguments = entrypoint()
        assert interpreter == "/usr/bin/python3"
        fill = self.folder / "fill.sh"
        fill.write_text(self.volume)
        command = [
            *as_root(), "unshare", "--mount", "sh", "-c", HARNESS, "harness",
            str(self.folder / "root"), str(self.folder), sys.base_prefix, str(fill) if self.volume else "",
            PYTHON, *arguments,
        ]  # fmt: skip
        machine = {
            **environment(),
            "IMAGE_PATH": f"{self.folder}/bin:/opt/python/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "TMPDIR": "/tmp",  # noqa: S108 - as in the image
            "FLY_GHA_RUNNER_DIR": "/home/runner/actions-runner",
            "FLY_GHA_DISK": disk,
            **env,
        }
        self.begin(machine, command=command)
        return self.end()


def let_go(file):
    """Give back the loop devices of a volume."""
    call = [
        *as_root(),
        "sh",
        "-c",
        'losetup --noheadings --output NAME --associated "$1" | xargs -r losetup --detach',
    ]
    subprocess.run([*call, "sh", str(file)], check=True)


def capable():
    """Whether this machine lets a test have a mount namespace, and what it says if not."""
    call = [*as_root(), "unshare", "--mount", "true"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    return done.returncode == 0, f"{shlex.join(call)}: {done.stderr}"
