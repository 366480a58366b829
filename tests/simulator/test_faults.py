"""A scripted fault that never met its moment is reported, not forgotten."""

import pytest

from simulator.faults import Faults
from simulator.journal import Journal


class StoppedClock:
    def now(self) -> float:
        return 1000.0

    async def sleep(self, seconds: float) -> None:
        return


def _world(**kwargs: frozenset[str]) -> tuple[Journal, Faults]:
    journal = Journal(StoppedClock())
    return journal, Faults(journal, **kwargs)


def test_a_fault_fires_as_often_as_it_was_armed_for_and_no_more() -> None:
    journal, faults = _world()
    fault_id = faults.add("no_capacity", times=2, region="ams")
    fired = [faults.fire("no_capacity", region="ams", name=n) for n in "abc"]
    assert [f.id if f else None for f in fired] == [fault_id, fault_id, None]
    assert [(e["fault"], e["name"]) for e in journal.of("fault_fired")] == [(fault_id, "a"), (fault_id, "b")]


def test_a_fault_waits_for_facts_that_agree_with_its_match() -> None:
    _, faults = _world()
    faults.add("no_capacity", region="ams")
    assert faults.fire("no_capacity", region="fra") is None
    assert faults.fire("no_capacity") is None, "a fact that is not offered never matches"
    assert faults.fire("never_boots", region="ams") is None
    assert faults.fire("no_capacity", region="ams", app="any") is not None


def test_faults_that_did_not_fire_are_named() -> None:
    _, faults = _world()
    first = faults.add("never_boots")
    second = faults.add("never_boots", times=2)
    faults.fire("never_boots")
    faults.fire("never_boots")
    assert [f.id for f in faults.unfired()] == [second]
    assert faults.all()[0].id == first


def test_params_reach_the_act_without_taking_part_in_the_match() -> None:
    _, faults = _world()
    faults.add("delay_webhook", params={"seconds": 3}, action="queued")
    fault = faults.fire("delay_webhook", action="queued")
    assert fault is not None
    assert fault.params["seconds"] == 3


def test_arming_a_fault_that_could_never_fire_is_refused() -> None:
    _, faults = _world(kinds=frozenset({"never_boots"}))
    with pytest.raises(ValueError, match="never_boot"):
        faults.add("never_boot")
    with pytest.raises(ValueError, match="at least once"):
        faults.add("never_boots", times=0)
