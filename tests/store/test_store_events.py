"""The audit trail: appended, paged by seq, and its highest seq is the fleet's revision."""

from functools import partial

from runners.model.nouns import Event
from runners.model.reason import Reason
from runners.store import events


def say(conn, **fields):
    values = {
        "at": 1.0,
        "actor": "planner",
        "verb": "said",
        "target": "pool/p",
        "reason": Reason.OBSERVED,
    }
    return events.append(conn, **values | fields)


async def test_an_event_comes_back_as_it_was_appended(store):
    fields = {
        "at": 5.5,
        "actor": "operator:ann",
        "verb": "retired",
        "target": "runner/r",
        "reason": Reason.OPERATOR_RETIRED,
        "detail": "said „weg damit“",
        "outcome": "refused",
        "external_id": "req-1",
    }
    seq = await store.run(partial(events.append, **fields))
    assert await store.run(events.page) == (Event(seq=seq, **fields),)


async def test_the_revision_is_zero_at_first_and_then_only_grows(store):
    assert await store.run(events.revision) == 0
    revisions = []
    for _ in range(3):
        seq = await store.run(say)
        revisions.append(await store.run(events.revision))
        assert revisions[-1] == seq
    assert revisions == sorted(set(revisions))


async def test_an_operation_taken_back_never_gives_its_seq_to_two_events(store):
    seen = [await store.run(say)]

    def fail(conn):
        say(conn)
        raise ValueError

    try:
        await store.run(fail)
    except ValueError:
        seen.append(await store.run(say))
    assert seen[1] > seen[0]
    assert [event.seq for event in await store.run(events.page)] == seen


async def test_pages_are_cut_by_seq_target_actor_and_verb(store):
    def op(conn):
        first = say(conn)
        say(conn, target="job/1")
        say(conn, actor="claim")
        say(conn, verb="moved", target="job/1")
        return first

    first = await store.run(op)

    async def seqs(**filters):
        return [event.seq - first for event in await store.run(partial(events.page, **filters))]

    assert await seqs() == [0, 1, 2, 3]
    assert await seqs(newest_first=True) == [3, 2, 1, 0]
    assert await seqs(limit=2) == [0, 1]
    assert await seqs(after=first + 1) == [2, 3]
    assert await seqs(before=first + 2) == [0, 1]
    assert await seqs(after=first, before=first + 3, newest_first=True) == [2, 1]
    assert await seqs(target="job/1") == [1, 3]
    assert await seqs(actor="claim") == [2]
    assert await seqs(target="job/1", verb="moved") == [3]
