"""What fly-gha init writes: word for word, for each way to run a fleet; FLY_GHA_GOLDEN=write writes anew."""

import itertools
import os
import tomllib
from pathlib import Path

import pytest

from runners.cli.init.canary import canary
from runners.cli.init.choices import Choices, choose
from runners.cli.init.fleet_toml import fleet_toml, missing
from runners.cli.init.permissions import WORDS, app_permissions, permissions_page, rights
from runners.cli.init.rules import RULES
from runners.fleet_file import check_settings
from runners.github.app_auth import ORGANIZATION_PERMISSIONS, REPOSITORY_PERMISSIONS
from runners.model.settings import GitHubSettings
from runners.secrets.names import CREDENTIALS

GOLDEN = Path(__file__).parent / "golden" / "init"
IMAGE = f"registry.fly.io/acme-runners-a@sha256:{'0f' * 32}"
WHERE = {"org": "acme", "fly_org": "acme-fly", "public_url": "https://runners.acme.example"}
KINDS = {
    "published": {
        "classes": ("medium", "small"),
        "apps": ("acme-runners-a", "acme-runners-b"),
        "regions": ("iad", "ewr"),
        "infisical_project": "6f1c1a52-8a3b-4d29-a8f0-0a6d0c8a9b11",
        "registration": "auto",
        "app_id": "123456",
        "image": IMAGE,
        "stopped": 2,
        "ready": 1,
    },
    "small": {"credentials": "app"},
    "leased-at-fly": {
        "credentials": "lease",
        "infisical_project": "p1",
        "infisical_project_slug": "runners",
        "infisical_auth": "fly-oidc",
        "infisical_identity": "i1",
        "image": IMAGE,
    },
}


def chosen(**given):
    choices = choose(given)
    assert isinstance(choices, Choices), choices
    return choices


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["fleet.toml", "PERMISSIONS.md", "canary.yml"])
def test_a_file_is_word_for_word_its_golden_one(kind, name):
    choices = chosen(**WHERE, **KINDS[kind])
    written = {
        "fleet.toml": fleet_toml,
        "PERMISSIONS.md": lambda all_of_it: permissions_page(all_of_it, rights(all_of_it)),
        "canary.yml": lambda all_of_it: "\n".join(canary(all_of_it).splitlines()[:40]) + "\n",
    }[name](choices)
    path = GOLDEN / f"{kind}-{name}"
    if os.environ.get("FLY_GHA_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(written)
    assert written == path.read_text()


def test_every_combination_that_init_accepts_is_a_fleet_that_loads():
    loaded = 0
    for credentials, registration, secrets, dispatcher in itertools.product(
        ("published", "lease", "app"), ("jit", "token", "auto"), ("local", "infisical"), ("host", "fly")
    ):
        for whose in ({"org": "acme"}, {"repository": "acme/web"}):
            where = {"fly_org": "acme", "public_url": WHERE["public_url"], **whose}
            how = {"credentials": credentials, "registration": registration, "secrets": secrets}
            more = {"infisical_project": "p", "infisical_project_slug": "s", "app_id": "1", "image": IMAGE}
            choices = choose({**where, **how, **more, "dispatcher": dispatcher, "stopped": 3})
            if not isinstance(choices, Choices):
                continue
            settings = check_settings(tomllib.loads(fleet_toml(choices)), "fleet.toml")
            assert (settings.github.credentials, settings.pools[0].registration) == (
                credentials,
                registration,
            )
            assert (settings.fleet.secrets, settings.pools[0].scope) == (secrets, choices.scope)
            assert (settings.fly.image, settings.pools[0].stopped) == (IMAGE, 3)
            assert (settings.fleet.secrets_file is None) == (dispatcher == "fly")
            loaded += 1
    assert loaded == 42


def test_what_is_still_missing_is_in_the_file_as_a_comment_that_completes_it():
    choices = chosen(**WHERE, credentials="app")
    assert missing(choices) == ("fly.image", "github.app_id")
    text = fleet_toml(choices)
    document = tomllib.loads(text.replace("# image = ", "image = ").replace("# app_id = ", "app_id = "))
    assert document["fly"]["image"]
    assert document["github"]["app_id"]
    assert "image" not in tomllib.loads(text)["fly"]


def test_the_file_holds_text_that_needs_quoting():
    choices = chosen(**WHERE, infisical_project="p", runner_group='The "best" \\ group é 😀')
    assert tomllib.loads(fleet_toml(choices))["pools"][0]["runner_group"] == 'The "best" \\ group é 😀'


@pytest.mark.parametrize(
    ("given", "wanted"),
    [({"org": "acme"}, ORGANIZATION_PERMISSIONS), ({"repository": "acme/web"}, REPOSITORY_PERMISSIONS)],
)
def test_the_list_asks_github_for_what_the_code_mints_with_and_nothing_else(given, wanted):
    choices = chosen(**{**WHERE, "org": "", **given}, credentials="app")
    assert app_permissions(choices) == wanted
    listed = [right for right in rights(choices) if right.where == "GitHub App" and right.what.endswith(")")]
    assert {right.what.partition("(")[2].rstrip(")"): right.level for right in listed} == wanted
    assert set(WORDS) == set(ORGANIZATION_PERMISSIONS) | set(REPOSITORY_PERMISSIONS)


def test_no_process_is_told_to_hold_a_secret_that_another_one_guards():
    published = rights(chosen(**WHERE, infisical_project="p"))
    holders = {right.where for right in published if right.what == "GITHUB_APP_PRIVATE_KEY"}
    assert holders == {"Secrets of the publisher"}
    app = rights(chosen(**WHERE, credentials="app"))
    assert {right.where for right in app if right.what in CREDENTIALS} == {"Secrets of the dispatcher"}


def test_the_ways_of_access_that_init_offers_are_those_of_the_settings():
    assert GitHubSettings.model_fields["credentials"].default in RULES["credentials"].expected()
