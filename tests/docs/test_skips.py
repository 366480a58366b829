"""No test is skipped unseen: a skip anywhere but in tests/live is a failure."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SKIPS = {
    "mark": "import pytest\n\n@pytest.mark.skip(reason='tired')\ndef test_one(): pass\n",
    "call": "import pytest\n\ndef test_one(): pytest.skip('tired')\n",
    "xfail": "import pytest\n\n@pytest.mark.xfail(reason='tired')\ndef test_one(): assert False\n",
    "module": "import pytest\npytest.skip('tired', allow_module_level=True)\n",
}


def test_a_test_that_skips_fails_the_suite_unless_it_is_a_live_one(tmp_path):
    for where in ("unit", "live"):
        folder = tmp_path / "tests" / where
        folder.mkdir(parents=True)
        for way, text in SKIPS.items():
            (folder / f"test_{where}_{way}.py").write_text(text)
    shutil.copy(ROOT / "tests/conftest.py", tmp_path / "tests/conftest.py")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--continue-on-collection-errors",
            "tests",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    assert done.returncode == 1, done.stdout
    line = re.compile(
        r"^tests/unit/test_unit_(\w+)\.py\S* did not run \((.*)\): only tests/live may skip$", re.MULTILINE
    )
    refused = line.findall(done.stdout)
    assert {way for way, _ in refused} == set(SKIPS)
    assert all("tired" in why for _, why in refused)
    assert "2 failed, 3 skipped, 1 xfailed, 2 errors" in done.stdout
