"""Incidents: what the fleet itself did wrong or lost, one for each reason, of what the reader may see."""

import pytest
from api_world import NOW

from runners.api import read_incidents
from runners.model.reason import Reason
from runners.model.refusal_notes import REASON_NOTES
from runners.planning.names import machine_name, runner_name
from runners.store import events
from runners.wire.incident import IncidentPage
from runners.wire.times import rfc3339


async def note(world, reason, *targets, at=NOW):
    def op(conn):
        for target in targets:
            events.append(conn, at=at, actor="planner", verb="moved", target=target, reason=reason)

    await world.store.run(op)


async def told(client, **query):
    answer = await client.get("/v1/incidents", params=query)
    assert answer.status_code == 200, answer.text
    return IncidentPage.model_validate(answer.json())


def counts(page):
    return {each.reason: each.count for each in page.incidents}


async def test_a_storm_of_one_failure_is_one_incident_with_a_count(world):
    for number in range(300):
        machine = machine_name("test", "gha-small", f"{number:010d}")
        runner = f"runner/{runner_name(machine, 1)}"
        at = NOW - 300 + number
        await note(world, Reason.NEVER_CLAIMED, f"machine/{machine}", runner, runner, at=at)
    (incident,) = (await told(await world.reader())).incidents
    assert (incident.reason, incident.count, incident.pools) == ("never_claimed", 300, ("gha-small",))
    assert (incident.first_at, incident.last_at) == (rfc3339(NOW - 300), rfc3339(NOW - 1))
    assert len(incident.targets) == 5
    assert incident.targets[0] == runner


async def test_what_is_ordinary_is_no_incident(world):
    await note(world, Reason.JOB_COMPLETED, "runner/r-1")
    await note(world, Reason.POOL_AT_MAX, "job/1")
    await note(world, Reason.TOKEN_FORGED, "claim")
    page = await told(await world.reader())
    assert (page.total, page.incidents, page.truncated) == (0, (), False)


async def test_an_incident_says_what_it_means_and_what_to_do(world):
    await note(world, Reason.MINT_REFUSED, "runner/r-1")
    (incident,) = (await told(await world.reader())).incidents
    known = REASON_NOTES["Why a Machine or a Runner ends"][Reason.MINT_REFUSED]
    assert (incident.meaning, incident.next_step) == (known.meaning, known.next_step)


async def test_what_happened_last_comes_first(world):
    await note(world, Reason.MINT_LOST, "runner/r-1", at=NOW - 20)
    await note(world, Reason.LAUNCH_LOST, "machine/m-1", at=NOW - 10)
    await note(world, Reason.MINT_LOST, "runner/r-2", at=NOW - 5)
    page = await told(await world.reader())
    assert [(each.reason, each.count) for each in page.incidents] == [("mint_lost", 2), ("launch_lost", 1)]
    assert page.incidents[0].targets == ("runner/r-2", "runner/r-1")
    assert (page.total, page.revision) == (2, 3)


async def test_what_has_no_handle_is_counted_by_event(world):
    await note(world, Reason.PAYLOAD_MALFORMED, "webhook", "webhook", "webhook")
    (incident,) = (await told(await world.reader())).incidents
    assert (incident.count, incident.targets, incident.pools) == (3, ("webhook",), ())


async def test_the_pools_are_told_by_name_or_by_row(world):
    await world.add_runner("r-1")
    await world.add_job(7, pool="gha-web")
    by_name = machine_name("test", "gha-medium", "0123456789")
    targets = ("machine/m-r-1", "runner/r-1", "job/7", f"machine/{by_name}", "job/99", "machine/gone")
    await note(world, Reason.MACHINE_LOST, *targets)
    (incident,) = (await told(await world.reader())).incidents
    assert incident.pools == ("gha-medium", "gha-small", "gha-web")


async def test_the_window_is_the_last_day_unless_asked_otherwise(world):
    for reason, age in ((Reason.MINT_LOST, 0), (Reason.LAUNCH_LOST, 86_399), (Reason.NEVER_ONLINE, 86_401)):
        await note(world, reason, "runner/r-1", at=NOW - age)
    client = await world.reader()
    page = await told(client)
    assert set(counts(page)) == {"mint_lost", "launch_lost"}
    assert (page.since, page.until) == (rfc3339(NOW - 86_400), rfc3339(NOW))
    assert set(counts(await told(client, since=NOW - 90_000, until=NOW - 80_000))) == {
        "launch_lost",
        "never_online",
    }


@pytest.mark.parametrize(
    "query",
    ["since=5&until=4", "since=1795000001", "since=0", "until=x", "limit=3", "since=2030-01-01T00:00:00Z"],
)
async def test_a_window_that_makes_no_sense_is_refused(world, query):
    assert (await (await world.reader()).get(f"/v1/incidents?{query}")).status_code == 422


@pytest.fixture
async def shared(world):
    """Two pools and three repositories that lost jobs, with the runners that lost them."""
    kinds = [("acme/api", "gha-small"), ("acme/secret", "gha-small"), ("acme/api", "gha-medium")]
    for number, (repository, pool) in enumerate(kinds, start=1):
        await world.add_job(number, repository=repository, pool=pool)
        await world.add_runner(f"r-{number}", pool=pool, job_id=number)
        await note(world, Reason.MACHINE_LOST, f"job/{number}", f"runner/r-{number}", f"machine/m-r-{number}")
    await note(world, Reason.PAYLOAD_MALFORMED, "webhook")
    return world


async def test_counts_targets_and_pools_are_of_what_may_be_seen(shared):
    whole = await told(await shared.reader())
    assert counts(whole) == {"machine_lost": 3, "payload_malformed": 1}
    page = await told(await shared.reader(repositories=("acme/api",), pools=("gha-small",)))
    assert counts(page) == {"machine_lost": 1}
    (incident,) = page.incidents
    assert incident.targets == ("machine/m-r-1", "runner/r-1", "job/1")
    assert (incident.pools, page.truncated) == (("gha-small",), False)


async def test_a_narrowed_reader_is_told_what_a_token_so_limited_is_told(shared):
    narrowed = await (await shared.reader()).get("/v1/incidents", headers={"x-fly-gha-pools": "gha-medium"})
    limited = await (await shared.reader(pools=("gha-medium",))).get("/v1/incidents")
    assert narrowed.json() == limited.json()
    assert counts(IncidentPage.model_validate(narrowed.json())) == {"machine_lost": 1}


async def test_who_sees_all_by_patterns_is_told_the_counts_of_who_is_not_limited(shared):
    """Counted in the database or one by one: the same numbers."""
    whole = await told(await shared.reader())
    listed = await told(await shared.reader(pools=tuple(pool.name for pool in shared.settings.pools)))
    by_reason = {each.reason: each for each in whole.incidents}
    assert listed.incidents == (by_reason["machine_lost"],)


async def test_a_limited_reader_is_told_when_not_everything_was_looked_through(shared, monkeypatch):
    monkeypatch.setattr(read_incidents, "SCANNED_MAX", 3)
    page = await told(await shared.reader(pools=("gha-small",)))
    assert page.truncated
    assert (await told(await shared.reader())).truncated is False
