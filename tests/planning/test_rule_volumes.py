"""Step 2 for volumes: alone long enough, no faster than Fly allows, and never on what could not be read."""

import pytest

from runners.model.reason import Reason
from runners.model.snapshot import Limits, VolumeReading
from runners.planning.plan import SweepVolume
from runners.planning.planned import planned
from runners.planning.planner import plan
from runners.planning.sweep_preview import place_of, preview
from runners.planning.sweep_volumes import patience
from tests.planning.builders import APP, NOW, TIMING, snapshot

PATIENCE = patience(TIMING)
LONG_AGO = NOW - PATIENCE - 1


def read(*ids, since=LONG_AGO, at=NOW):
    return {APP: VolumeReading(at, dict.fromkeys(ids, since))}


def swept(**fields):
    return [action for action in plan(snapshot(**fields)).actions if isinstance(action, SweepVolume)]


def test_a_volume_is_swept_when_readings_have_shown_it_alone_for_as_long_as_a_launch_may_take():
    assert max(TIMING.absence_confirm, TIMING.launch_deadline) <= PATIENCE
    assert swept(volumes=read("vol_1", since=NOW - PATIENCE + 1)) == []
    (action,) = swept(volumes=read("vol_1"))
    assert (action.app, action.volume_id, action.why.reason) == (
        APP, "vol_1", Reason.VOLUME_WITHOUT_MACHINE,
    )  # fmt: skip


def test_one_reading_is_not_enough_however_old_it_grows():
    assert swept(volumes=read("vol_1", since=NOW - 3000, at=NOW - 3000)) == []


@pytest.mark.parametrize("volumes", [{}, {APP: None}])
def test_what_could_not_be_read_is_unknown_not_alone(volumes):
    assert swept(volumes=volumes) == []


def test_a_volume_that_was_swept_is_swept_again_only_when_it_is_still_shown_later():
    key = f"volume/{APP}/vol_1"
    assert swept(volumes=read("vol_1"), swept={key: NOW - 1}) == []
    assert len(swept(volumes=read("vol_1"), swept={key: NOW - TIMING.destroy_again - 1})) == 1


def test_a_burst_is_let_through_and_the_rest_waits_until_fly_takes_more():
    before = snapshot(volumes=read(*(f"vol_{number}" for number in range(9))))
    decided = plan(before)
    burst = before.limits.create_burst
    assert len([action for action in decided.actions if isinstance(action, SweepVolume)]) == burst
    held = [each for each in decided.held if each.target.startswith("volume/")]
    assert {each.why.reason for each in held} == {Reason.FLY_VOLUME_BUDGET}
    assert len(held) == 9 - burst
    assert NOW < decided.wake_at <= NOW + 2
    assert plan(planned(before, decided.actions)).actions == ()


def test_each_app_has_its_own_bucket_and_a_broken_app_is_not_asked():
    ids = [f"vol_{number}" for number in range(5)]
    two = {**read(*ids), "other": read(*ids)[APP]}
    assert len(swept(volumes=two)) == 6
    limits = Limits(blocked_until={f"fly:{APP}": NOW + 60})
    assert {action.app for action in swept(volumes=two, limits=limits)} == {"other"}


def test_a_preview_shows_what_is_sure_and_what_is_only_suspected():
    reading = VolumeReading(NOW, {"vol_1": LONG_AGO, "vol_2": NOW - 1})
    sure, suspected = preview(snapshot(volumes={APP: reading}))
    assert place_of(snapshot(), sure.action) == ("volume", "vol_1", APP)
    assert (sure.confirmed, suspected.confirmed) == (True, False)
    assert suspected.confirmed_at == NOW - 1 + PATIENCE
