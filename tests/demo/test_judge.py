"""The judge believes the simulators' journals and nothing else; each promise can be seen to fail."""

import pytest

from runners.cli.demo.judge import Caps, judge

CAPS = Caps(fleet=3, pools={"medium": 2, "small": 1})


def machine(kind: str, name: str, live: int, live_pool: int, pool: str = "medium") -> dict[str, object]:
    return {"kind": kind, "id": name, "name": name, "pool": pool, "live": live, "live_pool": live_pool}


FLY = [
    machine("machine_created", "m1", 1, 1),
    machine("machine_created", "m2", 2, 2),
    machine("machine_destroyed", "m1", 1, 1),
    machine("machine_destroyed", "m2", 0, 0),
]
GITHUB = [
    {"kind": "runner_registered", "runner_id": 1, "name": "r1"},
    {"kind": "job_completed", "job_id": 7, "conclusion": "success"},
    {"kind": "job_completed", "job_id": 8, "conclusion": "failure"},
    {"kind": "runner_removed", "runner_id": 1, "name": "r1"},
]


def failed(fly=FLY, github=GITHUB, expected=None, lost=None, unfired=()) -> set[str]:
    checks = judge(
        fly,
        github,
        expected={7: "success", 8: "failure"} if expected is None else expected,
        lost={8: "machine_lost"} if lost is None else lost,
        unfired=unfired,
        armed=1,
        caps=CAPS,
    )
    return {check.name for check in checks if not check.ok}


def test_a_clean_world_passes_every_check() -> None:
    assert failed() == set()
    volume = [{"kind": f"volume_{what}", "id": "vol_1"} for what in ("created", "deleted")]
    assert failed(fly=[*FLY, *volume]) == set()


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"unfired": ["fly: never_boots {}"]}, "faults_fired"),
        ({"expected": {7: "success", 9: "success"}}, "jobs_concluded"),
        ({"expected": {7: "failure"}}, "jobs_concluded"),
        ({"lost": {8: None}}, "loss_explained"),
        ({"fly": FLY[:3]}, "no_live_machine"),
        ({"fly": [*FLY, {"kind": "volume_created", "id": "vol_1"}]}, "no_volume_left"),
        ({"github": GITHUB[:3]}, "no_registration_left"),
        ({"fly": [*FLY[:2], machine("machine_created", "m3", 3, 3), *FLY[2:]]}, "caps_held"),
        ({"fly": [*FLY, machine("machine_created", "m4", 4, 1, "small")]}, "caps_held"),
        ({"fly": [*FLY, {"kind": "rate_limited"}]}, "limits_not_hit"),
        ({"github": [*GITHUB, {"kind": "rate_limited"}]}, "limits_not_hit"),
    ],
)
def test_each_broken_promise_fails_its_check(change: dict[str, object], check: str) -> None:
    assert check in failed(**change)
