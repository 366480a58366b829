""".ci/run: the checks, then the README's test command, and a failure of either fails it."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def ci(folder, failing=""):
    """Run it with a make that only says what it was asked."""
    fake = folder / "make"
    fake.write_text(f'#!/bin/sh\necho "make $*"\n[ "$*" != "{failing}" ]\n')
    fake.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [ROOT / ".ci/run"], capture_output=True, text=True, check=False, env=environment, cwd=folder
    )


def test_it_checks_and_then_runs_the_tests(tmp_path):
    done = ci(tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^make .*$", done.stdout, re.MULTILINE) == ["make check", "make test"]
    assert done.stdout.splitlines()[0] == "ci: make check"
    assert done.stdout.splitlines()[-1] == "ci: all passed"


def test_a_failing_check_fails_it_before_the_tests(tmp_path):
    done = ci(tmp_path, failing="check")
    assert done.returncode != 0
    assert "make test" not in done.stdout
    assert "FAILED: make check" in done.stderr


def test_failing_tests_fail_it(tmp_path):
    done = ci(tmp_path, failing="test")
    assert done.returncode != 0
    assert "FAILED: make test" in done.stderr


def test_its_commands_are_those_of_the_readme():
    readme = (ROOT / "README.md").read_text()
    steps = re.findall(r"^step (.*)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert steps == ["make check", "make test"]
    assert all(re.search(rf"^{step}$", readme, re.MULTILINE) for step in steps)


def test_the_workflow_runs_it_with_pinned_actions_and_no_rights():
    workflow = (ROOT / ".github/workflows/ci.yml").read_text()
    assert "- run: .ci/run\n" in workflow
    assert "permissions:\n  contents: read\n" in workflow
    used = re.findall(r"uses: (\S+)", workflow)
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in used)
