"""The token file: private, changed in one step, and whole after two hands at once or a kill."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from token_world import Entropy, keep, token

from mcp_server import token_file
from mcp_server.token_file import TOKENS_MAX, TokenFile, TokensUnusable

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).parent
AS_NOBODY = 65534
# Adds tokens until it is told to stop, and says each id when its change is durable.
WRITER = """
import sys
from pathlib import Path
from token_world import Entropy, keep, token
entropy = Entropy(sys.argv[2])
for _ in range(int(sys.argv[3])):
    made = token(entropy)
    keep(Path(sys.argv[1]), made)
    print(made.token.id, flush=True)
"""


def writer(path, seed, count=10_000):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{HERE}"}
    command = [sys.executable, "-c", WRITER, str(path), seed, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def ids(path):
    return [each.id for each in TokenFile(path).read()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tokens.json"


def test_a_file_that_is_not_there_holds_no_tokens(path):
    assert TokenFile(path).read() is None
    assert TokenFile(path).stamp() is None


def test_what_was_written_is_read_and_nobody_else_can_read_it(path):
    made = token(repositories=("acme/*",), expires_at=2e9)
    keep(path, made)
    assert TokenFile(path).read() == (made.token,)
    assert path.stat().st_mode & 0o777 == 0o600
    assert made.text.get_secret_value().split("_", 2)[2] not in path.read_text()


def test_a_change_that_changes_nothing_writes_nothing(path):
    keep(path, token())
    before = TokenFile(path).stamp()
    assert TokenFile(path).change(lambda kept: (kept, "same")) == "same"
    assert TokenFile(path).stamp() == before


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o602, 0o644, 0o666, 0o601])
def test_a_file_that_others_can_touch_is_refused(path, mode):
    keep(path, token())
    path.chmod(mode)
    with pytest.raises(TokensUnusable, match="chmod 600"):
        TokenFile(path).read()
    with pytest.raises(TokensUnusable, match="chmod 600"):
        keep(path, token(Entropy("other")))


GOOD = json.loads(token().token.model_dump_json())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"version": 2, "tokens": []}',
        b'{"tokens": []}',
        b'{"version": 1, "tokens": [], "more": 1}',
        json.dumps({"version": 1, "tokens": [{**GOOD, "scope": "all"}]}).encode(),
        json.dumps({"version": 1, "tokens": [{**GOOD, "secret_hash": "hunter2"}]}).encode(),
        json.dumps({"version": 1, "tokens": [{**GOOD, "created_at": "soon"}]}).encode(),
        json.dumps({"version": 1, "tokens": [GOOD, GOOD]}).encode(),
        b" " * (token_file.BYTES_MAX + 1),
    ],
    ids=lambda value: repr(value[:40]),
)
def test_garbage_is_refused_in_one_sentence_that_quotes_nothing_of_it(path, content):
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(TokensUnusable) as refused:
        TokenFile(path).read()
    assert "hunter2" not in str(refused.value)
    assert "soon" not in str(refused.value)
    assert "\n" not in str(refused.value)
    with pytest.raises(TokensUnusable):
        keep(path, token())
    assert path.read_bytes() == content


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: os.mkfifo(path, 0o600)])
def test_what_is_no_regular_file_is_refused(path, make):
    make(path)
    path.chmod(0o700 if path.is_dir() else 0o600)
    with pytest.raises(TokensUnusable, match="regular file"):
        TokenFile(path).read()


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(TokensUnusable, match="directory"):
        keep(tmp_path / "none" / "tokens.json", token())


def test_more_tokens_than_fit_are_refused_and_the_file_stays(path):
    one = token()
    keep(path, one)
    with pytest.raises(TokensUnusable, match=str(TOKENS_MAX)):
        TokenFile(path).change(lambda kept: (kept * (TOKENS_MAX + 1), None))
    assert TokenFile(path).read() == (one.token,)


def test_the_new_file_is_durable_before_it_takes_the_name_and_then_the_name_is(path, monkeypatch):
    keep(path, token())
    steps = []
    sync, replace = os.fsync, Path.replace

    def synced(descriptor):
        steps.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        sync(descriptor)

    def replaced(self, target):
        steps.append(f"rename {self.name} {Path(target).name}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    keep(path, token(Entropy("second")))
    assert steps == [
        "sync tokens.json.new",
        "rename tokens.json.new tokens.json",
        f"sync {path.parent.name}",
    ]


def test_a_full_disk_leaves_the_file_as_it_was(path, monkeypatch):
    one, other = token(), token(Entropy("other"))
    keep(path, one)

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(TokensUnusable, match="No space left"):
            keep(path, other)
    assert TokenFile(path).read() == (one.token,)
    assert not path.with_name("tokens.json.new").exists()
    keep(path, other)
    assert len(ids(path)) == 2


def test_what_a_killed_predecessor_left_is_in_nobodys_way(path):
    left = path.with_name("tokens.json.new")
    left.write_text("half a docum")
    left.chmod(0o644)
    keep(path, token())
    assert len(ids(path)) == 1
    assert path.stat().st_mode & 0o777 == 0o600


def test_two_processes_at_once_lose_nothing(path):
    writers = [writer(path, seed, 40) for seed in ("a", "b")]
    said = [line for each in writers for line in each.communicate(timeout=60)[0].split()]
    assert [each.returncode for each in writers] == [0, 0]
    assert len(said) == 80
    assert sorted(ids(path)) == sorted(said)


def test_a_kill_in_the_middle_loses_no_token_that_was_promised(path):
    for round_ in range(4):
        process = writer(path, f"round {round_}")
        said = []
        for line in process.stdout:
            said.append(line.strip())
            if len(said) == 5 + round_:
                process.send_signal(signal.SIGKILL)
                break
        said += [line for line in process.stdout.read().split("\n") if re.fullmatch("[a-z2-7]{8}", line)]
        process.wait(timeout=30)
        process.stdout.close()
        assert set(said) <= set(ids(path))


def test_a_reader_sees_the_old_or_the_new_document_and_nothing_else(path):
    keep(path, token())
    done = threading.Event()
    sizes = []

    def read():
        while not done.is_set():
            sizes.append(len(TokenFile(path).read()))

    reader = threading.Thread(target=read)
    reader.start()
    entropy = Entropy("more")
    for _ in range(50):
        keep(path, token(entropy))
    done.set()
    reader.join()
    assert sizes == sorted(sizes)
    assert len(ids(path)) == 51


def test_a_symbolic_link_stays_one(path, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    path.symlink_to(tmp_path / "elsewhere" / "real.json")
    keep(path, token())
    assert path.is_symlink()
    assert len(ids(tmp_path / "elsewhere" / "real.json")) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_makes_tokens_for_the_user_that_the_server_runs_as(tmp_path):
    volume = tmp_path / "volume"
    volume.mkdir()
    os.chown(volume, AS_NOBODY, AS_NOBODY)
    path = volume / "tokens.json"
    keep(path, token())
    assert {each.stat().st_uid for each in volume.iterdir()} == {AS_NOBODY}
    os.chown(volume, 0, 0)
    keep(path, token(Entropy("second")))
    assert path.stat().st_uid == AS_NOBODY
