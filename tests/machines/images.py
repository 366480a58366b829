"""The images of our services as their files say them, and trees of what is in them. No container is built.

``Place`` reads a Dockerfile, its ignore file and fly.toml. ``tree`` copies exactly what the Dockerfile
copies, links exactly the distributions that the lock names, and runs the Dockerfile's own last step.
"""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import tomllib
import venv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
BARE = {"PATH": os.environ["PATH"]}


@dataclass(frozen=True)
class Place:
    """One service's folder in machines/: its name, its command, its lock."""

    name: str
    command: str
    lock: str

    @property
    def folder(self):
        return ROOT / "machines" / self.name

    @property
    def requirements(self):
        return ROOT / self.lock

    @cached_property
    def instructions(self):
        """(word, rest) of each instruction, continued lines joined."""
        text = re.sub(r"^\s*#.*\n", "", (self.folder / "Dockerfile").read_text(), flags=re.MULTILINE)
        lines = text.replace("\\\n", " ").splitlines()
        return [tuple(line.strip().split(None, 1)) for line in lines if line.strip()]

    def rests(self, word):
        return [rest for found, rest in self.instructions if found == word]

    @property
    def copied(self):
        """(sources, destination) of what is copied from the repository."""
        rests = [rest.split() for rest in self.rests("COPY") if "--from=" not in rest]
        return [(rest[:-1], rest[-1]) for rest in rests]

    @property
    def environment(self):
        return dict(pair.split("=", 1) for pair in " ".join(self.rests("ENV")).split())

    @property
    def ignored(self):
        lines = (self.folder / "Dockerfile.dockerignore").read_text().splitlines()
        return [line for line in lines if line and not line.startswith("#")]

    @property
    def fly(self):
        return tomllib.loads((self.folder / "fly.toml").read_text())

    @property
    def last_step(self):
        (step,) = [rest for rest in self.rests("RUN") if "printf" in rest]
        return step

    def files(self):
        """By path below /app, the file of the repository that the image has there."""
        found = {}
        for sources, destination in self.copied:
            if not destination.startswith("/app/"):
                continue
            for source in (each for pattern in sources for each in sorted(ROOT.glob(pattern))):
                below = Path(destination.removeprefix("/app/"))
                if destination.endswith("/"):
                    below /= source.name
                if source.is_dir():
                    inner = [each for each in sorted(source.rglob("*")) if each.is_file()]
                    found |= {str(below / each.relative_to(source)): each for each in inner}
                else:
                    found[str(below)] = source
        return {name: path for name, path in found.items() if "__pycache__" not in path.parts}

    def locked_here(self):
        """The requirements of the lock that this platform wants."""
        text = re.sub(r"\\\n\s*--hash=\S+", "", self.requirements.read_text())
        named = [Requirement(line.rstrip(" \\")) for line in text.splitlines() if line and line[0] != "#"]
        return [each for each in named if each.marker is None or each.marker.evaluate()]


STATUS = Place("status", "fly-gha-status", "requirements/status.txt")
DISPATCHER = Place("dispatcher", "fly-gha", "requirements/run.txt")
PUBLISHER = Place("publisher", "fly-gha", "requirements/publisher.txt")
PLACES = (STATUS, DISPATCHER, PUBLISHER)


@dataclass(frozen=True)
class Tree:
    """What an image has under /app, /venv, /data and /etc/fly-gha, each below ``folder``."""

    place: Place
    folder: Path

    @property
    def program(self):
        """The image's command."""
        return self.folder / "venv/bin" / self.place.command

    def command(self, *python):
        """The same, to be run by a Python with more options: what the command's file executes."""
        line = self.program.read_text().splitlines()[1]
        words = line.removeprefix("exec ").removesuffix(' "$@"').split()
        return [words[0], *python, *words[1:]]

    def environ(self, **extra):
        """The image's own environment, with its folders, and nothing of this process's."""
        own = {name: _below(self.folder, value) for name, value in self.place.environment.items()}
        return {**own, "PATH": f"{self.folder}/venv/bin:{BARE['PATH']}", **extra}

    def run(self, *words, **extra):
        return subprocess.run(
            words,
            cwd=self.folder,
            env=self.environ(**extra),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def python(self, script):
        return self.run(self.folder / "venv/bin/python", "-I", "-c", script)

    def ours(self, *arguments, **extra):
        """The image's command with arguments."""
        return self.run(self.program, *arguments, **extra)

    def distributions(self):
        script = (
            "import importlib.metadata as m, json; print(json.dumps([d.name for d in m.distributions()]))"
        )
        return {_plain(name) for name in json.loads(self.python(script).stdout)}


def tree(place, folder):
    """Make the tree of one image in an empty folder."""
    for name, source in place.files().items():
        target = folder / "app" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    for inner in ("data", "etc/fly-gha"):
        (folder / inner).mkdir(parents=True)
    (enter,) = (folder / "app").rglob("enter.py")
    # With folders of this test, and for whoever runs it: what it does as root has tests of its own.
    text = enter.read_text().replace('"/etc/fly-gha"', f'"{folder}/etc/fly-gha"')
    enter.write_text(text.replace("USER_ID = 10001", f"USER_ID = {os.geteuid()}"))
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    (site,) = (folder / "venv/lib").glob("python*/site-packages")
    for requirement in place.locked_here():
        _link(requirement, site)
    command = _below(folder, place.last_step)
    environ = {"PATH": f"{folder}/venv/bin:{BARE['PATH']}"}
    subprocess.run(["sh", "-ec", command], check=True, env=environ, timeout=60)
    return Tree(place, folder)


def plain_names(requirements):
    return {_plain(each.name) for each in requirements}


def _below(folder, text):
    return re.sub(r"(?<![\w/])/(venv|app|data|etc/fly-gha)\b", rf"{folder}/\1", text)


def _plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def _link(requirement, site):
    """Link an installed distribution into ``site``; it has to be the very version that the lock names."""
    distribution = importlib.metadata.distribution(requirement.name)
    assert requirement.specifier.contains(distribution.version, prereleases=True), requirement
    tops = {file.parts[0] for file in distribution.files} - {"..", "__pycache__"}
    for top in sorted(tops):
        target = site / top
        if not target.exists():
            target.symlink_to(distribution.locate_file(top))
