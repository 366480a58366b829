#!/bin/sh
# Make the virtual environment with every dependency at its locked, hashed version (wheels only).
# usage: tools/setup.sh PYTHON VENV. Safe to run again: it finishes what an interrupted run began.
set -eu
python=$1
venv=$2
echo "setup: preparing $venv with the locked dependencies (about a minute the first time, once per lock)"

fail() {
    echo "setup: $1" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 ||
    fail "no '$python' on this machine: install Python 3.11 or newer, or name one with 'make setup PYTHON=/path/to/python3.11'."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "'$python' is $("$python" -V 2>&1), fly-gha needs 3.11 or newer: name one with 'make setup PYTHON=/path/to/python3.11'."
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    fail "this Python has no venv/ensurepip module: install it (Debian and Ubuntu: apt-get install python3-venv) and run make again."

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --no-deps --require-hashes -r requirements/dev.txt ||
    fail "the dependencies could not be installed (see above): check the network or the package index pip is set to, then run make again."
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . ||
    fail "the project itself could not be installed into $venv (see above)."
touch "$venv/.ready"
echo "setup: done"
