"""Who gets a job, and how jobs end."""

import pytest

from simulator.github.problems import GitHubProblem


def take(world, runner):
    """The runner asks, and acknowledges what it gets."""
    session = world.online(runner)
    job = world.sim.sessions.poll(session.id)
    if job is not None:
        world.sim.sessions.renew(session.id, job.id)
    return session, job


def journal(world, kind):
    return [(entry["job"], entry.get("conclusion")) for entry in world.sim.journal.of(kind)]


def test_the_oldest_matching_job_goes_to_whoever_asks_first(world):
    first, second = world.queue("one", "two")
    world.wait(5)
    late, early = world.jit("made-for-one"), world.jit("made-for-two")
    assert take(world, early)[1] is first
    assert take(world, late)[1] is second


def test_a_runner_needs_every_label_of_the_job_in_any_case(world):
    (job,) = world.queue(labels=("Fly", "BIG"))
    world.wait(5)
    assert take(world, world.jit("small", ("fly",)))[1] is None
    assert take(world, world.jit("large", ("fly", "big", "gpu")))[1] is job


def test_a_job_without_labels_matches_nobody(world):
    world.queue(labels=())
    world.wait(5)
    assert take(world, world.jit("any"))[1] is None


def test_a_group_serves_only_the_repositories_it_admits(world):
    only_web = world.sim.directory.group_named("only-web").id
    (job,) = world.queue(repository="acme/api")
    world.wait(5)
    assert take(world, world.jit("web-runner", group=only_web))[1] is None
    assert take(world, world.jit("any-runner", group=1))[1] is job


def test_a_public_repository_needs_a_group_that_allows_it(world):
    (job,) = world.queue(repository="acme/site")
    world.wait(5)
    assert take(world, world.jit("private-only"))[1] is None
    assert take(world, world.jit("open", group=world.sim.directory.group_named("open").id))[1] is job


def test_a_repository_runner_serves_its_repository_only(world):
    world.queue(repository="acme/api")
    group = world.sim.directory.group(1)
    runner = world.sim.registrations.mint_jit("repos/acme/web", "r1", group, ["fly"], "_work")
    world.wait(5)
    assert take(world, runner)[1] is None


def test_an_acknowledged_job_is_in_progress_and_names_its_runner(world):
    (job,) = world.queue()
    world.wait(5)
    runner = world.jit("r1")
    session = world.online(runner)
    assert world.sim.sessions.poll(session.id) is job
    assert (job.status, job.seat) == ("queued", None)
    world.sim.sessions.renew(session.id, job.id)
    assert (job.status, job.seat.name, job.run.status) == ("in_progress", "r1", "in_progress")


def test_an_ephemeral_runner_leaves_after_its_one_job(world):
    world.queue("one", "two")
    world.wait(5)
    session, job = take(world, world.jit("r1"))
    world.sim.sessions.complete(session.id, job.id, "success", ["success"])
    assert world.sim.sessions.poll(session.id) is None
    world.wait(2)
    assert world.sim.registrations.all() == []
    assert [entry["why"] for entry in world.sim.journal.of("runner_removed")] == ["finished"]
    assert journal(world, "job_completed") == [("one", "success")]


def test_a_job_nobody_acknowledged_is_queued_again_and_the_runner_is_spent(world):
    (job,) = world.queue()
    world.wait(5)
    dead = world.jit("dead")
    world.sim.sessions.poll(world.online(dead).id)
    world.wait(61)
    assert (job.status, job.runner_id, dead.spent) == ("queued", None, True)
    assert take(world, world.jit("alive"))[1] is job


def test_a_job_whose_runner_falls_silent_fails_after_the_lock_and_is_not_queued_again(world):
    (job,) = world.queue()
    world.wait(5)
    _, held = take(world, world.jit("r1"))
    assert held is job
    world.wait(599)
    assert job.status == "in_progress"
    world.wait(2)
    assert (job.status, job.conclusion) == ("completed", "failure")
    assert [entry["why"] for entry in world.sim.journal.of("job_completed")] == ["lost communication"]
    world.wait(60)
    assert [entry["why"] for entry in world.sim.journal.of("runner_removed")] == ["offline"]


def test_renewing_keeps_the_lock(world):
    (job,) = world.queue()
    world.wait(5)
    session, _ = take(world, world.jit("r1"))
    for _ in range(30):
        world.wait(60)
        world.sim.sessions.renew(session.id, job.id)
    assert job.status == "in_progress"


def test_a_job_cancelled_while_queued_completes_without_a_runner(world):
    (job,) = world.queue(cancel_after_s=2.0)
    world.wait(3)
    assert (job.status, job.conclusion) == ("completed", "cancelled")
    assert (job.seat.id, job.seat.name) == (0, "")
    assert take(world, world.jit("r1"))[1] is None


def test_a_running_job_is_cancelled_through_its_runner(world):
    (job,) = world.queue()
    world.wait(5)
    session, _ = take(world, world.jit("r1"))
    world.sim.queue.cancel(job.id)
    assert world.sim.sessions.renew(session.id, job.id).cancel_requested
    world.sim.sessions.complete(session.id, job.id, "cancelled", ["cancelled"])
    assert job.conclusion == "cancelled"


def test_a_job_that_ended_is_no_longer_held(world):
    (job,) = world.queue()
    world.wait(5)
    session, _ = take(world, world.jit("r1"))
    world.wait(601)
    with pytest.raises(GitHubProblem) as caught:
        world.sim.sessions.complete(session.id, job.id, "success", [])
    assert caught.value.status == 404


def test_a_job_that_waits_for_approval_is_queued_only_afterwards(world):
    (job,) = world.queue(approve_after_s=30.0)
    world.wait(29)
    assert (job.status, job.run.status) == ("waiting", "waiting")
    assert take(world, world.jit("r1"))[1] is None
    world.wait(10)
    assert job.status == "queued"


def test_the_same_seed_gives_the_same_ids_and_delays(make_world):
    def story(seed):
        world = make_world(seed=seed)
        jobs = world.queue("one", "two")
        return [(job.id, job.run.id, job.run.head_sha, job.eligible_at) for job in jobs]

    assert story(1) == story(1)
    assert story(1) != story(2)


def test_a_group_that_is_restricted_to_workflows_serves_these_at_their_ref_only(world):
    ref = "acme/web/.github/workflows/ci.yml@refs/heads/main"
    world.sim.directory.change_group("fleet", {"workflows": (ref,)})
    group = world.sim.directory.group_named("fleet").id
    (job,) = world.queue()
    world.wait(5)
    assert take(world, world.jit("runner", group=group))[1] is job
    world.queue(repository="acme/api")
    world.wait(5)
    assert take(world, world.jit("other", group=group))[1] is None


def test_runners_of_a_deleted_group_are_in_the_default_one(world):
    runner = world.jit("orphan", group=world.sim.directory.group_named("only-web").id)
    world.sim.directory.delete_group("only-web")
    (job,) = world.queue(repository="acme/api")
    world.wait(5)
    assert take(world, runner)[1] is job
    with pytest.raises(GitHubProblem):
        world.sim.directory.delete_group("Default")
