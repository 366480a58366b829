"""An invalid fleet.toml is one message per mistake: its key, what was found, what was expected."""

import json
import os
import subprocess
import sys

import pytest

from machines.classes import load_fleet_classes
from runners.fleet_file import FleetFileInvalid, load_settings

DIGEST = "sha256:" + "a" * 64
IMAGE = f"registry.fly.io/runner@{DIGEST}"
GOOD = """
[[pools]]
name = "gha-small"
scope = "orgs/acme"
apps = ["app-a"]
"""


@pytest.fixture
def written(tmp_path):
    """Writes a fleet file and says where it is."""

    def write(text, *, good=True):
        path = tmp_path / "fleet.toml"
        path.write_text(text + (GOOD if good else ""), encoding="utf-8")
        return path

    return write


def load(path, environ=None):
    """The settings; the image, which every fleet file must name, comes from the environment."""
    return load_settings(path, {"FLY_GHA_FLY__IMAGE": IMAGE, **(environ or {})})


def mistakes(path, environ=None):
    with pytest.raises(FleetFileInvalid) as caught:
        load(path, environ)
    assert str(path) in str(caught.value)
    return caught.value.mistakes


def test_the_smallest_fleet_file_is_a_fleet(written):
    settings = load(written(""), {})
    assert settings.pools[0].served_labels == ("fly-gha-small",)
    assert settings.fleet.port == 8080


ONE_MISTAKE = {
    "a number too small": ("[fleet]\nport = -1", "fleet.port: found -1, expected: "),
    "a word for a number": ('[fleet]\nport = "many"', "fleet.port: found 'many', expected: "),
    "a bad name": (
        '[fleet]\nname = "Bad Name"',
        "fleet.name: found 'Bad Name', expected: 1 to 30 lower-case",
    ),
    "a bad URL": ('[fly]\napi_hostname = "fly"', "fly.api_hostname: found 'fly', expected: an http or https"),
    "an unknown key": ("[fleet]\nnmae = 1", "fleet.nmae: found a key that fly-gha does not know"),
    "an unknown section": ("[flet]\nname = 1", "flet: found a key that fly-gha does not know"),
    "an unknown word": ('[github]\ncredentials = "pat"', "github.credentials: found 'pat', expected: "),
    "a section that is no table": ("timing = 3", "timing: found 3, expected: "),
    "a repository pattern that matches none": (
        '[github]\nrepositories = ["acme/*", "web"]',
        "github.repositories.1: found 'web', expected a pattern for owner/name, with one slash",
    ),
    "an owner without a listed repository": (
        '[github]\nrepositories = ["other/*"]',
        "pools.0.scope: found 'orgs/acme', expected one with a repository in github.repositories",
    ),
    "an owner that no list has": (
        '[github]\norganizations = ["other", "else"]',
        "pools.0.scope: found 'orgs/acme', expected an owner that github.organizations lists: other, else",
    ),
    "no app id": ('[github]\ncredentials = "app"', "github.app_id: found nothing, expected the id: "),
    "no project": (
        '[fleet]\nsecrets = "infisical"',
        "infisical.project_id: found nothing, expected the id: ",
    ),
    "a deadline within a call's": (
        "[timing]\nlaunch_deadline = 10",
        "timing.launch_deadline: found 10, expected more than timing.upstream_deadline (10)",
    ),
    "no time at all": ("[timing]\nclaim_poll = 0", "timing.claim_poll: found 0, expected: "),
}


@pytest.mark.parametrize(("text", "line"), ONE_MISTAKE.values(), ids=ONE_MISTAKE.keys())
def test_one_mistake_is_one_line_with_its_key_what_was_found_and_what_was_expected(written, text, line):
    (only,) = mistakes(written(text))
    assert only.startswith(line)


@pytest.mark.parametrize("port", ["99999", "0", "port", "-1"])
def test_an_address_whose_port_is_none_is_refused_before_a_machine_is_told_it(written, port):
    (only,) = mistakes(written(""), {"FLY_GHA_FLEET__PUBLIC_URL": f"https://x.example:{port}"})
    assert only.startswith(
        f"fleet.public_url: found 'https://x.example:{port}', expected: an http or https URL with a host"
    )
    assert load(written(""), {"FLY_GHA_FLEET__PUBLIC_URL": "https://[::1]:8443/x"})


