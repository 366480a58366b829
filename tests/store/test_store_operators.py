"""API tokens, operator overrides, and the planner's lease."""

import asyncio

import pytest
from sqlalchemy.exc import IntegrityError

from runners.store import lease, pools, tokens
from runners.store.pools import PoolOverride
from runners.store.tokens import ApiToken

TOKEN = ApiToken("t-1", "laptop", frozenset({"read", "operate"}), ("acme/*",), ("gha-medium",), 10.0, 50.0)
OPEN = ApiToken("t-0", "page", frozenset({"read"}), (), (), 10.0)


async def test_a_token_is_found_by_its_hash_only(store):
    await store.run(lambda conn: tokens.insert(conn, TOKEN, "hash-1"))
    await store.run(lambda conn: tokens.insert(conn, OPEN, "hash-0"))
    assert await store.run(lambda conn: tokens.by_hash(conn, "hash-1")) == TOKEN
    assert await store.run(lambda conn: tokens.by_hash(conn, "t-1")) is None
    assert await store.run(lambda conn: tokens.get(conn, "t-1")) == TOKEN
    assert await store.run(lambda conn: tokens.get(conn, "hash-1")) is None
    assert await store.run(tokens.all) == (OPEN, TOKEN)
    with pytest.raises(IntegrityError):
        await store.run(lambda conn: tokens.insert(conn, OPEN, "hash-9"))


async def test_a_token_is_revoked_once_and_then_opens_nothing(store):
    await store.run(lambda conn: tokens.insert(conn, TOKEN, "hash-1"))

    def op(conn):
        return [tokens.revoke(conn, name, at) for name, at in (("t-1", 20.0), ("t-1", 30.0), ("none", 20.0))]

    assert await store.run(op) == [True, False, False]
    revoked = await store.run(lambda conn: tokens.by_hash(conn, "hash-1"))
    assert revoked.revoked_at == 20.0
    assert not revoked.valid(0.0)


def test_a_token_is_valid_until_its_end_and_one_without_end_forever():
    assert TOKEN.valid(49.9)
    assert not TOKEN.valid(50.0)
    assert OPEN.valid(1e12)


async def test_the_use_of_a_token_is_noted_coarsely(store):
    await store.run(lambda conn: tokens.insert(conn, TOKEN, "hash-1"))

    def op(conn):
        return [tokens.touch(conn, "t-1", at) for at in (100.0, 159.0, 160.0)]

    assert await store.run(op) == [True, False, True]
    assert (await store.run(lambda conn: tokens.by_hash(conn, "hash-1"))).last_used_at == 160.0


async def test_overrides_are_set_field_by_field_and_taken_back(store):
    def op(conn):
        before = pools.overrides(conn)
        pools.set_override(conn, "b", drained=True)
        pools.set_override(conn, "b", max_machines=3, ready=0)
        pools.set_override(conn, "a", stopped=2)
        between = pools.overrides(conn)
        pools.set_override(conn, "b", drained=None)
        return before, between, pools.overrides(conn)

    before, between, after = await store.run(op)
    assert before == {}
    assert list(between) == ["a", "b"]
    assert between["b"] == PoolOverride(drained=True, max_machines=3, ready=0)
    assert after == {"a": PoolOverride(stopped=2), "b": PoolOverride(max_machines=3, ready=0)}
    with pytest.raises(TypeError, match="colour"):
        await store.run(lambda conn: pools.set_override(conn, "a", colour="red"))


async def test_the_fleet_is_paused_resumed_or_left_to_its_setting(store):
    def op(conn):
        seen = [pools.fleet_paused(conn)]
        for value in (True, False, None):
            pools.set_fleet_paused(conn, value)
            seen.append(pools.fleet_paused(conn))
        return seen

    assert await store.run(op) == [None, True, False, None]


async def test_the_lease_is_held_by_one_until_it_ends_or_is_given_back(store):
    def op(conn):
        return [
            lease.holder(conn, 0.0),
            lease.acquire(conn, "a", 0.0, 10.0),
            lease.acquire(conn, "b", 9.9, 10.0),
            lease.acquire(conn, "a", 9.0, 10.0),
            lease.holder(conn, 18.9),
            lease.acquire(conn, "b", 18.9, 10.0),
            lease.holder(conn, 19.0),
            lease.acquire(conn, "b", 19.0, 10.0),
            lease.release(conn, "a"),
            lease.holder(conn, 20.0),
            lease.release(conn, "b"),
            lease.holder(conn, 20.0),
            lease.acquire(conn, "a", 20.0, 10.0),
        ]

    expected = [None, True, False, True, "a", False, None, True, False, "b", True, None, True]
    assert await store.run(op) == expected


async def test_a_term_lasts_until_another_takes_the_lease_however_long_it_has_expired(store):
    def op(conn):
        return [
            lease.term(conn, "a"),
            lease.acquire(conn, "a", 1.0, 10.0) and lease.term(conn, "a"),
            lease.acquire(conn, "a", 5.0, 10.0) and lease.term(conn, "a"),
            lease.term(conn, "b"),
            lease.acquire(conn, "b", 50.0, 10.0) and lease.term(conn, "b"),
            lease.term(conn, "a"),
            lease.acquire(conn, "a", 60.0, 10.0) and lease.term(conn, "a"),
        ]

    assert await store.run(op) == [None, 1.0, 1.0, None, 50.0, None, 60.0]


async def test_of_many_dispatchers_at_once_exactly_one_gets_the_lease(shared_place):
    stores = [shared_place.open() for _ in range(4)]
    for now in (0.0, 100.0):

        def take(number, now=now):
            return lambda conn: lease.acquire(conn, f"holder-{number}", now, 10.0)

        won = await asyncio.gather(*(stores[number % 4].run(take(number)) for number in range(12)))
        assert won.count(True) == 1
        holder = await stores[0].run(lambda conn, now=now: lease.holder(conn, now))
        assert holder == f"holder-{won.index(True)}"
