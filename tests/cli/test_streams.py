"""Verbs whose standard streams are closed, or on a full disk, end with a sentence or in silence."""

import subprocess

import pytest
from cli_world import BIN, environment

CLOSED = 'exec "$@" <&- >&- 2>"$errors"'
INIT = ("--org", "acme", "--fly-org", "acme", "--public-url", "https://x.example", "--infisical-project", "p")


def ran(folder, how, *arguments):
    """The exit code, and what was said to standard error."""
    errors = folder / "errors"
    done = subprocess.run(
        ["sh", "-c", how, "sh", str(BIN / "fly-gha"), *arguments],
        env={**environment(), "errors": str(errors)},
        cwd=folder,
        check=False,
    )
    return done.returncode, errors.read_text()


@pytest.mark.parametrize("verb", ["init", "doctor", "restore"])
def test_a_verb_whose_streams_are_closed_does_its_work_without_a_traceback(tmp_path, verb):
    (tmp_path / "errors").touch()
    arguments = {"init": ("init", "here", *INIT), "doctor": ("doctor",), "restore": ("restore", "x.db")}
    code, said = ran(tmp_path, CLOSED, *arguments[verb])
    assert code == {"init": 0, "doctor": 1, "restore": 2}[verb]
    assert "Traceback" not in said
    assert (tmp_path / "here/fleet.toml").exists() == (verb == "init")


def test_output_that_no_disk_takes_is_one_sentence_and_what_was_done_stays_done(tmp_path):
    code, said = ran(tmp_path, 'exec "$@" >/dev/full 2>"$errors" </dev/null', "init", "here", *INIT)
    assert code == 3
    assert said == ("The output could not be written: No space left on device. What was done stays done.\n")
    assert (tmp_path / "here/fleet.toml").exists()


def test_a_directory_whose_name_is_too_long_is_told(tmp_path):
    code, said = ran(tmp_path, 'exec "$@" 2>"$errors" </dev/null', "init", "x" * 300, *INIT)
    assert code == 3
    assert "could not be written: File name too long" in said
