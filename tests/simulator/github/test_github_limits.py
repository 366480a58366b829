"""Rate limits."""

import pytest

from simulator.github.problems import GitHubProblem


def spend(world, method, times):
    for _ in range(times):
        world.sim.limits.spend(1, method, "/x")


def refused(world, method="POST"):
    with pytest.raises(GitHubProblem) as caught:
        spend(world, method, 1)
    return caught.value


def test_180_writes_a_minute_are_the_secondary_limit(world):
    spend(world, "POST", 180)
    problem = refused(world)
    assert problem.status in {403, 429}
    assert int(problem.headers["retry-after"]) == 60
    assert [entry["which"] for entry in world.sim.journal.of("rate_limited")] == ["secondary"]
    world.wait(60)
    spend(world, "POST", 180)


def test_a_read_costs_a_fifth_of_a_write(world):
    spend(world, "GET", 900)
    assert refused(world, "GET").headers["retry-after"]


def test_both_statuses_of_the_secondary_limit_occur(make_world):
    seen = set()
    for seed in range(20):
        world = make_world(seed=seed)
        spend(world, "POST", 180)
        seen.add(refused(world).status)
    assert seen == {403, 429}


def test_5000_requests_an_hour_are_the_primary_limit(world):
    for _ in range(10):
        spend(world, "GET", 500)
        world.wait(61)
    problem = refused(world, "GET")
    assert problem.status == 403
    assert problem.headers["x-ratelimit-remaining"] == "0"
    assert int(problem.headers["x-ratelimit-reset"]) > world.clock.now()
    world.wait(3600)
    spend(world, "GET", 1)


def test_scale_multiplies_both_limits(make_world):
    world = make_world(scale=10.0)
    spend(world, "POST", 1800)
    assert world.sim.limits.quota(1).limit == 50_000
    refused(world)
