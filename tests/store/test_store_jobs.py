"""Jobs: what comes back is what was stored; live jobs, pages, and what sweeps ask for."""

from store_samples import BY, a_job, keep

from runners.model.reason import Reason
from runners.model.states import JobState
from runners.store import events, jobs

FULL = {
    "installation_id": None,
    "pool": None,
    "conclusion": "success",
    "queued_at": 1000.125,
    "in_progress_at": 1001.000001,
    "completed_at": 1_790_000_000.123456,
    "runner_name": "m-1-1",
    "not_before": 5.5,
    "deferrals": 2,
    "lost": Reason.MACHINE_LOST,
    "refused": Reason.LABELS_UNKNOWN,
}


async def test_a_job_comes_back_as_it_was_stored(store):
    big = a_job(2**62, **FULL)
    await keep(store, a_job(), big)
    assert await store.run(lambda conn: jobs.get(conn, 1)) == a_job()
    assert await store.run(lambda conn: jobs.get(conn, 2**62)) == big
    assert await store.run(lambda conn: jobs.get(conn, 3)) is None


async def test_a_known_job_is_not_inserted_again_and_writes_no_event(store):
    def twice(conn):
        first = jobs.insert(conn, a_job(), detail="by webhook", external_id="guid-1", **BY)
        return first, jobs.insert(conn, a_job(deferrals=9), **BY)

    assert await store.run(twice) == (True, False)
    assert await store.run(lambda conn: jobs.get(conn, 1)) == a_job()
    (event,) = await store.run(events.page)
    assert (event.at, event.verb, event.target) == (a_job().accepted_at, "accepted", "job/1")
    assert (event.detail, event.external_id) == ("by webhook", "guid-1")


async def test_a_job_that_is_not_served_is_written_down_as_refused(store):
    await keep(store, a_job(refused=Reason.LABELS_UNKNOWN))
    assert [event.verb for event in await store.run(events.page)] == ["refused"]


async def test_live_jobs_are_unfinished_and_served_oldest_accepted_first(store):
    await keep(
        store,
        a_job(1, accepted_at=30.0),
        a_job(2, accepted_at=10.0, state=JobState.IN_PROGRESS),
        a_job(3, accepted_at=10.0, state=JobState.WAITING),
        a_job(4, state=JobState.COMPLETED),
        a_job(5, refused=Reason.REPOSITORY_NOT_ALLOWED),
    )
    assert [job.id for job in await store.run(jobs.live)] == [2, 3, 1]


async def test_update_sets_fields_and_says_whether_the_job_is_known(store):
    await keep(store, a_job())
    assert await store.run(lambda conn: jobs.update(conn, 1, not_before=7.0, lost=Reason.MACHINE_LOST))
    assert await store.run(lambda conn: jobs.update(conn, 2, not_before=7.0)) is False
    assert await store.run(lambda conn: jobs.get(conn, 1)) == a_job(not_before=7.0, lost=Reason.MACHINE_LOST)


async def test_pages_go_back_from_the_newest_and_filters_take_one_or_several(store):
    await keep(
        store,
        a_job(1, repository="acme/api"),
        a_job(2, state=JobState.COMPLETED),
        a_job(3, pool="gha-large"),
        a_job(4, refused=Reason.LABELS_UNKNOWN, pool=None),
    )

    async def ids(**filters):
        return [job.id for job in await store.run(lambda conn: jobs.page(conn, **filters))]

    assert await ids() == [4, 3, 2, 1]
    assert await ids(limit=2) == [4, 3]
    assert await ids(limit=2, after=3) == [2, 1]
    assert await ids(state=JobState.COMPLETED) == [2]
    assert await ids(state={JobState.COMPLETED, JobState.QUEUED}, pool="gha-medium") == [2, 1]
    assert await ids(pool=["gha-large", "gha-medium"]) == [3, 2, 1]
    assert await ids(repository="acme/api") == [1]
    assert await ids(repository={"acme/api", "acme/none"}) == [1]
    assert await ids(repository=()) == []


async def test_recent_repositories_are_those_served_lately_or_with_an_open_job_each_once(store):
    await keep(
        store,
        a_job(1, repository="acme/web", accepted_at=100.0),
        a_job(2, repository="acme/web", accepted_at=101.0, state=JobState.COMPLETED),
        a_job(3, repository="acme/api", accepted_at=100.0),
        a_job(4, repository="acme/old", accepted_at=99.9, state=JobState.COMPLETED),
        a_job(6, repository="acme/open", accepted_at=1.0, state=JobState.QUEUED),
        a_job(5, repository="evil/fork", accepted_at=200.0, refused=Reason.REPOSITORY_NOT_ALLOWED),
    )
    found = await store.run(lambda conn: jobs.recent_repositories(conn, 100.0))
    assert found == ("acme/api", "acme/open", "acme/web")


async def test_by_runner_finds_the_latest_job_of_that_runner(store):
    await keep(store, a_job(1, runner_name="r"), a_job(2, runner_name="r"), a_job(3))
    assert (await store.run(lambda conn: jobs.by_runner(conn, "r"))).id == 2
    assert await store.run(lambda conn: jobs.by_runner(conn, "none")) is None
