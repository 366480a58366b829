"""Sealed registrations are handed to one nonce only; deliveries and cursors are remembered."""

import asyncio

from store_samples import a_machine, a_runner, keep

from runners.store import deliveries, sealed
from runners.store.sealed import Sealed


async def test_a_registration_is_kept_bound_and_forgotten(store):
    await keep(store, a_machine(), a_runner())

    def op(conn):
        put = sealed.put(conn, "m-1-1", b"\x00\xffsealed", 10.0)
        kept = sealed.get(conn, "m-1-1")
        bound = sealed.bind_nonce(conn, "m-1-1", "hash", 11.0)
        return put, kept, bound, sealed.get(conn, "m-1-1")

    assert await store.run(op) == (
        True,
        Sealed("m-1-1", b"\x00\xffsealed", 10.0),
        True,
        Sealed("m-1-1", b"\x00\xffsealed", 10.0, "hash", 11.0),
    )
    assert await store.run(lambda conn: sealed.delete(conn, "m-1-1")) is True
    assert await store.run(lambda conn: sealed.delete(conn, "m-1-1")) is False
    assert await store.run(lambda conn: sealed.get(conn, "m-1-1")) is None
    assert await store.run(lambda conn: sealed.bind_nonce(conn, "m-1-1", "hash", 12.0)) is False


async def test_the_same_nonce_gets_it_again_and_the_first_time_stays(store):
    await keep(store, a_machine(), a_runner())

    def op(conn):
        sealed.put(conn, "m-1-1", b"x", 10.0)
        asked = [
            sealed.bind_nonce(conn, "m-1-1", nonce, at)
            for nonce, at in (("a", 11.0), ("b", 12.0), ("a", 13.0))
        ]
        return asked, sealed.get(conn, "m-1-1")

    assert await store.run(op) == ([True, False, True], Sealed("m-1-1", b"x", 10.0, "a", 11.0))


async def test_a_newer_registration_replaces_one_that_nobody_was_given(store):
    await keep(store, a_machine(), a_runner())

    def op(conn):
        sealed.put(conn, "m-1-1", b"old", 10.0)
        replaced = sealed.put(conn, "m-1-1", b"new", 20.0)
        sealed.bind_nonce(conn, "m-1-1", "a", 21.0)
        return replaced, sealed.put(conn, "m-1-1", b"late", 22.0), sealed.get(conn, "m-1-1")

    assert await store.run(op) == (True, False, Sealed("m-1-1", b"new", 20.0, "a", 21.0))


async def test_of_many_nonces_at_once_exactly_one_is_given_the_registration(shared_place):
    stores = [shared_place.open() for _ in range(4)]
    await keep(stores[0], a_machine(), a_runner())
    await stores[0].run(lambda conn: sealed.put(conn, "m-1-1", b"x", 10.0))

    won = await asyncio.gather(
        *(
            stores[n % 4].run(lambda conn, n=n: sealed.bind_nonce(conn, "m-1-1", f"nonce-{n}", float(n)))
            for n in range(16)
        )
    )

    assert won.count(True) == 1
    kept = await stores[0].run(lambda conn: sealed.get(conn, "m-1-1"))
    assert kept.nonce_hash == f"nonce-{won.index(True)}"


async def test_a_claim_token_is_new_once(store):
    def op(conn):
        return [sealed.remember_jti(conn, jti, 100.0) for jti in ("a", "a", "b")]

    assert await store.run(op) == [True, False, True]


async def test_a_delivery_is_recorded_once(store):
    def record(conn):
        return deliveries.record(
            conn, "guid", event="workflow_job", action="queued", at=1.0, job_id=2**40, outcome="accepted"
        )

    assert await store.run(lambda conn: deliveries.known(conn, "guid")) is False
    assert await store.run(record) is True
    assert await store.run(record) is False
    assert await store.run(lambda conn: deliveries.known(conn, "guid")) is True


async def test_a_cursor_is_where_it_was_set_last(store):
    def op(conn):
        before = deliveries.cursor(conn, "log")
        deliveries.set_cursor(conn, "log", "1")
        deliveries.set_cursor(conn, "log", "2")
        deliveries.set_cursor(conn, "other", "9")
        return before, deliveries.cursor(conn, "log")

    assert await store.run(op) == (None, "2")
