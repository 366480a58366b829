r"""Names of Machines and Runners: ``<fleet>-<pool>-<id>`` and ``<machine>-<n>``; made once, never reused.

Fly allows lower-case letters, digits and dashes (under 63); GitHub allows 64 characters without
``" / : < > \ | * ?``. A fleet or pool name is at most 30 long, so both fit.
"""

import re
from collections.abc import Iterable

ID_LENGTH = 10
_RUNNER = re.compile(rf"^([a-z0-9-]+-[a-z0-9]{{{ID_LENGTH}}})-(\d+)$")
NAME_MAX = 62


def machine_name(fleet: str, pool: str, unique: str) -> str:
    """The name of a new Machine; ``unique`` is ID_LENGTH lower-case letters and digits."""
    room = NAME_MAX - len(fleet) - ID_LENGTH - len("---99")
    return f"{fleet}-{pool[:room].rstrip('-')}-{unique}"


def runner_name(machine: str, count: int) -> str:
    """The name of the ``count``-th Runner on a Machine (a lost mint makes a second one)."""
    return f"{machine}-{count}"


def is_fleet_name(name: str) -> bool:
    """Whether a registration's name has the form of a Runner's name."""
    return _RUNNER.match(name) is not None


def is_runner_of(fleet: str, pools: Iterable[str], name: str) -> bool:
    """Whether a registration's name is one that this fleet gives in one of these pools.

    The pools matter: ``ci-2-web-…`` begins like a Runner of fleet ``ci`` and belongs to fleet ``ci-2``.
    """
    match = _RUNNER.match(name)
    stem = match.group(1)[:-ID_LENGTH] if match else ""
    return any(stem == machine_name(fleet, pool, "") for pool in pools)


def machine_of(runner: str) -> str:
    """The Machine a Runner's name speaks of; the name itself when it has another form."""
    match = _RUNNER.match(runner)
    return match.group(1) if match else runner
