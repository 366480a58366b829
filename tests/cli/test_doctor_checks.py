"""Each check of the doctor: fine facts are ok, what is wrong fails in one line with one next step."""

from dataclasses import fields, replace

import pytest

from machines.survey import AppSeen, TokenSeen
from runners.cli.doctor.command import judged
from runners.cli.doctor.facts import Answering, Credential, Database, Deliveries, Facts, Unread
from runners.cli.doctor.finding import Verdict
from runners.github.survey import Grants, HookConfig
from runners.model.groups import RunnerGroup, ScopeSeen
from runners.model.settings import Settings

NOW = 1_795_000_000.0
URL = "https://runners.example"
DIGEST = "sha256:" + "a" * 64
SETTINGS = Settings.model_validate(
    {
        "fleet": {"name": "ci", "public_url": URL},
        "github": {"app_id": "1"},
        "fly": {"org_slug": "acme", "image": f"registry.fly.io/r@{DIGEST}"},
        "pools": [
            {"name": "gha-small", "scope": "orgs/acme", "apps": ["app-a"], "regions": ["iad"]},
            {"name": "gha-web", "scope": "repos/acme/web", "apps": ["app-b"], "machine_class": "gha-small"},
        ],
    }
)
GRANTED = Grants(
    {
        "organization_self_hosted_runners": "write",
        "administration": "write",
        "actions": "read",
        "metadata": "read",
    },
    ("workflow_job",),
)
HOOK = HookConfig(f"{URL}/webhooks/github", "json", has_secret=True, insecure=False)
DEFAULT = RunnerGroup("Default", "all", allows_public=False)
FINE = Facts(
    now=NOW,
    settings=SETTINGS,
    where="the environment",
    secrets=None,
    credentials=(Credential("FLY_API_TOKEN", held=True),),
    database=Database(there=True, writable=True, created_at={"app-a": NOW - 60, "app-b": NOW - 60}),
    clock_offsets={"Fly": 0.4, "GitHub": -1.0},
    as_app=True,
    app=GRANTED,
    installations={"orgs/acme": GRANTED, "repos/acme/web": GRANTED},
    hook=HOOK,
    deliveries=Deliveries(9, 9, NOW - 60, 202),
    scopes={
        "orgs/acme": ScopeSeen((DEFAULT,)),
        "repos/acme/web": ScopeSeen(private=True),
    },
    granted={"acme": GRANTED.permissions},
    fly_tokens=(TokenSeen("acme", ("app-a", "app-b"), personal=False, machine_bound=False),),
    fly_apps={"app-a": AppSeen("a-net", "acme"), "app-b": AppSeen("b-net", "acme")},
    fly_images={"app-a": frozenset({DIGEST}), "app-b": frozenset()},
    fly_regions=frozenset({"iad", "ewr"}),
    addresses=("1.1.1.1",),
    public=Answering(200, "ci", "abc"),
    local=Answering(200, "ci", "abc"),
    versions_offered={"orgs/acme": "2.336.0", "repos/acme/web": "2.336.0"},
    versions_used={"orgs/acme": frozenset({"2.336.0"}), "repos/acme/web": frozenset({"2.336.0"})},
)
NOBODY = Unread("nobody said")
REFUSED = Unread("they said no", refused=True, next_step="ask nicely")


def lines(facts, verdict):
    return [each for each in judged(facts) if each.verdict is verdict]


def settings(**changes):
    document = SETTINGS.model_dump(mode="json")
    for path, value in changes.items():
        section, _, key = path.partition("__")
        if section == "pool":
            document["pools"][0][key] = value
        else:
            document[section][key] = value
    return Settings.model_validate(document)


def test_everything_fine_is_ok_line_by_line():
    assert {each.verdict for each in judged(FINE)} == {Verdict.OK}
    assert not any(each.next_step for each in judged(FINE))


def group(**changes):
    """One changed group of the organization; the facts of the repository stay."""
    return {**FINE.scopes, "orgs/acme": ScopeSeen((replace(DEFAULT, **changes),))}


