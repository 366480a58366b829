from api_world import NOW, payload

from runners.model.reason import Reason
from runners.model.states import JobState, MachineState, RunnerState
from runners.store import events, jobs, machines, pools, runners
from runners.wire.event import EventPage
from runners.wire.job import JobAnswer, JobPage
from runners.wire.pool import PoolList, PoolView
from runners.wire.runner import RunnerHistory, RunnerPage
from runners.wire.status import FleetStatus
from runners.wire.usage import Usage


async def test_the_status_shows_supply_queue_caps_money_and_what_is_held(world):
    await world.add_runner("r-1", state=RunnerState.BUSY, busy_at=NOW - 20, job_id=9)
    await world.add_runner("r-2")
    for number in range(1, 5):
        await world.add_job(number, accepted_at=NOW - 50 + number, queued_at=NOW - 50 + number)
    await world.add_job(9, state=JobState.IN_PROGRESS)
    world.blocked_until = {"fly:app-a": NOW + 60, "github:acme": NOW - 1}
    await world.plan()
    status = FleetStatus.model_validate((await (await world.reader()).get("/v1/status")).json())
    assert (status.fleet, status.paused, status.max_machines) == ("test", False, 20)
    assert (status.queue.queued, status.queue.in_progress) == (4, 1)
    assert status.queue.oldest_queued_at == "2026-11-18T11:05:51.000Z"
    assert status.runners["busy"] == status.runners["idle"] == 1
    pool = status.pools[0]
    assert (pool.name, pool.live_machines, pool.room) == ("gha-small", 2, 0)
    assert pool.budget.spent_today_usd == 1.5
    held = {(entry.pool, entry.reason): entry.count for entry in status.held}
    assert held == {("gha-small", "pool_at_max"): 3}
    assert pool.held == status.held
    blocked = {each.key: each.blocked_until for each in status.upstreams}
    assert blocked["fly:app-a"] == "2026-11-18T11:07:40.000Z"
    assert blocked["github:acme"] is None
    assert [(loop.name, loop.state) for loop in status.loops] == [("planner", "ok")]


async def test_an_operators_overrides_show_at_once_and_as_overrides(world):
    await world.store.run(lambda conn: pools.set_override(conn, "gha-small", drained=True, max_machines=7))
    pool = PoolView.model_validate((await (await world.reader()).get("/v1/pools/gha-small")).json())
    assert (pool.drained, pool.max_machines, pool.overrides) == (True, 7, ("drained", "max_machines"))