@pytest.mark.parametrize("name", ["FLY_GHA_FLEET__PUBLIC_URL", "GITHUB_API_URL", "INFISICAL_API_URL"])
def test_an_address_with_a_password_is_refused_without_showing_it(written, name):
    """The public URL is in every Machine's configuration, and all of them are in logs."""
    for url in ("https://someone:hunter2@x.example/y", "ftp://hunter2@x.example"):
        (only,) = mistakes(written(""), {name: url})
        assert "//…@x.example" in only
        assert "hunter2" not in only
    assert (
        "expected: an http or https URL with a host, and without a password"
        in mistakes(written(""), {name: "http://a@b"})[0]
    )


@pytest.mark.parametrize(
    "image",
    [
        "registry.fly.io/runner:latest",
        "registry.fly.io/runner",
        f"@{DIGEST}",
        DIGEST,
        f"registry.fly.io/runner@{DIGEST[:-1]}",
        f"registry.fly.io/runner@{DIGEST}0",
        f"registry.fly.io/runner@{DIGEST.replace('a', 'A')}",
        f"registry.fly.io/ runner@{DIGEST}",
        f"registry.fly.io/runner@{DIGEST}@{DIGEST}",
    ],
)
def test_an_image_without_a_whole_digest_is_refused_with_the_fix(written, image):
    (only,) = mistakes(written(""), {"FLY_GHA_FLY__IMAGE": image})
    assert only.startswith(f"fly.image: found {image[:20]!r}"[:-1])
    assert "expected: NAME@sha256:" in only
    assert "machines/runner/README.md" in only


def test_an_image_is_required_and_named_by_its_key_even_without_its_section(written):
    for text in ("", '[fly]\norg_slug = "acme"'):
        with pytest.raises(FleetFileInvalid) as caught:
            load_settings(written(text), {})
        (only,) = caught.value.mistakes
        assert only.startswith("fly.image: found nothing, expected NAME@sha256:")


def test_an_image_may_have_a_tag_and_a_port_besides_its_digest(written):
    image = f"registry.example:5000/runner:1@{DIGEST}"
    assert load(written(""), {"FLY_GHA_FLY__IMAGE": image}).fly.image == image


POOL_MISTAKES = {
    "a region that no region's code looks like": (
        {"regions": ["iad", "us-east-1"]},
        "pools.0.regions.1: found 'us-east-1', expected: three lower-case letters",
    ),
    "no scope": ({"scope": None}, "pools.0.scope: found nothing, expected a value (required)"),
    "a bare owner": (
        {"scope": "acme"},
        "pools.0.scope: found 'acme', expected: orgs/NAME or repos/OWNER/NAME",
    ),
    "no apps": ({"apps": []}, "pools.0.apps: found [], expected: "),
    "a label with a space": (
        {"labels": ["a b"]},
        "pools.0.labels: found ['a b'], expected: 1 to 64 characters",
    ),
    "more ready than allowed": ({"ready": 5000}, "pools.0.ready: found 5000, expected: "),
    "a fallback to itself": (
        {"fallback": "gha-small"},
        "pools.0.fallback: found 'gha-small', expected the name of another pool",
    ),
    "public and by token": (
        {"allow_public": True, "registration": "auto"},
        "pools.0.registration: found 'auto', expected 'jit'",
    ),
    "forks and by token": (
        {"allow_forks": True, "registration": "token"},
        "pools.0.registration: found 'token', expected 'jit': the pool allows pull requests from forks",
    ),
    "a repository without its owner": (
        {"repositories": ["acme/web", "api"]},
        "pools.0.repositories.1: found 'api', expected a pattern for owner/name, with one slash",
    ),
    "a repository with a folder": (
        {"repositories": ["acme/web/src"]},
        "pools.0.repositories.0: found 'acme/web/src', expected a pattern for owner/name, with one slash",
    ),
    "a repository with a space": (
        {"repositories": ["acme/my web"]},
        "pools.0.repositories.0: found 'acme/my web', expected a pattern for owner/name, of characters",
    ),
    "a repository of somebody else": (
        {"repositories": ["other/*"]},
        "pools.0.repositories.0: found 'other/*', expected a pattern for repositories of acme",
    ),
    "a repository that is not the scope's": (
        {"scope": "repos/acme/web", "repositories": ["acme/api*"]},
        "pools.0.scope: found 'repos/acme/web', expected one with a repository in pools.0.repositories",
    ),
    "a workflow by its file only": (
        {"workflows": ["ci.yml"]},
        "pools.0.workflows.0: found 'ci.yml', expected a pattern for owner/name/.github/workflows/FILE.yml",
    ),
    "a workflow without its repository": (
        {"workflows": [".github/workflows/*.yml"]},
        "pools.0.workflows.0: found '.github/workflows/*.yml', expected a pattern for owner/name/",
    ),
    "a workflow with a ref": (
        {"workflows": ["acme/*/ci.yml@main"]},
        "pools.0.workflows.0: found 'acme/*/ci.yml@main', expected a pattern for owner/name/.github/",
    ),
    "a workflow that is no file": (
        {"workflows": ["acme/*/ci"]},
        "pools.0.workflows.0: found 'acme/*/ci', expected a pattern for owner/name/.github/workflows/",
    ),
    "an event that is none": (
        {"events": ["pull-request"]},
        "pools.0.events.0: found 'pull-request', expected: the name of an event that starts workflows",
    ),
    "an event that no gate sees": (
        {"events": ["push", "workflow_call"]},
        "pools.0.events: found 'workflow_call', expected the event of the workflow that calls",
    ),
    "an unknown class": (
        {"machine_class": "huge"},
        "pools.0.machine_class: found 'huge', expected one of gha-large, gha-medium, gha-small, gha-xlarge",
    ),
    "a name that is no class": (
        {"name": "web"},
        "pools.0.machine_class: found nothing, so its name 'web', expected one of gha-large, ",
    ),
}