@pytest.mark.parametrize(
    ("changes", "about", "said"),
    [
        ({"database": Database(there=True, writable=False)}, "database", "not written"),
        ({"database": REFUSED}, "database", "they said no"),
        ({"clock_offsets": {"Fly": 11.0}}, "clock against Fly", "11 s behind"),
        ({"clock_offsets": {"GitHub": -61.0}}, "clock against GitHub", "61 s ahead"),
        ({"secrets": REFUSED}, "credentials' place", "they said no"),
        ({"credentials": (Credential("X", held=False),)}, "X", "not there"),
        ({"credentials": (Credential("X", held=True, wrong="it is odd"),)}, "X", "it is odd"),
        (
            {"credentials": (Credential("GITHUB_INSTALLATION_TOKEN_A", held=True, wrong="300 s are left"),)},
            "GITHUB_INSTALLATION_TOKEN_A",
            "300 s are left",
        ),
        ({"leases": {"acme": REFUSED}}, "dynamic secret github-acme", "they said no"),
        (
            {"leases": {"acme": {**GRANTED.permissions, "administration": "read"}}},
            "dynamic secret github-acme",
            "lacks administration: write",
        ),
        ({"app": replace(GRANTED, permissions={})}, "GitHub App", "organization_self_hosted_runners: write"),
        ({"app": replace(GRANTED, events=())}, "GitHub App", "workflow_job"),
        (
            {
                "installations": {
                    "orgs/acme": replace(GRANTED, permissions={**GRANTED.permissions, "actions": ""})
                }
            },
            "installation on orgs/acme",
            "actions: read",
        ),
        (
            {"installations": {"orgs/acme": replace(GRANTED, suspended=True)}},
            "installation on orgs/acme",
            "suspended",
        ),
        (
            {"installations": {"orgs/acme": replace(GRANTED, events=())}},
            "installation on orgs/acme",
            "workflow_job",
        ),
        ({"installations": {"orgs/acme": REFUSED}}, "installation on orgs/acme", "they said no"),
        ({"hook": replace(HOOK, url="https://other/webhooks/github")}, "webhook", "not that of this fleet"),
        ({"hook": replace(HOOK, url="")}, "webhook", "no webhook URL"),
        ({"hook": replace(HOOK, content_type="form")}, "webhook", "forms"),
        ({"hook": replace(HOOK, has_secret=False)}, "webhook", "no secret"),
        ({"hook": replace(HOOK, insecure=True)}, "webhook", "certificate"),
        ({"deliveries": Deliveries(9, 8, NOW, 401)}, "webhook deliveries", "answered 401"),
        ({"deliveries": Deliveries(9, 8, NOW, 0)}, "webhook deliveries", "got no answer"),
        ({"deliveries": Deliveries(9, 8, NOW, 500)}, "webhook deliveries", "answered 500"),
        ({"scopes": {"orgs/acme": ScopeSeen()}}, "runner group of gha-small", "no runner group Default"),
        ({"scopes": group(allows_public=True)}, "runner group of gha-small", "lets public repositories in"),
        ({"settings": settings(pool__allow_public=True)}, "runner group of gha-small", "keeps public"),
        (
            {"scopes": {**FINE.scopes, "repos/acme/web": ScopeSeen(private=False)}},
            "runner group of gha-web",
            "repos/acme/web is public",
        ),
        (
            {"granted": {"acme": {"organization_self_hosted_runners": "read", "metadata": "read"}}},
            "token of acme",
            "organization_self_hosted_runners: write, actions: read, administration: write",
        ),
        ({"fly_tokens": (replace(FINE.fly_tokens[0], personal=True),)}, "Fly token", "a person's own"),
        ({"fly_tokens": (replace(FINE.fly_tokens[0], machine_bound=True),)}, "Fly token", "one Machine"),
        (
            {"fly_tokens": (replace(FINE.fly_tokens[0], organization="other"),)},
            "Fly token",
            "organization acme",
        ),
        ({"fly_tokens": (replace(FINE.fly_tokens[0], apps=("app-a",)),)}, "Fly token", "app-b"),
        ({"fly_apps": {**FINE.fly_apps, "app-a": REFUSED}}, "Fly app app-a", "they said no"),
        (
            {"fly_apps": {**FINE.fly_apps, "app-a": AppSeen("x", "other")}},
            "Fly app app-a",
            "belongs to other",
        ),
        (
            {"fly_apps": {**FINE.fly_apps, "app-a": AppSeen("default", "acme")}},
            "network of app-a",
            "default network",
        ),
        ({"fly_images": {**FINE.fly_images, "app-a": REFUSED}}, "Machines of app-a", "they said no"),
        ({"settings": settings(pool__regions=["iad", "xyz"])}, "regions", "xyz"),
        ({"addresses": REFUSED}, "our URL: name", "they said no"),
        ({"addresses": ("10.0.0.1",)}, "our URL: name", "cannot reach"),
        ({"settings": settings(fleet__public_url="http://runners.example")}, "our URL: TLS", "unencrypted"),
        ({"public": Unread("TLS: certificate has expired", refused=True)}, "our URL: TLS", "expired"),
        ({"public": NOBODY}, "our URL: answer", "nobody said"),
        ({"public": Answering(200, "", "")}, "our URL: answer", "something else"),
        ({"public": Answering(200, "other", "x")}, "our URL: answer", "fleet other"),
        ({"public": Answering(503, "ci", "x", ("store",))}, "our URL: answer", "store"),
        ({"versions_used": {"orgs/acme": frozenset({"2.335.1"})}}, "actions/runner for orgs/acme", "2.335.1"),
    ],
)
def test_what_is_wrong_fails_with_one_next_step(changes, about, said):
    (line,) = [each for each in lines(replace(FINE, **changes), Verdict.FAILED) if each.about == about]
    assert said in line.detail
    assert line.next_step
    assert "\n" not in line.detail + line.next_step


