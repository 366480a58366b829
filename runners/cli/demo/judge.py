"""Judge: the demo's verdict, from the simulators' own journals and never from the product's store."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Entries = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Check:
    """One question and its answer.

    Attributes:
        name: stable, for ``--json``.
        ok: whether the answer is as it must be.
        says: the answer in words.
    """

    name: str
    ok: bool
    says: str


@dataclass(frozen=True, slots=True)
class Caps:
    """The caps of the demo's fleet file."""

    fleet: int
    pools: Mapping[str, int]


def judge(
    fly: Entries,
    github: Entries,
    *,
    expected: Mapping[int, str],
    lost: Mapping[int, str | None],
    unfired: Sequence[str],
    armed: int,
    caps: Caps,
) -> tuple[Check, ...]:
    """The whole verdict.

    Args:
        fly: FlySim's journal.
        github: GitHubSim's journal.
        expected: by job id, the conclusion GitHub must come to.
        lost: by id of each job whose Machine dies, the Reason the dispatcher shows for it.
        unfired: faults that never fired.
        armed: how many were armed.
        caps: what must never be exceeded.
    """
    return (
        _faults(unfired, armed),
        _concluded(github, expected),
        _lost(lost),
        _machines(fly),
        _volumes(fly),
        _registrations(github),
        _caps(fly, caps),
        _limits(fly, github),
    )


def _faults(unfired: Sequence[str], armed: int) -> Check:
    if unfired:
        return Check("faults_fired", False, f"never fired: {'; '.join(unfired)}")
    return Check("faults_fired", True, f"all {armed} scripted faults fired")


def _concluded(github: Entries, expected: Mapping[int, str]) -> Check:
    came = {entry["job_id"]: entry["conclusion"] for entry in github if entry["kind"] == "job_completed"}
    open_jobs = [job for job in expected if job not in came]
    wrong = [f"{job} {came[job]}" for job, how in expected.items() if job in came and came[job] != how]
    if open_jobs or wrong:
        says = f"{len(open_jobs)} not concluded; otherwise than scripted: {', '.join(wrong) or 'none'}"
        return Check("jobs_concluded", False, says)
    counts = Counter(came[job] for job in expected)
    return Check(
        "jobs_concluded", True, ", ".join(f"{number} {how}" for how, number in sorted(counts.items()))
    )


def _lost(lost: Mapping[int, str | None]) -> Check:
    silent = [str(job) for job, reason in lost.items() if not reason]
    if silent:
        return Check("loss_explained", False, f"lost without a Reason: job {', '.join(silent)}")
    shown = ", ".join(f"job {job} is shown as lost: {reason}" for job, reason in lost.items())
    return Check("loss_explained", True, shown)


def _machines(fly: Entries) -> Check:
    alive = {entry["id"]: entry["name"] for entry in fly if entry["kind"] == "machine_created"}
    made = len(alive)
    for entry in fly:
        if entry["kind"] == "machine_destroyed":
            alive.pop(entry["id"], None)
    if alive:
        return Check(
            "no_live_machine", False, f"{len(alive)} still live: {', '.join(sorted(alive.values()))}"
        )
    return Check("no_live_machine", True, f"{made} Machines created, {made} gone")


def _volumes(fly: Entries) -> Check:
    made = {entry["id"] for entry in fly if entry["kind"] == "volume_created"}
    left = made - {entry["id"] for entry in fly if entry["kind"] == "volume_deleted"}
    if left:
        return Check("no_volume_left", False, f"{len(left)} left: {', '.join(sorted(left))}")
    return Check("no_volume_left", True, f"{len(made)} volumes created, {len(made)} deleted")


def _registrations(github: Entries) -> Check:
    left = {entry["runner_id"]: entry["name"] for entry in github if entry["kind"] == "runner_registered"}
    made = len(left)
    for entry in github:
        if entry["kind"] == "runner_removed":
            left.pop(entry["runner_id"], None)
    if left:
        return Check("no_registration_left", False, f"{len(left)} left: {', '.join(sorted(left.values()))}")
    return Check("no_registration_left", True, f"{made} registrations made, {made} gone")


def _caps(fly: Entries, caps: Caps) -> Check:
    most: dict[str, int] = dict.fromkeys(caps.pools, 0)
    most_fleet = 0
    for entry in fly:
        if entry["kind"] == "machine_created":
            most_fleet = max(most_fleet, entry["live"])
            pool = entry["pool"]
            most[pool] = max(most.get(pool, 0), entry["live_pool"])
    over = [
        f"{pool} {count} of {caps.pools.get(pool, 0)}"
        for pool, count in most.items()
        if count > caps.pools.get(pool, 0)
    ]
    if most_fleet > caps.fleet:
        over.append(f"fleet {most_fleet} of {caps.fleet}")
    if over:
        return Check("caps_held", False, f"exceeded: {', '.join(over)}")
    held = ", ".join(f"{pool} {count}/{caps.pools[pool]}" for pool, count in most.items())
    return Check("caps_held", True, f"most live at once: {held}, fleet {most_fleet}/{caps.fleet}")


def _limits(fly: Entries, github: Entries) -> Check:
    hits = [entry for entry in (*fly, *github) if entry["kind"] == "rate_limited"]
    if hits:
        return Check("limits_not_hit", False, f"{len(hits)} calls were rate-limited")
    return Check("limits_not_hit", True, "no call was rate-limited")
