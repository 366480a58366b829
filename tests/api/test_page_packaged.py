"""A wheel has the page's templates and files: an installed dispatcher serves what a checkout does."""

import subprocess
import sys
import zipfile
from pathlib import Path

from runners.api.page.answers import ASSETS

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_holds_everything_the_page_is_made_of(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    page = ROOT / "runners/api/page"
    files = {
        path.relative_to(ROOT).as_posix() for path in page.rglob("*") if path.suffix in (".html", ".css")
    }
    files |= {f"runners/api/page/static/{name}" for name in ASSETS}
    assert len(files) > 15
    assert files <= held


def test_every_file_that_is_there_is_served():
    assert {path.name for path in (ROOT / "runners/api/page/static").iterdir()} == set(ASSETS)
