"""The journal is the judge's only witness: numbered, ordered, and never edited by what it records."""

import pytest

from simulator.journal import Journal


class StoppedClock:
    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


def test_entries_are_numbered_from_one_and_stamped_by_the_clock() -> None:
    clock = StoppedClock()
    journal = Journal(clock)
    journal.record("machine_created", name="a")
    clock.time = 1002.5
    journal.record("machine_started", name="a")
    assert [(e["seq"], e["at"], e["kind"]) for e in journal] == [
        (1, 1000.0, "machine_created"),
        (2, 1002.5, "machine_started"),
    ]
    assert journal.last_seq == len(journal) == 2


def test_reading_after_a_number_leaves_out_what_was_seen() -> None:
    journal = Journal(StoppedClock())
    for name in "abc":
        journal.record("machine_created", name=name)
    assert [e["name"] for e in journal.after(1)] == ["b", "c"]
    assert journal.after(3) == []
    assert len(journal.after(-5)) == 3


def test_entries_of_a_kind_are_found_by_their_fields() -> None:
    journal = Journal(StoppedClock())
    journal.record("refused", status=409, name="a")
    journal.record("refused", status=422, name="b")
    journal.record("machine_created", name="a")
    assert [e["name"] for e in journal.of("refused", status=409)] == ["a"]
    assert journal.of("refused", missing=1) == []


def test_a_field_may_not_hide_the_journals_own() -> None:
    with pytest.raises(ValueError, match="seq"):
        Journal(StoppedClock()).record("refused", seq=7)
