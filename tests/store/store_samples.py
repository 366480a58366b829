"""Rows to store in tests: whole and plausible, each field overridable."""

from functools import partial

from runners.model.nouns import Boot, Job, Machine, Runner
from runners.model.reason import Reason
from runners.model.states import JobState, MachineState, RunnerState
from runners.store import jobs, machines, runners

BY = {"actor": "test", "reason": Reason.DEMAND}


def a_job(number=1, **fields):
    values = {
        "id": number,
        "run_id": 70_000_000_000 + number,
        "run_attempt": 1,
        "name": "build (3.11)",
        "workflow_name": "ci",
        "repository": "acme/web",
        "installation_id": 42,
        "labels": ("fly-gha-medium", "ümlaut"),
        "head_branch": "main",
        "html_url": "https://github.test/acme/web/runs/1",
        "private": True,
        "pool": "gha-medium",
        "state": JobState.QUEUED,
        "conclusion": None,
        "created_at": 999.25,
        "accepted_at": 1000.0 + number,
    }
    return Job(**values | fields)


def a_machine(name="m-1", **fields):
    values = {
        "name": name,
        "pool": "gha-medium",
        "machine_class": "gha-medium",
        "image": "registry.test/runner@sha256:abc",
        "app": "app-a",
        "region": "iad",
        "fly_id": None,
        "state": MachineState.CREATING,
        "requested_at": 1000.0,
        "state_at": 1000.0,
    }
    return Machine(**values | fields)


def a_boot(machine_name="m-1", seq=1, **fields):
    return Boot(**{"machine_name": machine_name, "seq": seq, "launched_at": 1000.5} | fields)


def a_runner(name="m-1-1", machine_name="m-1", **fields):
    values = {
        "name": name,
        "pool": "gha-medium",
        "scope": "orgs/acme",
        "machine_name": machine_name,
        "boot_seq": 1,
        "registration": "jit",
        "state": RunnerState.REQUESTED,
        "requested_at": 1000.0,
        "state_at": 1000.0,
    }
    return Runner(**values | fields)


async def keep(store, *nouns):
    """Insert jobs, Machines and Runners in the order given; a Runner's Machine must be among the earlier."""
    for noun in nouns:
        table = {Job: jobs, Machine: machines, Runner: runners}[type(noun)]
        await store.run(partial(_insert, table, noun))


def _insert(table, noun, conn):
    table.insert(conn, noun, **BY)
