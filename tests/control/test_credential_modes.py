"""Every way to register with every way of access to GitHub, through one whole fleet."""

import json
from contextlib import asynccontextmanager

import pytest

from runners.model.reason import Reason
from tests.fleet_world import APP_ID, APP_KEY, open_world, pool, private_pem
from tests.fly.test_macaroon import ORG, macaroon

MODES = ["published", "lease", "app"]
JIT, REGISTRATION = "/generate-jitconfig$", "/registration-token$"
OPENER = {"INFISICAL_CLIENT_ID": "id-dispatcher", "INFISICAL_CLIENT_SECRET": "s3cret-dispatcher"}


@asynccontextmanager
async def fleet_with(tmp_path, credentials, registration="jit", *, prepare=lambda _world: None, **github):
    """A fleet in that mode; ``prepare`` changes its world before credentials are read."""
    sections = {"github": {"credentials": credentials, "app_id": str(APP_ID), **github}}
    if credentials == "lease":
        sections["github"]["api_url"] = "http://127.0.0.1"
        sections["fleet"] = {"secrets": "infisical"}
        sections["infisical"] = {"project_slug": "proj-slug"}
    pools = [pool(registration=registration)]
    async with open_world(tmp_path, pools=pools, **sections) as world:
        if credentials != "published":
            world.environ.pop("GITHUB_INSTALLATION_TOKEN_ACME")
            world.environ.pop("GITHUB_REGISTRATION_TOKEN_ACME")
        if credentials == "app":
            world.environ["GITHUB_APP_PRIVATE_KEY"] = private_pem(APP_KEY)
        world.environ.update(OPENER)
        prepare(world)
        await world.first_readings(world.fleet)
        yield world


@pytest.mark.parametrize("registration", ["jit", "token", "auto"])
@pytest.mark.parametrize("credentials", MODES)
async def test_a_job_runs_and_all_is_gone_afterwards(tmp_path, credentials, registration):
    async with fleet_with(tmp_path, credentials, registration) as world:
        assert world.fleet.missing_credentials() == {}
        agent = await world.booted("build")
        await agent.listen()
        job = await agent.begin()
        assert job is not None
        world.pass_time(4)
        await world.deliver()
        await agent.finish(job)

        async def nothing_left():
            return not any(await world.rows()) and not world.github.registrations.all()

        await world.until(nothing_left)
        assert (await world.job(job.id)).conclusion == "success"
        leases = len(world.infisical.journal.of("lease_created"))
        assert leases == (1 if credentials == "lease" else 0)


@pytest.mark.parametrize("registration", ["token", "auto"])
@pytest.mark.parametrize("credentials", MODES)
async def test_a_burst_by_token_costs_at_most_one_registration_token(tmp_path, credentials, registration):
    writes = 1 if registration == "auto" else 150  # auto turns to tokens once the minute's writes are spent
    async with fleet_with(tmp_path, credentials, registration, writes_per_minute=writes) as world:
        await world.arrive(*(f"job-{number}" for number in range(6)))
        for _ in range(8):
            await world.plan()
            world.pass_time(2.0)
        kinds = [runner.registration for runner in await world.runners()]
        assert len(kinds) == 6
        assert kinds.count("jit") == (1 if registration == "auto" else 0)
        assert world.net.count("POST", JIT) == kinds.count("jit")
        assert world.net.count("POST", REGISTRATION) == (0 if credentials == "published" else 1)


@pytest.mark.parametrize("credentials", ["lease", "app"])
async def test_what_keeps_a_mode_from_its_token_is_known_before_anything_is_booted(tmp_path, credentials):
    def suspend(world):
        world.net.rule("answer", "POST", "/access_tokens$", status=403, body={"message": "suspended"})
        world.infisical.faults.add("plan_restriction", times=100)

    async with fleet_with(tmp_path, credentials, prepare=suspend) as world:
        why = world.fleet.missing_credentials()["github:acme"]
        assert "next: " in why
        await world.arrive("build")
        await world.plan(2)
        assert world.net.count("POST", "/machines$") == 0
        (held,) = world.fleet.latest.whys.values()
        assert held.reason is Reason.CREDENTIAL_MISSING
        assert why in held.detail
        # It is noticed within a period that it was put right.
        world.net.mend()
        world.infisical.faults.all()[0].times = 1
        world.clock.time += world.settings.timing.credentials_period
        await world.first_readings(world.fleet)
        assert world.fleet.missing_credentials() == {}
        await world.plan(2)
        assert world.net.count("POST", "/machines$") == 1


