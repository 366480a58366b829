"""What the verdict adds for the chosen fleet; each promise can be seen to fail."""

import pytest

from runners.cli.demo.judge_variant import APP_KEY, judge_variant
from runners.cli.demo.options import Credentials, Registration, Variant

WARM = Variant(Registration.JIT, Credentials.PUBLISHED, stopped=1, ready=1)


def registered(mode: str) -> dict[str, object]:
    return {"kind": "runner_registered", "mode": mode}


def read(identity: str, *names: str) -> dict[str, object]:
    return {"kind": "secret_read", "identity": identity, "names": list(names)}


def made(name: str, at: float, *, skip_launch: bool) -> dict[str, object]:
    return {"kind": "machine_created", "name": name, "at": at, "skip_launch": skip_launch}


FLY = [made("m-stopped", 1.0, skip_launch=True), made("m-ready", 2.0, skip_launch=False)]
GITHUB = [
    registered("jit"),
    {"kind": "job_queued", "at": 3.0},
    {"kind": "job_started", "runner": "m-stopped-1", "at": 4.0},
    {"kind": "job_started", "runner": "m-ready-2", "at": 4.0},
]
INFISICAL = [read("publisher", APP_KEY), read("dispatcher", "FLY_API_TOKEN")]


def failed(variant=WARM, fly=FLY, github=GITHUB, infisical=INFISICAL) -> set[str]:
    checks = judge_variant(variant, {"fly": fly, "github": github, "infisical": infisical})
    return {check.name for check in checks if not check.ok}


def test_a_fleet_that_is_as_chosen_passes() -> None:
    assert failed() == set()
    by_app = Variant(Registration.AUTO, Credentials.APP)
    both = [registered("jit"), registered("token")]
    assert failed(by_app, github=both, infisical=[read("dispatcher", APP_KEY)]) == set()
    assert failed(Variant(), github=both) == set()


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"github": [*GITHUB, registered("token")]}, "registered_as_chosen"),
        ({"github": GITHUB[1:]}, "registered_as_chosen"),
        ({"infisical": [read("dispatcher", "FLY_API_TOKEN", APP_KEY)]}, "app_key_kept"),
        ({"github": GITHUB[:3]}, "spares_served"),
        ({"fly": [FLY[0], made("m-ready", 3.5, skip_launch=False)]}, "spares_served"),
        ({"fly": [made("m-stopped", 1.0, skip_launch=False), FLY[1]]}, "spares_served"),
    ],
)
def test_each_broken_promise_fails_its_check(change: dict[str, object], check: str) -> None:
    assert failed(**change) == {check}


def test_in_mode_app_a_dispatcher_that_never_read_the_key_is_not_what_was_chosen() -> None:
    chosen = Variant(Registration.JIT, Credentials.APP)
    assert failed(chosen) == {"app_key_kept"}
