"""The whole: the canary workflow, on a fleet whose dispatcher runs, to its end and to nothing left."""

import asyncio
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest
from live_settings import CANARY_REF, CANARY_REPOSITORY, CANARY_TOKEN_FILE, CANARY_WORKFLOW, told
from pydantic import SecretStr
from throwaway import OWNER

from runners.github.calls import Call, Calls
from runners.github.client import TIMEOUT_S
from runners.github.runs import Runs
from runners.planning.names import is_runner_of, machine_of
from runners.upstream.clock import SystemClock

pytestmark = [
    pytest.mark.needs(CANARY_REPOSITORY, CANARY_TOKEN_FILE),
    pytest.mark.canary,
    pytest.mark.timeout(2400),
]


@dataclass
class PersonsToken:
    """A TokenSource of one token: the App may read runs, and only a person may start one."""

    value: SecretStr

    async def token(self, owner: str) -> SecretStr:
        return self.value

    async def app_jwt(self) -> None:
        return None

    async def registration_token(self, scope: str) -> None:
        return None


@pytest.fixture
def calls(live):
    path = Path(told(CANARY_TOKEN_FILE))
    assert not stat.S_IMODE(path.stat().st_mode) & 0o077, f"others may read {path}: chmod 600"
    github = live.settings.github
    return Calls(
        live.connections.transports[1],
        PersonsToken(SecretStr(path.read_text().strip())),
        SystemClock(),
        api_url=github.api_url,
        api_version=github.api_version,
        timeout=TIMEOUT_S,
    )


@pytest.mark.only_reality(
    "everything that the canary's own checks say of Machines, Docker, disks and network"
)
async def test_the_canary_is_green_and_leaves_nothing(live, calls):
    repository, marker = told(CANARY_REPOSITORY), f"{OWNER}-{live.run}"
    owner = repository.partition("/")[0]
    base = f"/repos/{repository}/actions"
    body = {"ref": told(CANARY_REF), "inputs": {"marker": marker}}
    start = f"{base}/workflows/{told(CANARY_WORKFLOW)}/dispatches"
    await calls.good(Call("POST", start, "start the canary workflow", owner, body=body))

    async def run():
        call = Call("GET", f"{base}/runs", "find the canary's run", owner, {"event": "workflow_dispatch"})
        runs = await calls.pages(
            call, "workflow_runs", lambda each: (each.text("display_title"), each.whole("id"))
        )
        return next((number for title, number in runs if marker in title), None)

    run_id = await live.until(run, within=120)
    github = Runs(calls)

    async def ended():
        jobs = await github.jobs_of_run(repository, run_id)
        return jobs if jobs and all(job.status == "completed" for job in jobs) else None

    jobs = await live.until(ended)
    for job in jobs:
        live.say(f"{job.name}: {job.conclusion} on {job.runner_name}; {job.html_url}")
    assert {job.conclusion for job in jobs} == {"success"}
    pools = [pool.name for pool in live.settings.pools]
    names = {job.runner_name for job in jobs}
    assert all(is_runner_of(live.settings.fleet.name, pools, name) for name in names), names
    await live.until(lambda: nothing_left(live, names), within=300)


async def nothing_left(live, names):
    """Whether neither GitHub nor Fly has anything of those runners."""
    pools = live.settings.pools
    registered, machines = await asyncio.gather(
        asyncio.gather(
            *(live.connections.github.list_runners(scope) for scope in {pool.scope for pool in pools})
        ),
        asyncio.gather(
            *(live.connections.provider.list(app) for app in {app for pool in pools for app in pool.apps})
        ),
    )
    left = {runner.name for scope in registered for runner in scope}
    made = {machine.name for app in machines for machine in app if not machine.ended}
    return not names & left and not {machine_of(name) for name in names} & made