CLASS = """
description = "small, on a tmpfs"
guest = { cpu_kind = "performance", cpus = 2, memory_mb = 8192 }
rootfs = { size_gb = 12 }
disk = { kind = "tmpfs", size_mb = 4096 }
stop = { timeout_s = 30 }
"""


def test_a_folder_of_ones_own_adds_to_the_classes_and_replaces_them(written, tmp_path):
    folder = tmp_path / "classes"
    folder.mkdir()
    for name in ("own", "gha-small"):
        (folder / f"{name}.toml").write_text(CLASS)
    environ = {
        "FLY_GHA_FLEET__CLASSES": str(folder),
        "FLY_GHA_POOLS": pools_as_json({"machine_class": "own"}),
    }
    assert load(written("", good=False), environ).pools[0].class_name == "own"
    classes = load_fleet_classes(str(folder))
    assert sorted(classes) == ["gha-large", "gha-medium", "gha-small", "gha-xlarge", "own"]
    assert classes["gha-small"].disk.kind == "tmpfs"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("cpus = 2", "cpus = 32"), "guest.cpus: Input should be 1, 2, 4, 6, 8, 10, 12, 14 or 16, found 32"),
        (
            ("cpus = 2", "cpus = 8"),
            "memory_mb = 8192 does not fit 8 performance CPUs: expected 16384 to 65536",
        ),
        (("size_mb = 4096", "size_mb = 8192"), "leaves 0 for the job: expected 2048 at least"),
        (("timeout_s = 30", "timeout_s = 600"), "stop.timeout_s: Input should be less than or equal to 300"),
    ],
)
def test_a_class_larger_than_fly_allows_ends_the_start_with_file_key_and_fix(written, tmp_path, change, line):
    folder = tmp_path / "classes"
    folder.mkdir()
    (folder / "own.toml").write_text(CLASS.replace(*change))
    (only,) = mistakes(written(""), {"FLY_GHA_FLEET__CLASSES": str(folder)})
    assert only.startswith("fleet.classes: ")
    assert "own.toml" in only
    assert line in only


def test_a_folder_without_classes_is_said_by_its_key(written, tmp_path):
    (only,) = mistakes(written(""), {"FLY_GHA_FLEET__CLASSES": str(tmp_path / "nowhere")})
    assert only.startswith("fleet.classes: ")
    assert "expected NAME.toml files" in only


def pools_as_json(*pools):
    base = {"name": "gha-small", "scope": "orgs/acme", "apps": ["app-a"]}
    full = [{**base, **changes} for changes in pools]
    return json.dumps([{key: value for key, value in pool.items() if value is not None} for pool in full])


@pytest.mark.parametrize(("changes", "line"), POOL_MISTAKES.values(), ids=POOL_MISTAKES.keys())
def test_a_pools_mistake_names_the_pools_place_and_key(written, changes, line):
    (only,) = mistakes(written("", good=False), {"FLY_GHA_POOLS": pools_as_json(changes)})
    assert only.startswith(line)


def test_every_mistake_is_said_at_once(written):
    found = mistakes(
        written('[fleet]\nport = -1\nnmae = 2\n[timing]\nclaim_poll = 0\n[[pools]]\nname = "X"\n', good=False)
    )
    assert [line.partition(":")[0] for line in found] == [
        "fleet.port", "fleet.nmae", "timing.claim_poll", "pools.0.name", "pools.0.scope", "pools.0.apps",
    ]  # fmt: skip


