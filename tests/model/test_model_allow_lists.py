"""What a Machine's gate is told: the pool's lists and the fleet's, as one list of each kind."""

import pytest

from machines.runner import boot, hook
from runners.model.allow_lists import gate_of
from runners.model.settings import Settings
from tests.planning.builders import IMAGE


def settings(github=None, **pool):
    base = {"name": "gha-small", "scope": "orgs/acme", "apps": ["a"]}
    return Settings.model_validate(
        {"fly": {"image": IMAGE}, "github": github or {}, "pools": [{**base, **pool}]}
    )


def gate(github=None, **pool):
    made = settings(github, **pool)
    return gate_of(made.pools[0], made.github)


def test_a_pool_without_lists_serves_every_private_repository_and_no_fork():
    assert gate() == {
        "repositories": [],
        "workflows": [],
        "events": [],
        "private_only": True,
        "forks": False,
    }


def test_the_fleets_repositories_and_the_pools_must_both_match():
    found = gate({"organizations": ["acme"], "repositories": ["acme/*"]}, repositories=["acme/Web-*"])
    assert found["repositories"] == ["acme/web-*"]
    assert gate({"repositories": ["acme/web"]})["repositories"] == ["acme/web"]


def test_what_a_pool_opts_into_its_gate_lets_through():
    files = ["acme/*/.github/workflows/ci.yml"]
    found = gate(allow_public=True, allow_forks=True, workflows=files, events=["push", "merge_group"])
    assert (found["private_only"], found["forks"]) == (False, True)
    assert (found["workflows"], found["events"]) == (files, ["push", "merge_group"])


def test_a_machine_of_a_pool_that_is_gone_from_the_settings_gets_the_strictest_gate():
    made = settings({"repositories": ["acme/web"]}, allow_public=True, allow_forks=True)
    found = gate_of(None, made.github)
    assert (found["repositories"], found["private_only"], found["forks"]) == (["acme/web"], True, False)


JOB = {
    "GITHUB_REPOSITORY": "acme/web",
    "GITHUB_WORKFLOW_REF": "acme/web/.github/workflows/ci.yml@refs/heads/main",
    "GITHUB_EVENT_NAME": "push",
}
FORK = {"pull_request": {"head": {"repo": {"full_name": "stranger/web"}}}}


@pytest.mark.parametrize(
    ("pool", "event", "refused"),
    [
        ({}, {}, ""),
        ({}, {"repository": {"private": False}}, "public"),
        ({"allow_public": True}, {"repository": {"private": False}}, ""),
        ({}, FORK, "fork"),
        ({"allow_forks": True}, FORK, ""),
        ({"repositories": ["acme/api"]}, {}, "repository"),
        ({"repositories": ["Acme/W*"], "workflows": ["acme/*/.github/workflows/ci.yml"]}, {}, ""),
        ({"workflows": ["acme/web/.github/workflows/release.yml"]}, {}, "workflow"),
        ({"events": ["schedule"]}, {}, "event"),
        ({"events": ["push"]}, {}, ""),
    ],
)
def test_the_machines_gate_reads_it_and_refuses_what_the_settings_do_not_allow(pool, event, refused):
    """The agent's and the hook's own code, with what the claim answers."""
    assert hook.refusal(boot.read_gate(gate(**pool)), JOB, lambda: event)[0] == refused


def test_where_two_lists_have_nothing_in_common_the_gate_lets_nothing_through():
    """Such settings are refused; should a gate be made of them all the same, it is shut and not open."""
    made = settings({"repositories": ["acme/web"]})
    narrow = made.pools[0].model_copy(update={"repositories": ("acme/api",)})
    assert hook.refusal(boot.read_gate(gate_of(narrow, made.github)), JOB, dict)[0] == "repository"
