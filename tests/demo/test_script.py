"""The demo's script is drawn from its seed and holds what the demo promises."""

from runners.cli.demo.script import MATRIX, MEDIUM, SMALL, TOTAL, write_script


def test_the_same_seed_gives_the_same_script() -> None:
    assert write_script(7, 20) == write_script(7, 20)
    assert write_script(7, 20) != write_script(8, 20)


def test_sixty_jobs_with_unique_names_run_on_both_pools() -> None:
    for seed in range(20):
        jobs = write_script(seed, 20).jobs
        assert len(jobs) == TOTAL == 60
        assert len({job.name for job in jobs}) == TOTAL
        assert {job.label for job in jobs} == {MEDIUM, SMALL}


def test_there_is_one_matrix_of_twenty_four_jobs_queued_at_once() -> None:
    assert max(len(run.jobs) for run in write_script(1, 20).runs) == MATRIX == 24


def test_every_promised_fault_is_armed_and_tied_to_a_job_that_exists() -> None:
    script = write_script(1, 20)
    names = {job.name for job in script.jobs}
    assert {fault.match["job"] for fault in script.faults if "job" in fault.match} <= names
    assert {fault.kind for fault in script.faults} == {
        "drop_webhook",
        "double_webhook",
        "delay_webhook",
        "never_boots",
        "no_capacity",
        "lost_create_answer",
    }
    assert sum(job.dies for job in script.jobs) == 1
    assert sum(job.cancel_after is not None for job in script.jobs) == 1