def test_mistakes_that_lie_between_keys_are_said_at_once_too(written):
    pools = pools_as_json(
        {"fallback": "none"}, {"labels": ["two"]}, {"name": "gha-large", "fallback": "also-none"}
    )
    found = mistakes(written('[github]\ncredentials = "app"', good=False), {"FLY_GHA_POOLS": pools})
    assert [line.partition(":")[0] for line in found] == [
        "pools.0.fallback", "pools.1.name", "pools.2.fallback", "github.app_id",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        (
            {"scope": "orgs/acme-web", "registration": "token"},
            {"scope": "repos/acme/web", "registration": "token"},
            "GITHUB_REGISTRATION_TOKEN_ACME_WEB",
        ),
        (
            {"scope": "repos/acme/a.b", "registration": "auto"},
            {"scope": "repos/acme/a-b", "registration": "auto"},
            "GITHUB_REGISTRATION_TOKEN_ACME_A_B",
        ),
    ],
)
def test_two_pools_whose_tokens_would_share_a_secret_are_refused_before_anything_runs(
    written, first, second, name
):
    pools = pools_as_json(first, {**second, "name": "gha-large"})
    (only,) = mistakes(written("", good=False), {"FLY_GHA_POOLS": pools})
    assert only.startswith(f"pools.1.scope: found {second['scope']!r}, expected")
    assert name in only


def test_two_pools_of_one_scope_share_its_token(written):
    pools = pools_as_json(
        {"registration": "token"}, {"name": "gha-large", "scope": "orgs/ACME", "registration": "token"}
    )
    assert len(load(written("", good=False), {"FLY_GHA_POOLS": pools}).pools) == 2


def test_two_lists_that_have_no_repository_in_common_are_refused_for_together_they_serve_nobody(written):
    pools = pools_as_json({"repositories": ["acme/web-*"]})
    lists = '[github]\nrepositories = ["acme/api-*", "other/*"]'
    (only,) = mistakes(written(lists, good=False), {"FLY_GHA_POOLS": pools})
    assert only.startswith("pools.0.repositories: found acme/web-*, expected some repository that github.")


NARROW = {"name": "gha-large", "labels": ["linux"], "repositories": ["acme/web"]}


@pytest.mark.parametrize(
    ("other", "key"),
    [
        ({}, "pools.1.runner_group: found 'Default', expected another than that of gha-large"),
        ({"labels": ["linux", "big"]}, "pools.1.runner_group: found 'Default'"),
        ({"runner_group": "others"}, ""),
        ({"labels": ["windows"]}, ""),
        ({"repositories": ["acme/web"]}, ""),
        ({"scope": "repos/acme/api"}, ""),
    ],
)
def test_pools_that_share_labels_and_group_but_no_lists_would_fail_each_others_jobs(written, other, key):
    pools = pools_as_json(NARROW, {"labels": ["linux"], **other})
    path = written("", good=False)
    if key:
        (only,) = mistakes(path, {"FLY_GHA_POOLS": pools})
        assert only.startswith(key)
    else:
        assert len(load(path, {"FLY_GHA_POOLS": pools}).pools) == 2


def test_a_file_that_is_not_there_says_how_to_name_one(tmp_path):
    (only,) = mistakes(tmp_path / "fleet.toml")
    assert "--config" in only


def test_a_folder_is_no_file(tmp_path):
    (only,) = mistakes(tmp_path)
    assert "could not be read" in only


def test_what_is_not_toml_says_where(written):
    (only,) = mistakes(written("[fleet\n"))
    assert "not TOML" in only
    assert "line 1" in only


def test_what_is_not_text_is_refused(tmp_path):
    path = tmp_path / "fleet.toml"
    path.write_bytes(b"\xff\xfe\x00")
    (only,) = mistakes(path)
    assert "expected UTF-8 text" in only


def test_a_file_without_pools_is_no_fleet(written):
    (only,) = mistakes(written("", good=False))
    assert only == "pools: found nothing, expected a value (required)"


def test_the_environment_wins_over_the_file(written):
    path = written('[fleet]\nname = "file"\nport = 1\n[github]\napi_url = "http://file"')
    settings = load(
        path,
        {
            "FLY_GHA_FLEET__NAME": "env",
            "FLY_GHA_FLEET__PAUSED": "true",
            "FLY_GHA_FLEET__DAILY_BUDGET_USD": "12.5",
            "FLY_GHA_GITHUB__ORGANIZATIONS": '["acme"]',
            "GITHUB_API_URL": "http://env",
            "FLY_API_HOSTNAME": "http://fly",
            "INFISICAL_API_URL": "http://infisical",
            "GITHUB_SERVER_URL": "",
        },
    )
    assert (settings.fleet.name, settings.fleet.port, settings.fleet.paused) == ("env", 1, True)
    assert settings.fleet.daily_budget_usd == 12.5
    assert settings.github.organizations == ("acme",)
    assert settings.github.api_url == "http://env"
    assert settings.github.web_url == "https://github.com"
    assert (settings.fly.api_hostname, settings.infisical.api_url) == ("http://fly", "http://infisical")


