"""Retention removes what is finished and old, and nothing that lives."""

from functools import partial

from store_samples import BY, a_boot, a_job, a_machine, a_runner, keep

from runners.model.reason import Reason
from runners.model.states import JobState, MachineState, RunnerState
from runners.store import deliveries, events, jobs, machines, retention, runners, sealed
from runners.store.retention import Purged


async def test_live_rows_stay_however_old_they_are(store):
    old = {"requested_at": 1.0, "state_at": 1.0}
    living = [
        *(
            a_job(n, accepted_at=1.0, state=state)
            for n, state in enumerate(JobState, 1)
            if state is not JobState.COMPLETED
        ),
        *(
            a_machine(f"m-{s}", state=s, boot=a_boot(f"m-{s}"), **old)
            for s in MachineState
            if s is not MachineState.GONE
        ),
        *(a_runner(f"r-{s}", "m-bound", state=s, **old) for s in RunnerState if s is not RunnerState.GONE),
    ]
    await keep(store, *living)
    await store.run(lambda conn: sealed.put(conn, "r-booting", b"x", 1.0))

    purged = await store.run(partial(retention.purge, before=1e9))

    assert (purged.jobs, purged.machines, purged.runners) == (0, 0, 0)
    assert len(await store.run(jobs.live)) == 3
    kept = await store.run(machines.live)
    assert len(kept) == 5
    assert all(machine.boot is not None for machine in kept)
    assert len(await store.run(runners.live)) == 7
    assert await store.run(lambda conn: sealed.get(conn, "r-booting")) is not None


async def test_what_finished_before_the_time_goes_and_what_finished_later_stays(store):
    await keep(
        store,
        a_job(1, state=JobState.COMPLETED, completed_at=99.0),
        a_job(2, state=JobState.COMPLETED, completed_at=100.0),
        a_job(3, state=JobState.COMPLETED, accepted_at=5.0),
        a_job(4, refused=Reason.LABELS_UNKNOWN, accepted_at=5.0),
        a_machine("m-1", state=MachineState.GONE, gone_at=99.0, boot=a_boot("m-1")),
        a_machine("m-2", state=MachineState.GONE, gone_at=100.0),
        a_machine("m-3", state=MachineState.GONE, gone_at=99.0),
        a_runner("r-1", "m-1", state=RunnerState.GONE, gone_at=99.0),
        a_runner("r-2", "m-3", state=RunnerState.GONE, gone_at=100.0),
    )

    purged = await store.run(partial(retention.purge, before=100.0))

    assert (purged.jobs, purged.runners, purged.machines) == (3, 1, 1)
    assert [job.id for job in await store.run(jobs.page)] == [2]
    assert [runner.name for runner in await store.run(runners.page)] == ["r-2"]
    assert await store.run(lambda conn: machines.get(conn, "m-1")) is None
    assert await store.run(lambda conn: machines.boots(conn, "m-1")) == ()
    # Its runner's row is still there, and needs it.
    assert await store.run(lambda conn: machines.get(conn, "m-3")) is not None


async def test_the_newest_event_stays_so_that_the_revision_never_goes_back(store):
    for at in (1.0, 2.0, 3.0):
        await store.run(partial(events.append, at=at, verb="said", target="pool/p", **BY))
    before = await store.run(events.revision)

    assert (await store.run(partial(retention.purge, before=1e9))).events == 2

    assert await store.run(events.revision) == before
    assert await store.run(partial(events.append, at=4.0, verb="said", target="pool/p", **BY)) > before


async def test_deliveries_and_expired_claim_tokens_are_forgotten(store):
    def op(conn):
        for guid, at in (("old", 99.0), ("new", 100.0)):
            deliveries.record(conn, guid, event="e", action="a", at=at, job_id=None, outcome="ok")
        for jti, expires_at in (("spent", 499.0), ("good", 500.0)):
            sealed.remember_jti(conn, jti, expires_at)
        purged = retention.purge(conn, 100.0, tokens_expired_before=500.0)
        return (
            purged,
            deliveries.known(conn, "old"),
            deliveries.known(conn, "new"),
            sealed.remember_jti(conn, "good", 1.0),
        )

    assert await store.run(op) == (Purged(deliveries=1, seen_tokens=1), False, True, False)


async def test_one_call_removes_a_bounded_number_and_further_calls_the_rest(store):
    await keep(store, *(a_job(n, state=JobState.COMPLETED, completed_at=1.0) for n in range(1, 6)))
    counts = [(await store.run(partial(retention.purge, before=2.0, limit=2))).jobs for _ in range(4)]
    assert counts == [2, 2, 1, 0]
    assert (await store.run(partial(retention.purge, before=2.0, limit=2))).total == 0
