"""Where Chromium is on this machine; on a Debian without one, as root, its package is installed."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HINT = (
    "the browser tests need Chromium: install it (Debian: apt-get install chromium) or name its program in "
    "FLY_GHA_CHROMIUM"
)
INSTALL_S = 600


def chromium(environ=os.environ, which=shutil.which, run=subprocess.run, root=None):
    """The program's path.

    Raises:
        RuntimeError: there is none, and none could be installed; it says what to do.
    """
    named = environ.get("FLY_GHA_CHROMIUM")
    if named:
        found = which(named)
        if found is None:
            raise RuntimeError(f"FLY_GHA_CHROMIUM={named} is no program; {HINT}")
        return found
    found = _found(which)
    if found is None and which("apt-get") and (os.geteuid() == 0 if root is None else root):
        print("tests: installing Debian's Chromium, once; this takes a minute or two", file=sys.stderr)  # noqa: T201
        for command in (
            ["apt-get", "update"],
            ["apt-get", "install", "-y", "--no-install-recommends", "chromium"],
        ):
            quiet = {**environ, "DEBIAN_FRONTEND": "noninteractive"}
            run(command, check=False, capture_output=True, timeout=INSTALL_S, env=quiet)
        found = _found(which)
    if found is None:
        raise RuntimeError(HINT)
    return found


def _found(which):
    return next((path for name in NAMES if (path := which(name))), None)


if __name__ == "__main__":
    # Before the tests, since each of them has less time than an installation takes.
    try:
        chromium()
    except RuntimeError as missing:
        sys.exit(str(missing))
