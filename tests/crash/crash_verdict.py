"""The verdict after a crash: the demo's judge over the simulators' journals, and what only crashes break."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from crash_burst import FAULTS, JOBS

from runners.cli.demo.judge import Check, judge
from runners.cli.demo.run import CAPS
from runners.planning.names import machine_of

Journals = Mapping[str, list[dict[str, Any]]]

ACCEPTED = 202


def verdict(journals: Journals, queued: Mapping[str, int], unfired: Sequence[str]) -> tuple[Check, ...]:
    """Every check of one world; all must be ok once it has come to rest."""
    return (
        *judge(
            journals["fly"],
            journals["github"],
            expected={queued[job.name]: job.expect for job in JOBS},
            lost={},
            unfired=unfired,
            armed=len(FAULTS),
            caps=CAPS,
        ),
        _ran_once(journals),
        _no_busy_machine_ended(journals),
        _removed_by_us(journals),
    )


def concluded(journals: Journals) -> set[int]:
    """The jobs that are over at GitHub."""
    return {entry["job_id"] for entry in journals["github"] if entry["kind"] == "job_completed"}


def left(journals: Journals, queued: Mapping[str, int]) -> list[str]:
    """Names of whatever is left, as the event log's targets name them."""
    machines = {entry["name"] for entry in journals["fly"] if entry["kind"] == "machine_created"}
    machines -= {entry["name"] for entry in journals["fly"] if entry["kind"] == "machine_destroyed"}
    runners = {entry["name"] for entry in journals["github"] if entry["kind"] == "runner_registered"}
    runners -= {entry["name"] for entry in journals["github"] if entry["kind"] == "runner_removed"}
    jobs = set(queued.values()) - concluded(journals)
    return sorted(
        [
            *(f"machine/{name}" for name in machines),
            *(f"runner/{name}" for name in runners),
            *(f"job/{job}" for job in jobs),
        ]
    )


def acknowledged(journals: Journals) -> set[int]:
    """The jobs whose webhook was answered 202: from then on they must not be forgotten."""
    return {
        entry["job_id"]
        for entry in journals["github"]
        if entry["kind"] == "webhook_sent" and entry["status"] == ACCEPTED
    }


def made(journals: Journals) -> dict[str, str]:
    """Every Machine that Fly ever made: its id by its name."""
    return {entry["name"]: entry["id"] for entry in journals["fly"] if entry["kind"] == "machine_created"}


def registered(journals: Journals) -> set[str]:
    """The names of all registrations that GitHub ever made."""
    return {entry["name"] for entry in journals["github"] if entry["kind"] == "runner_registered"}


def online(journals: Journals) -> set[str]:
    """The Runners that ever listened at GitHub."""
    return {entry["name"] for entry in journals["github"] if entry["kind"] == "runner_online"}


def _ran_once(journals: Journals) -> Check:
    starts = Counter(entry["job_id"] for entry in journals["github"] if entry["kind"] == "job_started")
    twice = [str(job) for job, count in starts.items() if count > 1]
    return Check("ran_once", not twice, f"started more than once: {', '.join(twice) or 'none'}")


def _no_busy_machine_ended(journals: Journals) -> Check:
    """No Machine was stopped or destroyed by us between the start and the end of a job on it."""
    spans: dict[str, list[float]] = {}
    for entry in journals["github"]:
        if entry["kind"] == "job_started":
            spans[machine_of(entry["runner"])] = [entry["at"], float("inf")]
        elif entry["kind"] == "job_completed" and machine_of(entry["runner"]) in spans:
            spans[machine_of(entry["runner"])][1] = entry["at"]
    killed = [
        entry["name"]
        for entry in journals["fly"]
        if entry["kind"] == "machine_exited" and entry["requested_stop"] and entry["name"] in spans
        if spans[entry["name"]][0] <= entry["at"] < spans[entry["name"]][1]
    ]
    return Check("no_busy_machine_ended", not killed, f"ended in mid-job: {', '.join(killed) or 'none'}")


def _removed_by_us(journals: Journals) -> Check:
    """A registration that only GitHub's own clean-up took away was a ghost of ours until then."""
    ghosts = [
        f"{entry['name']} {entry['why']}"
        for entry in journals["github"]
        if entry["kind"] == "runner_removed" and entry["why"] in ("expired", "offline")
    ]
    return Check("removed_by_us", not ghosts, f"left to GitHub's clean-up: {', '.join(ghosts) or 'none'}")
