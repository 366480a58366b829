"""How a service begins in its image: as its user, on its volume, whoever started it."""

import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from machines.enter import USER_ID, read_settings, take

ROOT = Path(__file__).resolve().parents[2]
WHO = """
import json, os, sys
def who():
    print(json.dumps({
        "ids": [os.getuid(), os.geteuid(), os.getgid(), os.getgroups()],
        "umask": os.umask(0), "folder": os.getcwd(), "home": os.environ["HOME"], "arguments": sys.argv[1:],
    }))
    open("written", "w").close()
"""
AS_ROOT = os.geteuid() == 0


@pytest.fixture
def place():
    """A folder that another user may enter; pytest's own may not be."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "who.py").write_text(WHO)
        (folder / "who.py").chmod(0o644)
        (folder / "data").mkdir()
        text = (ROOT / "machines/enter.py").read_text().replace("/etc/fly-gha", f"{folder}/etc")
        (folder / "enter.py").write_text(text.replace('"/.fly/api"', f'"{folder}/fly/api"'))
        yield folder


def enter(place, *arguments):
    code = (
        f"import json, sys; sys.path.insert(0, {str(place)!r}); sys.argv = ['enter', *{arguments!r}];"
        " import enter; enter.main(sys.argv[1:])"
    )
    return subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False, timeout=30
    )


def test_a_service_that_root_starts_runs_as_its_own_user_on_its_volume(place):
    done = enter(place, str(place / "data"), "who:who", "serve", "--observe")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    expected = [USER_ID, USER_ID, USER_ID, []] if AS_ROOT else said["ids"]
    assert said["ids"] == expected
    assert said["ids"][0] == (USER_ID if AS_ROOT else os.getuid())
    assert said["folder"] == said["home"] == str(place / "data")
    assert said["arguments"] == ["serve", "--observe"]
    assert said["umask"] == 0o077
    assert (place / "data/written").stat().st_uid == said["ids"][0]


def test_what_root_put_on_the_volume_the_service_can_read(tmp_path):
    """A backup that was uploaded, a token that was made by hand."""
    data = tmp_path / "data"
    (data / "backups").mkdir(parents=True)
    (data / "lost+found").mkdir()
    (data / "backups/fleet.backup").write_text("x")
    outside = tmp_path / "outside"
    outside.write_text("not on the volume")
    (data / "link").symlink_to(outside)
    (data / "twin").hardlink_to(outside)
    user = USER_ID if AS_ROOT else os.getuid()
    take(data, tmp_path / "no-settings", tmp_path / "no-socket", user)
    for given in (data, data / "backups", data / "backups/fleet.backup"):
        assert given.stat().st_uid == user
    for kept in (outside, data / "lost+found"):
        assert kept.stat().st_uid == os.getuid()
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_settings_that_fly_wrote_for_root_alone_are_readable(tmp_path):
    settings = tmp_path / "etc"
    settings.mkdir(mode=0o700)
    (settings / "fleet.toml").write_text("")
    (settings / "fleet.toml").chmod(0o600)
    take(tmp_path, settings, tmp_path / "no-socket", os.getuid())
    assert stat.S_IMODE(settings.stat().st_mode) == 0o755
    assert stat.S_IMODE((settings / "fleet.toml").stat().st_mode) == 0o644


def test_flys_socket_is_shared_with_the_services_group_alone(tmp_path):
    folder = tmp_path / "fly"
    folder.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "api"))
        (folder / "api").chmod(0o600)
        group = USER_ID if AS_ROOT else os.getgid()
        take(tmp_path, tmp_path / "none", folder / "api", group if AS_ROOT else os.getuid())
    status = (folder / "api").stat()
    assert status.st_uid == os.getuid()
    assert stat.S_IMODE(status.st_mode) == 0o660
    assert stat.S_IMODE(folder.stat().st_mode) == 0o711


def test_what_is_refused_is_said_and_the_service_starts_all_the_same(tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)
    take(tmp_path, tmp_path / "none", tmp_path / "none", USER_ID)
    assert f"could not give {tmp_path} to user {USER_ID}: Operation not permitted" in capsys.readouterr().err


def test_settings_are_lines_and_what_is_set_already_wins(tmp_path):
    file = tmp_path / "settings.env"
    file.write_text('# a comment\n\nFLY_GHA_STATUS_PORT=8090\nFLY_GHA_STATUS_PUBLIC_HOSTS=["a=b"]\n')
    assert list(read_settings(file)) == [
        ("FLY_GHA_STATUS_PORT", "8090"),
        ("FLY_GHA_STATUS_PUBLIC_HOSTS", '["a=b"]'),
    ]
    assert list(read_settings(tmp_path / "none")) == []


def test_a_line_that_is_no_setting_ends_the_start_with_its_number(tmp_path):
    file = tmp_path / "settings.env"
    file.write_text("# fine\nexport A=1\n")
    with pytest.raises(SystemExit, match="line 2: expected NAME=value"):
        list(read_settings(file))
