"""Usage: one Span per started Boot, cut to the window that was asked for."""

from store_samples import a_boot, a_job, a_machine, a_runner, keep

from runners.model.states import MachineState, RunnerState
from runners.store import usage
from runners.store.usage import Span

SPAN = {
    "pool": "gha-medium",
    "repository": "acme/web",
    "workflow_name": "ci",
    "machine_class": "gha-medium",
    "region": "iad",
}


async def spans(store, since, until):
    return await store.run(lambda conn: usage.busy_spans(conn, since, until))


async def test_a_boot_with_a_job_is_charged_to_its_repository_and_workflow(store):
    await keep(
        store,
        a_job(1),
        a_machine(boot=a_boot(started_at=100.0, ended_at=200.0)),
        a_runner(state=RunnerState.GONE, busy_at=120.0, finished_at=180.0, job_id=1),
    )
    whole = Span(**SPAN, started_at=100.0, ended_at=200.0, busy_s=60.0)
    assert await spans(store, 0.0, 1000.0) == (whole,)
    assert await spans(store, 150.0, 170.0) == (Span(**SPAN, started_at=150.0, ended_at=170.0, busy_s=20.0),)
    assert await spans(store, 190.0, 1000.0) == (Span(**SPAN, started_at=190.0, ended_at=200.0, busy_s=0.0),)
    assert await spans(store, 200.0, 1000.0) == ()
    assert await spans(store, 0.0, 100.0) == ()


async def test_a_boot_that_still_runs_counts_up_to_the_end_of_the_window(store):
    await keep(
        store,
        a_job(1),
        a_machine(state=MachineState.BOUND, boot=a_boot(started_at=100.0)),
        a_runner(state=RunnerState.BUSY, busy_at=120.0, job_id=1),
    )
    assert await spans(store, 0.0, 150.0) == (Span(**SPAN, started_at=100.0, ended_at=150.0, busy_s=30.0),)


async def test_a_boot_without_a_job_is_charged_to_nobody_and_one_never_started_is_free(store):
    await keep(
        store,
        a_machine("m-1", state=MachineState.READY, boot=a_boot("m-1", ready_at=110.0)),
        a_machine("m-2", state=MachineState.GONE, boot=a_boot("m-2"), gone_at=500.0),
        a_machine("m-3", state=MachineState.GONE, boot=a_boot("m-3", started_at=105.0), gone_at=130.0),
        # Two runners of one Boot: the first one's mint was lost.
        a_runner("m-3-1", "m-3", state=RunnerState.GONE),
        a_runner("m-3-2", "m-3", state=RunnerState.GONE),
    )
    nobody = SPAN | {"repository": "", "workflow_name": ""}
    assert await spans(store, 0.0, 200.0) == (
        Span(**nobody, started_at=105.0, ended_at=130.0, busy_s=0.0),
        Span(**nobody, started_at=110.0, ended_at=200.0, busy_s=0.0),
    )