async def test_the_etag_holds_until_something_but_the_time_changes(world):
    client = await world.reader()
    etag = (await client.get("/v1/status")).headers["etag"]
    world.clock.at += 5
    world.health[0] = type(world.health[0])("planner", 5.0, passes=2, last_pass_at=world.clock.now())
    again = await client.get("/v1/status", headers={"if-none-match": f'"other", {etag}'})
    assert (again.status_code, again.content) == (304, b"")
    await world.deliver(payload(1))
    changed = await client.get("/v1/status", headers={"if-none-match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


async def test_the_revision_only_grows(world):
    client = await world.reader()
    seen = []
    for number in range(1, 4):
        await world.deliver(payload(number))
        seen.append((await client.get("/v1/status")).json()["revision"])
    assert seen == sorted(set(seen))


async def test_pools_come_in_configuration_order(world):
    listed = PoolList.model_validate((await (await world.reader()).get("/v1/pools")).json())
    assert [pool.name for pool in listed.pools] == [pool.name for pool in world.settings.pools]


async def test_an_unknown_pool_is_not_found_and_near_names_are_offered(world):
    client = await world.reader()
    for route in ("/v1/pools/gha-smal", "/v1/jobs?pool=gha-smal", "/v1/runners?pool=gha-smal"):
        answer = await client.get(route)
        assert answer.status_code == 404
        assert "gha-small" in answer.json()["next_step"]


async def test_a_queued_job_has_a_why_a_place_and_a_forecast(world):
    await world.deliver(payload(1))
    client = await world.reader()
    early = JobAnswer.model_validate((await client.get("/v1/jobs/1")).json()).job
    assert (early.why.reason, early.forecast) == ("not_planned_yet", None)
    await world.plan()
    job = JobAnswer.model_validate((await client.get("/v1/jobs/1")).json()).job
    assert job.why.reason == "supply_on_its_way"
    assert job.position == 1
    assert (job.forecast.confidence, bool(job.forecast.basis)) == ("low", True)
    assert job.forecast.expected_start > job.accepted_at


async def test_a_finished_job_shows_its_way_by_phase(world):
    await world.add_runner("r-1", online_at=NOW - 30)
    await world.deliver(payload(1))
    world.clock.at += 2
    await world.deliver(payload(1, "in_progress", runner_name="r-1"))
    world.clock.at += 30
    await world.deliver(payload(1, "completed", runner_name="r-1", conclusion="success"))
    job = JobAnswer.model_validate((await (await world.reader()).get("/v1/jobs/1")).json()).job
    took = {phase.name: phase.seconds for phase in job.phases}
    assert list(took) == [
        "accepted", "requested", "started", "claimed", "online", "in_progress", "completed", "gone"
    ]  # fmt: skip
    # The runner was there before the job, which cost it nothing.
    assert (took["requested"], took["online"], took["in_progress"], took["completed"]) == (0, 0, 2, 30)
    assert (took["accepted"], took["gone"]) == (None, None)
    assert job.why is None


async def test_a_lost_job_says_why(world):
    await world.add_job(1, state=JobState.IN_PROGRESS)
    await world.store.run(lambda conn: jobs.update(conn, 1, lost=Reason.MACHINE_LOST))
    job = JobAnswer.model_validate((await (await world.reader()).get("/v1/jobs/1")).json()).job
    assert (job.lost, job.why.reason) == ("machine_lost", "machine_lost")


async def test_the_queue_is_listed_oldest_first_page_by_page(world):
    for number in (5, 3, 4, 1, 2):
        await world.add_job(number, accepted_at=NOW - number, queued_at=NOW - number)
    await world.add_job(9, state=JobState.COMPLETED)
    client = await world.reader()
    seen, cursor = [], None
    while True:
        query = {"order": "oldest", "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = JobPage.model_validate((await client.get("/v1/jobs", params=query)).json())
        seen += [job.id for job in page.jobs]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [5, 4, 3, 2, 1]


async def test_jobs_are_filtered_by_state_pool_repository_and_label(world):
    await world.add_job(1)
    await world.add_job(2, pool="gha-web", repository="acme/web", labels=("web",))
    await world.add_job(3, state=JobState.COMPLETED)
    client = await world.reader()

    async def ids(query):
        return [job["id"] for job in (await client.get(f"/v1/jobs?{query}")).json()["jobs"]]

    assert await ids("") == [3, 2, 1]
    assert await ids("state=queued&state=completed&pool=gha-small") == [3, 1]
    assert await ids("repository=ACME/web") == [2]
    assert await ids("label=WEB") == [2]
    assert await ids("order=oldest") == [1, 2]
    assert (await client.get("/v1/jobs?order=oldest&state=completed")).status_code == 422
    assert (await client.get("/v1/jobs?order=oldest&cursor=5")).status_code == 422


async def test_history_is_paged_by_cursor_without_gap_or_repeat(world):
    for number in range(1, 8):
        await world.add_job(number)
    client = await world.reader()
    seen, cursor = [], ""
    while cursor is not None:
        page = (await client.get(f"/v1/jobs?limit=3{cursor and '&cursor=' + cursor}")).json()
        seen += [job["id"] for job in page["jobs"]]
        cursor = page["next_cursor"]
    assert seen == [7, 6, 5, 4, 3, 2, 1]


async def test_a_runners_history_tells_its_machine_boot_end_and_events(world):
    await world.add_runner("r-1", online_at=NOW - 30)

    def end(conn):
        machines.update_boot(
            conn, "m-r-1", 1, ended_at=NOW, exit_code=26, exit_reason=Reason.EXIT_NEVER_ONLINE
        )
        machines.move(
            conn, "m-r-1", MachineState.GONE, at=NOW, actor="planner", reason=Reason.EXIT_NEVER_ONLINE
        )
        runners.move(conn, "r-1", RunnerState.RETIRING, at=NOW, actor="planner", reason=Reason.NEVER_ONLINE)
        runners.move(conn, "r-1", RunnerState.GONE, at=NOW, actor="planner", reason=Reason.NEVER_ONLINE)

    await world.store.run(end)
    client = await world.reader()
    told = RunnerHistory.model_validate((await client.get("/v1/runners/r-1")).json())
    assert (told.runner.state, told.exit_reason, told.boot.exit_code) == ("gone", "exit_never_online", 26)
    assert told.machine.state == "gone"
    assert [event.verb for event in told.events] == ["requested", "requested", "moved", "moved", "moved"]
    assert (await client.get("/v1/runners")).json()["runners"] == []
    gone = RunnerPage.model_validate((await client.get("/v1/runners?state=gone")).json())
    assert [runner.name for runner in gone.runners] == ["r-1"]


async def test_an_unknown_runner_is_not_found_and_near_names_are_offered(world):
    await world.add_runner("test-small-abcdefghij-1")
    answer = await (await world.reader()).get("/v1/runners/test-small-abcdefghix-1")
    assert answer.status_code == 404
    assert "test-small-abcdefghij-1" in answer.json()["next_step"]


async def test_events_are_followed_by_cursor_and_filtered(world):
    client = await world.reader()
    for number in (1, 2, 3):
        await world.deliver(payload(number))
    first = EventPage.model_validate((await client.get("/v1/events?limit=2")).json())
    rest = EventPage.model_validate((await client.get(f"/v1/events?cursor={first.next_cursor}")).json())
    assert [event.target for event in (*first.events, *rest.events)] == ["job/1", "job/2", "job/3"]
    await world.deliver(payload(4))
    news = EventPage.model_validate((await client.get(f"/v1/events?cursor={rest.next_cursor}")).json())
    assert [event.target for event in news.events] == ["job/4"]
    only = (await client.get("/v1/events?target=job/2&verb=accepted&actor=webhook")).json()["events"]
    assert [event["target"] for event in only] == ["job/2"]
    latest = (await client.get("/v1/events?order=newest&limit=1")).json()
    assert latest["events"][0]["target"] == "job/4"
    older = (await client.get(f"/v1/events?order=newest&limit=1&cursor={latest['next_cursor']}")).json()
    assert older["events"][0]["target"] == "job/3"


async def test_an_events_text_is_shown_harmless(world):
    hostile = {"target": "pool/gha-small", "reason": Reason.OBSERVED, "detail": "x\u202ey\x1b[0m"}
    await world.store.run(lambda conn: events.append(conn, at=NOW, actor="planner", verb="moved", **hostile))
    (event,) = (await (await world.reader()).get("/v1/events")).json()["events"]
    assert event["detail"] == "xy[0m"


async def test_usage_counts_minutes_and_money_by_what_is_asked(world):
    await world.add_runner("r-1", state=RunnerState.BUSY, busy_at=NOW - 30, job_id=1)
    await world.add_runner("r-2", pool="gha-medium")
    await world.add_job(1, state=JobState.IN_PROGRESS)
    world.clock.at += 90
    client = await world.reader()
    told = Usage.model_validate((await client.get("/v1/usage?by=repository&by=workflow")).json())
    busy, idle = sorted(told.rows, key=lambda row: -row.jobs)
    assert (busy.repository, busy.workflow, busy.jobs, busy.busy_minutes) == ("acme/api", "CI", 1, 2.0)
    assert (idle.repository, idle.busy_minutes) == ("", 0)
    assert told.total.machine_minutes == 2 * 135 / 60
    assert told.total.usd == round(2 * 135 / 3600 * 0.6, 6)
    by_pool = Usage.model_validate((await client.get("/v1/usage")).json())
    assert {row.pool for row in by_pool.rows} == {"gha-small", "gha-medium"}


async def test_usage_by_day_splits_at_midnight_and_sums_to_the_total(world):
    await world.add_runner("r-1", state=RunnerState.BUSY, busy_at=NOW, job_id=1)
    await world.add_job(1, state=JobState.IN_PROGRESS)
    world.clock.at += 86_400
    query = {"by": "day", "since": str(NOW - 86_400)}
    told = Usage.model_validate((await (await world.reader()).get("/v1/usage", params=query)).json())
    assert sorted(row.day for row in told.rows) == ["2026-11-18", "2026-11-19"]
    assert sum(row.jobs for row in told.rows) == told.total.jobs == 1
    assert abs(sum(row.machine_minutes for row in told.rows) - told.total.machine_minutes) < 0.01


async def test_a_usage_window_must_make_sense(world):
    client = await world.reader()
    for query in (
        "since=2030-01-01T00:00:00Z",
        "since=0",
        "since=yesterday",
        "by=colour",
        "until=2026-11-01",
    ):
        assert (await client.get(f"/v1/usage?{query}")).status_code == 422


async def test_a_job_that_the_gate_failed_says_why_and_one_that_failed_by_itself_does_not(world):
    client = await world.reader()
    for job_id, name, refused in ((1, "r-1", True), (2, "r-2", False)):
        await world.add_runner(name)
        ours = {"runner_id": job_id, "runner_name": name}
        await world.deliver(payload(job_id, "in_progress", **ours))
        await world.deliver(payload(job_id, "completed", conclusion="failure", **ours))
        if refused:
            await world.store.run(
                lambda conn: events.append(
                    conn, at=NOW, actor="hook", verb="refused", target="runner/r-1",
                    reason=Reason.GATE_REFUSED, detail="its event is in no list of the pool; run 10",
                )
            )  # fmt: skip
    first = JobAnswer.model_validate((await client.get("/v1/jobs/1")).json()).job
    assert first.why.text == "gate_refused: its event is in no list of the pool; run 10"
    assert JobAnswer.model_validate((await client.get("/v1/jobs/2")).json()).job.why is None