def test_text_from_the_environment_stays_text_even_when_it_looks_like_a_number(written):
    settings = load(written(""), {"FLY_GHA_GITHUB__APP_ID": "4242", "FLY_GHA_INFISICAL__PROJECT_ID": "007"})
    assert (settings.github.app_id, settings.infisical.project_id) == ("4242", "007")


def test_a_variable_can_take_a_value_away(written):
    path = written("[fleet]\ndaily_budget_usd = 5")
    assert load(path, {"FLY_GHA_FLEET__DAILY_BUDGET_USD": "null"}).fleet.daily_budget_usd is None


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("FLY_GHA_FLEET__NMAE", "fleet.nmae"),
        ("FLY_GHA_FLET__NAME", "flet"),
        ("FLY_GHA_POOLS__0__READY", "FLY_GHA_POOLS__0__READY"),
    ],
)
def test_a_misspelt_variable_is_a_mistake_like_a_misspelt_key(written, name, key):
    (only,) = mistakes(written(""), {name: "1"})
    assert only.startswith(f"{key}: found a key that fly-gha does not know")


def test_variables_that_are_no_settings_are_left_alone(written):
    environ = {"FLY_GHA_FLEET_KEY": "secret", "FLY_GHA_URL": "http://x", "FLY_GHA_TOKEN": "t", "FLY_APP": "a"}
    assert load(written(""), environ) == load(written(""), {})


def test_a_bad_file_ends_serve_with_exit_code_2_and_every_mistake_on_stderr(written):
    path = written("[fleet]\nport = -1\n[timing]\nclaim_poll = 0\n")
    ended = subprocess.run(
        [sys.executable, "-m", "runners.cli", "serve", "--config", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "COLUMNS": "40", "FLY_GHA_FLY__IMAGE": IMAGE},
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert lines[0] == f"{path} cannot be used:"
    assert [line.strip().partition(":")[0] for line in lines[1:]] == ["fleet.port", "timing.claim_poll"]


LEASE = '[github]\ncredentials = "lease"\n'
AT_INFISICAL = '[fleet]\nsecrets = "infisical"\n[infisical]\nproject_id = "p"\n'
ACCESS = {
    "an app without an id": ('[github]\ncredentials = "app"\n', ["github.app_id: "]),
    "leases without Infisical": (LEASE, ["fleet.secrets: found 'local'", "infisical.project_slug: "]),
    "leases for another GitHub": (
        AT_INFISICAL + 'project_slug = "s"\n' + LEASE + 'api_url = "https://ghe.acme.example/api/v3"\n',
        ["github.api_url: found 'https://ghe.acme.example/api/v3', expected https://api.github.com"],
    ),
    "a name that only looks like github.com": (
        AT_INFISICAL + 'project_slug = "s"\n' + LEASE + 'api_url = "https://api.github.com.evil.example"\n',
        ["github.api_url: "],
    ),
    "a Machine without an identity": (
        AT_INFISICAL + 'auth = "fly-oidc"\n',
        ["infisical.identity_id: found nothing"],
    ),
    "a dynamic secret's name that is none": (
        AT_INFISICAL + 'dynamic_secret = "git hub"\n',
        ["infisical.dynamic_secret: found 'git hub', expected: letters, digits and dashes"],
    ),
    "one dynamic secret for two owners": (
        AT_INFISICAL
        + 'project_slug = "s"\ndynamic_secret = "github"\n'
        + LEASE
        + '[[pools]]\nname = "gha-large"\nscope = "orgs/other"\napps = ["b"]\n',
        ["infisical.dynamic_secret: found 'github', expected one with {owner}"],
    ),
}


@pytest.mark.parametrize(("text", "starts"), ACCESS.values(), ids=ACCESS)
def test_what_a_mode_of_access_needs_is_asked_for_before_anything_runs(written, text, starts):
    found = mistakes(written(text))
    assert len(found) == len(starts)
    assert all(line.startswith(start) for line, start in zip(found, starts, strict=True))


def test_leases_of_github_com_need_no_more_than_a_slug(written):
    settings = load(written(AT_INFISICAL + 'project_slug = "s"\n' + LEASE))
    assert settings.infisical.dynamic_secret_of("Acme-Inc") == "github-acme-inc"
    assert settings.infisical.token_audience == "https://app.infisical.com"
