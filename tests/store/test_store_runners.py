"""Runners: what comes back is what was stored; live ones, pages, hook tokens, and the write budget."""

import dataclasses

import pytest
from sqlalchemy.exc import IntegrityError
from store_samples import a_machine, a_runner, keep

from runners.model.nouns import Runner
from runners.model.reason import Reason
from runners.model.states import RunnerState
from runners.store import events, runners


async def test_a_runner_comes_back_as_it_was_stored(store):
    times = {field.name: 5.25 for field in dataclasses.fields(Runner) if field.name.endswith("_at")}
    whole = a_runner("m-1-2", github_id=2**40, job_id=2**41, reason=Reason.DEMAND, **times)
    await keep(store, a_machine(), a_runner(), whole)
    assert await store.run(lambda conn: runners.get(conn, "m-1-1")) == a_runner()
    assert await store.run(lambda conn: runners.get(conn, "m-1-2")) == whole
    assert await store.run(lambda conn: runners.get(conn, "none")) is None


async def test_a_runner_needs_its_machine_and_a_new_name(store):
    with pytest.raises(IntegrityError):
        await keep(store, a_runner())
    await keep(store, a_machine(), a_runner(state=RunnerState.GONE))
    with pytest.raises(IntegrityError):
        await keep(store, a_runner())
    assert [event.target for event in await store.run(events.page)] == ["machine/m-1", "runner/m-1-1"]


async def test_live_runners_and_those_of_a_machine_come_by_request_time(store):
    await keep(
        store,
        a_machine("m-1"),
        a_machine("m-2"),
        a_runner("a", requested_at=3.0),
        a_runner("b", requested_at=1.0, state=RunnerState.GONE),
        a_runner("c", "m-2", requested_at=1.0),
        a_runner("d", requested_at=1.0, state=RunnerState.RETIRING),
    )
    assert [runner.name for runner in await store.run(runners.live)] == ["c", "d", "a"]
    of_one = await store.run(lambda conn: runners.by_machine(conn, "m-1"))
    assert [runner.name for runner in of_one] == ["b", "d", "a"]


async def test_a_hook_token_opens_its_own_runner_only(store):
    await keep(store, a_machine(), a_runner("a"), a_runner("b"))

    def op(conn):
        told = runners.set_hook_token(conn, "a", "hash-a"), runners.set_hook_token(conn, "none", "hash-n")
        found = [runners.by_hook_token(conn, token) for token in ("hash-a", "hash-b")]
        runners.set_hook_token(conn, "a", None)
        return told, found, runners.by_hook_token(conn, "hash-a")

    assert await store.run(op) == ((True, False), [a_runner("a"), None], None)
    with pytest.raises(TypeError, match="hook_token_hash"):
        await store.run(lambda conn: runners.update(conn, "a", hook_token_hash="x"))


async def test_update_sets_fields_and_says_whether_the_runner_is_known(store):
    await keep(store, a_machine(), a_runner())
    assert await store.run(lambda conn: runners.update(conn, "m-1-1", mint_sent_at=9.0, github_id=7))
    assert await store.run(lambda conn: runners.update(conn, "none", github_id=7)) is False
    assert await store.run(lambda conn: runners.get(conn, "m-1-1")) == a_runner(mint_sent_at=9.0, github_id=7)


async def test_pages_go_back_from_the_newest_request(store):
    await keep(
        store,
        a_machine(),
        a_runner("a", requested_at=2.0),
        a_runner("b", requested_at=2.0, pool="gha-large"),
        a_runner("c", requested_at=1.0, state=RunnerState.BUSY),
        a_runner("d", requested_at=3.0, state=RunnerState.GONE),
    )

    async def names(**filters):
        return [runner.name for runner in await store.run(lambda conn: runners.page(conn, **filters))]

    assert await names() == ["d", "b", "a", "c"]
    assert await names(limit=2) == ["d", "b"]
    assert await names(limit=2, after="b") == ["a", "c"]
    assert await names(after="none") == []
    assert await names(state=RunnerState.BUSY) == ["c"]
    assert await names(state=[RunnerState.BUSY, RunnerState.GONE]) == ["d", "c"]
    assert await names(pool="gha-large") == ["b"]
    assert await names(pool=()) == []


async def test_mints_and_deletes_are_counted_per_owner(store):
    await keep(
        store,
        a_machine(),
        a_runner("a", mint_sent_at=12.0, delete_sent_at=20.0),
        a_runner("b", mint_sent_at=9.0, delete_sent_at=10.0, state=RunnerState.GONE),
        a_runner("c", scope="repos/globex/app", mint_sent_at=11.0),
        a_runner("d"),
    )
    assert await store.run(lambda conn: runners.writes_since(conn, 10.0)) == {
        "acme": (10.0, 12.0, 20.0),
        "globex": (11.0,),
    }