# By field: facts that nobody could give. The lines that rest on them are unknown and say why.
@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({"database": NOBODY}, "database"),
        ({"clock_offsets": {"Fly": NOBODY}}, "clock against Fly"),
        ({"secrets": NOBODY, "credentials": (Credential("X", held=False),)}, "X"),
        ({"app": NOBODY}, "GitHub App"),
        ({"installations": {"orgs/acme": NOBODY}}, "installation on orgs/acme"),
        ({"hook": NOBODY}, "webhook"),
        ({"deliveries": NOBODY}, "webhook deliveries"),
        ({"deliveries": Deliveries(0, 0, None, 0)}, "webhook deliveries"),
        ({"deliveries": NOBODY}, "our URL: from outside"),
        ({"scopes": {"orgs/acme": NOBODY}}, "runner group of gha-small"),
        ({"scopes": {}}, "runner group of gha-small"),
        ({"fly_tokens": NOBODY}, "Fly token"),
        ({"fly_tokens": ()}, "Fly token"),
        ({"fly_apps": {"app-a": NOBODY}}, "Fly app app-a"),
        ({"fly_apps": {"app-a": NOBODY}}, "network of app-a"),
        ({"fly_apps": {"app-a": AppSeen("", "")}}, "network of app-a"),
        ({"fly_images": {**FINE.fly_images, "app-a": NOBODY}}, "Machines of app-a"),
        ({"database": Database(there=False)}, "Machines of app-a"),
        ({"fly_images": {"app-a": NOBODY, "app-b": frozenset()}}, "image at Fly"),
        ({"fly_regions": NOBODY}, "regions"),
        ({"addresses": NOBODY}, "our URL: name"),
        ({"public": NOBODY}, "our URL: TLS"),
        ({"local": Answering(200, "ci", "another")}, "our URL: answer"),
        ({"versions_offered": {"orgs/acme": NOBODY}}, "actions/runner for orgs/acme"),
        ({"versions_offered": {"orgs/acme": None}}, "actions/runner for orgs/acme"),
        ({"versions_used": {"orgs/acme": frozenset()}}, "actions/runner for orgs/acme"),
        ({"versions_used": {}}, "actions/runner for orgs/acme"),
    ],
)
def test_what_nobody_could_say_is_unknown_and_says_why(changes, about):
    (line,) = [each for each in judged(replace(FINE, **changes)) if each.about == about]
    assert line.verdict is Verdict.UNKNOWN
    assert line.detail


def test_facts_that_were_never_asked_for_make_no_line_ok_but_the_configuration():
    given = {"now", "settings", "where", "secrets", "credentials", "database"}
    bare = Facts(**{each.name: getattr(FINE, each.name) for each in fields(Facts) if each.name in given})
    fine = {each.about for each in judged(bare) if each.verdict is Verdict.OK}
    held = {each.name for each in FINE.credentials}
    assert fine == {"configuration", "database", "credentials' place"} | held


def test_a_dispatcher_that_only_answers_publicly_may_not_be_ours():
    facts = replace(FINE, local=NOBODY)
    (line,) = [each for each in judged(facts) if each.about == "our URL: answer"]
    assert "cannot be told" in line.detail


def test_it_recommends_a_group_that_keeps_out_by_itself_what_the_gate_would_have_to_fail():
    files = ["acme/web/.github/workflows/ci.yml"]
    listed = settings(pool__workflows=files, pool__repositories=["acme/web"])
    about = "runner group of gha-small"
    (line,) = [each for each in judged(replace(FINE, settings=listed)) if each.about == about]
    assert line.verdict is Verdict.OK
    assert "restrict it to the workflows" in line.next_step
    assert "select the repositories" in line.next_step
    narrow = group(visibility="selected", workflows=(f"{files[0]}@refs/heads/main",))
    (line,) = [each for each in judged(replace(FINE, settings=listed, scopes=narrow)) if each.about == about]
    assert line.next_step == ""