async def test_a_published_token_that_github_refuses_is_read_anew_at_once(tmp_path):
    async with fleet_with(tmp_path, "published") as world:
        old = json.loads(world.environ["GITHUB_INSTALLATION_TOKEN_ACME"])["token"]
        world.environ.update(world.credentials())  # the publisher has put a new one there
        del world.github.tokens._installation[old]  # and GitHub knows the old one no longer
        agent = await world.booted("build")
        assert (await agent.take())["registration"]["kind"] == "jit"
        assert not await world.events(reason=Reason.MINT_REFUSED)


async def test_a_token_that_was_not_renewed_is_an_incident_while_it_still_works(tmp_path):
    async with fleet_with(tmp_path, "published") as world:
        name, timing = "GITHUB_INSTALLATION_TOKEN_ACME", world.settings.timing

        async def passes(left):
            token = json.loads(world.environ[name])["token"]
            world.environ[name] = json.dumps({"token": token, "expires_at": world.clock.now() + left})
            await world.fleet._loop("credentials").once()
            return [event.target for event in await world.events(reason=Reason.CREDENTIAL_AGEING)]

        # Due, noticed a period later, read a period later: nothing is wrong yet.
        assert await passes(timing.token_refresh_margin - 3 * timing.credentials_period) == []
        assert await passes(timing.token_refresh_margin - 5 * timing.credentials_period) == [name]
        assert await passes(200) == [name], "one event for one trouble"
        assert world.fleet.missing_credentials() == {}
        readiness = (await world.http.get("/readyz")).json()
        (check,) = [each for each in readiness["checks"] if each["name"] == "credentials"]
        assert (check["ok"], check["detail"]) == (True, f"not replaced in time: {name} (3 min)")
        (event,) = await world.events(reason=Reason.CREDENTIAL_AGEING)
        assert event.detail == f"{name} was not replaced in time: its end is in 8 min"
        assert await passes(3600) == [name]
        assert await passes(100) == [name, name], "the next trouble is a new one"


@pytest.mark.parametrize(("days", "late"), [(8, []), (6, ["FLY_API_TOKEN"]), (-1, ["FLY_API_TOKEN"])])
async def test_a_fly_token_that_ends_within_a_week_is_told_at_the_start(tmp_path, days, late):
    def soon(world):
        ends_at = int(world.clock.now() + days * 86_400)
        world.environ["FLY_API_TOKEN"] = f"FlyV1 {macaroon(*ORG, 4, [0, ends_at])}"

    async with fleet_with(tmp_path, "published", prepare=soon) as world:
        told = await world.events(reason=Reason.CREDENTIAL_AGEING)
        assert [event.target for event in told] == late
        assert list(world.fleet.ageing_credentials()) == late


@pytest.mark.parametrize("credentials", ["lease", "app"])
async def test_a_token_of_ones_own_that_cannot_be_renewed_is_told_before_it_ends(tmp_path, credentials):
    async with fleet_with(tmp_path, credentials) as world:
        world.net.rule("answer", "POST", "/access_tokens$", status=500)
        world.infisical.faults.add("server_error", times=100, action="lease")
        for seconds, told in ((3010, 0), (200, 1)):
            world.clock.time += seconds
            await world.fleet._loop("credentials").once()
            events = await world.events(reason=Reason.CREDENTIAL_AGEING)
            assert len(events) == told
            assert world.fleet.missing_credentials() == {}


@pytest.mark.parametrize("credentials", MODES)
async def test_without_the_right_to_delete_a_claimed_machine_lives_until_max_lifetime(tmp_path, credentials):
    # By token: an idle JIT registration is removed by GitHub itself after some minutes.
    async with fleet_with(tmp_path, credentials, "token") as world:
        agent = await world.booted("build")
        await agent.listen()
        (job,) = world.github.queue.jobs.values()
        world.github.queue.cancel(job.id)
        world.pass_time(5)
        await world.deliver()
        world.net.rule("answer", "DELETE", "/actions/runners/", status=403, body={"message": "no"})
        for _ in range(20):
            agent.wait(world.settings.timing.idle_timeout)
            await world.read_lists()
            await world.plan()
        assert world.net.count("DELETE", "/actions/runners/") > 0
        assert world.net.count("DELETE", "/machines/") == 0
        world.clock.time += world.settings.timing.max_lifetime
        await world.plan(2)
        assert world.net.count("DELETE", "/machines/") == 1
