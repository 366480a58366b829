"""What the boot agent promises on paper: its decisions as functions, its exit codes, its README."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from boot_world import BOOT

from machines.runner import boot
from runners.model.exits import EXIT_REASONS
from runners.model.reason import Reason

PACE = boot.Pace()


def test_every_exit_code_is_a_reason_and_the_model_has_the_same_table():
    assert {code: Reason(word) for code, word in boot.EXITS.items()} == dict(EXIT_REASONS)


def test_the_readme_lists_every_exit_code_with_its_reason():
    readme = BOOT.with_name("README.md").read_text()
    rows = dict(re.findall(r"^\| (\d+) \| `(\w+)` \|", readme, re.MULTILINE))
    assert rows == {str(code): word for code, word in boot.EXITS.items()}


def test_the_readme_lists_every_setting_the_agent_reads():
    source = BOOT.read_text() + BOOT.with_name("entry.py").read_text()
    own = set(re.findall(r'"(FLY_(?:GHA|API)_\w+)"', source))
    assert own == set(
        re.findall(r"^\| `(FLY_\w+)` \|", BOOT.with_name("README.md").read_text(), re.MULTILINE)
    )


def test_importing_the_agent_does_nothing_and_loads_only_the_standard_library():
    """A claim waits for it."""
    code = f"import sys; sys.path.insert(0, {str(BOOT.parent)!r}); import boot; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-I", "-S", "-c", code], text=True).split()
    assert "boot" in loaded
    assert not {"http.client", "ssl", "subprocess", "pathlib", "dataclasses", "threading"} & set(loaded)
    assert {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names) <= {"boot", "__main__"}


def test_waits_double_up_to_their_limit_and_chance_moves_them_by_half_at_most():
    waits = [boot.backoff(times, 1.0, PACE) for times in range(1, 9)]
    assert waits == [0.5, 1, 2, 4, 8, 10, 10, 10]
    assert boot.backoff(10_000, 0.0, PACE) == 5.0


@pytest.mark.parametrize(
    ("stamp", "skew"), [("105", 0), ("100", 0), ("110.0", 0), ("90", 10), ("130", 20), ("", 0), ("soon", 0)]
)
def test_a_server_time_within_the_exchange_is_no_skew(stamp, skew):
    assert boot.clock_skew(stamp, sent=100.0, received=110.0) == skew


def test_patience_is_endless_but_doubt_is_not():
    patient = boot.after_claim(503, False, {"back_off": 10_000, "doubt": 4}, 0.5, PACE)
    assert patient.act == "back_off"
    assert boot.after_claim(401, False, {"doubt": 3}, 0.5, PACE).act == "doubt"
    assert boot.after_claim(401, False, {"doubt": 4}, 0.5, PACE).act == "end"


@pytest.mark.parametrize(
    "text",
    [
        "ghs_16C7e42F292c6912E7710c838347Ae178B4a",
        "github_pat_11ABCDEFG0123456789_abcdefghijk",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln",
        "Authorization: Bearer x",
        "FlyV1 fm2_lJPECAAAAAAAAA",
        "AABBCCDDEEFFGGHHIIJJKKLLMMNNO",
        "q" * 100,
    ],
)
def test_what_looks_like_a_credential_is_masked(text):
    assert "***" in boot.mask(f"before {text} after", ())
    assert text not in boot.mask(f"before {text} after", ())


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20 10:00:00Z: Listening for Jobs",
        "gha-medium-7 in run 4711",
        "6b7f2f0e-5a39-4a0e-8d0c-0d4c3d8bb3aa",
    ],
)
def test_what_helps_is_not_masked(text):
    assert boot.mask(text, ()) == text


def test_the_agent_fits_in_one_readable_file():
    assert len(Path(boot.__file__).read_text().splitlines()) < 850
