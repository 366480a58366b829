"""What the browser tests stand on: a Chromium found, installed or asked for; a lock without addresses."""

import json
from pathlib import Path

import pytest
from chromium import chromium

pytestmark = pytest.mark.xdist_group("browser")
LOCK = Path(__file__).parent / "package-lock.json"


class Machine:
    """A machine with these programs, on which apt-get installs what it can."""

    def __init__(self, *programs, installs=()):
        self.programs = set(programs)
        self.installs = set(installs)
        self.ran = []

    def which(self, name):
        return f"/usr/bin/{name}" if name in self.programs else None

    def run(self, command, **_):
        self.ran.append(command[1])
        if command[1] == "install":
            self.programs |= self.installs


def found(machine, *, root=True, **environ):
    return chromium(environ, machine.which, machine.run, root)


def test_the_chromium_that_is_there_is_taken():
    machine = Machine("chromium-browser", "google-chrome")
    assert found(machine) == "/usr/bin/chromium-browser"
    assert machine.ran == []


def test_the_one_that_is_named_comes_first_and_a_wrong_name_is_told():
    assert found(Machine("chromium", "other"), FLY_GHA_CHROMIUM="other") == "/usr/bin/other"
    with pytest.raises(RuntimeError, match="FLY_GHA_CHROMIUM=gone is no program"):
        found(Machine("chromium"), FLY_GHA_CHROMIUM="gone")


def test_debians_package_is_installed_where_that_can_be_done():
    machine = Machine("apt-get", installs=["chromium"])
    assert found(machine) == "/usr/bin/chromium"
    assert machine.ran == ["update", "install"]


@pytest.mark.parametrize(
    ("machine", "root"), [(Machine("apt-get"), False), (Machine(), True), (Machine("apt-get"), True)]
)
def test_without_one_a_sentence_says_what_to_install(machine, root):
    with pytest.raises(RuntimeError, match="apt-get install chromium"):
        found(machine, root=root)


def test_every_package_is_pinned_by_its_integrity_and_names_no_registry():
    lock = json.loads(LOCK.read_text())
    wanted = json.loads((LOCK.parent / "package.json").read_text())["devDependencies"]
    installed = {name: each for name, each in lock["packages"].items() if name}
    assert {f"node_modules/{name}": version for name, version in wanted.items()} == {
        name: each["version"] for name, each in installed.items()
    }
    assert all(
        each["integrity"].startswith("sha512-") and "resolved" not in each for each in installed.values()
    )
    assert "://" not in LOCK.read_text()
