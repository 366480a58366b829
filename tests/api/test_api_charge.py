from hypothesis import given
from hypothesis import strategies as st

from runners.model.settings import Settings
from runners.planning.charge import charge, could_run, drained_pools
from tests.planning.builders import IMAGE

FALLBACK = {"fallback": "small"}
POOLS = [
    {"name": "small", "scope": "orgs/Acme", "apps": ["a"], "labels": ["Linux", "small"], "fallback": "big"},
    {"name": "web", "scope": "repos/acme/Web", "apps": ["a"], "labels": ["linux", "web"]},
    {"name": "big", "scope": "orgs/acme", "apps": ["a"], "labels": ["linux", "small", "big"], **FALLBACK},
    {"name": "narrow", "scope": "orgs/acme", "apps": ["a"], "labels": ["gpu"], "fallback": "web"},
]  # fmt: skip
SETTINGS = Settings.model_validate({"fly": {"image": IMAGE}, "pools": POOLS})
NONE = frozenset()


def test_the_first_pool_in_configuration_order_that_serves_all_labels_is_charged():
    assert charge(("linux",), "acme/api", SETTINGS, NONE) == "small"
    assert charge(("linux", "big"), "acme/api", SETTINGS, NONE) == "big"


def test_case_counts_neither_in_labels_nor_in_names():
    assert charge(("LINUX", "Web"), "ACME/web", SETTINGS, NONE) == "web"


def test_a_repositorys_pool_serves_no_other_repository():
    assert charge(("web",), "acme/web2", SETTINGS, NONE) is None
    assert charge(("linux",), "acme2/api", SETTINGS, NONE) is None


def test_no_labels_match_no_pool():
    assert charge((), "acme/api", SETTINGS, NONE) is None


def test_a_drained_pools_jobs_go_to_its_fallback():
    assert charge(("small",), "acme/api", SETTINGS, frozenset({"small"})) == "big"


def test_when_all_its_fallbacks_are_drained_a_job_stays_with_its_pool():
    assert charge(("small",), "acme/api", SETTINGS, frozenset({"small", "big"})) == "small"


def test_a_fallback_whose_runners_github_would_not_give_the_job_is_not_charged():
    assert charge(("gpu",), "acme/api", SETTINGS, frozenset({"narrow"})) == "narrow"


def test_an_operators_word_beats_the_setting():
    assert drained_pools(SETTINGS, {"small": True, "big": None, "gone": True}) == {"small"}


@given(
    st.lists(st.sampled_from(["linux", "small", "big", "web", "gpu", "LINUX", "x"]), max_size=4),
    st.sampled_from(["acme/api", "acme/web", "Acme/Web", "other/api"]),
    st.frozensets(st.sampled_from(["small", "web", "big", "narrow"])),
)
def test_a_charged_pools_runners_can_always_take_the_job(labels, repository, drained):
    name = charge(tuple(labels), repository, SETTINGS, drained)
    able = [pool.name for pool in SETTINGS.pools if could_run(pool, tuple(labels), repository)]
    assert (name is None) == (not able)
    assert name is None or name in able


LISTED = [
    {"name": "web", "repositories": ["acme/web*"], "runner_group": "web"},
    {"name": "site", "allow_public": True, "repositories": ["acme/site"], "runner_group": "site"},
    {"name": "rest"},
]  # fmt: skip
LISTS = Settings.model_validate(
    {
        "fly": {"image": IMAGE},
        "pools": [{"scope": "orgs/acme", "apps": ["a"], "labels": ["linux"], **pool} for pool in LISTED],
    }
)


def test_a_job_falls_to_the_next_matching_pool_whose_lists_allow_it():
    for repository, pool in {"acme/web-2": "web", "ACME/Site": "site", "acme/api": "rest"}.items():
        assert charge(("linux",), repository, LISTS, NONE) == pool


def test_a_public_repository_falls_to_the_pool_that_serves_public_ones_or_to_none():
    for private in (False, None):
        assert charge(("linux",), "acme/site", LISTS, NONE, private=private) == "site"
        assert charge(("linux",), "acme/web", LISTS, NONE, private=private) is None


def test_a_fallback_whose_lists_keep_the_repository_out_is_not_charged():
    pools = [
        {"name": "one", "labels": ["one"], "fallback": "two"},
        {"name": "two", "labels": ["one", "two"], "repositories": ["acme/web"], "runner_group": "two"},
    ]
    made = Settings.model_validate(
        {"fly": {"image": IMAGE}, "pools": [{"scope": "orgs/acme", "apps": ["a"], **pool} for pool in pools]}
    )
    drained = frozenset({"one"})
    assert charge(("one",), "acme/web", made, drained) == "two"
    assert charge(("one",), "acme/api", made, drained) == "one"
