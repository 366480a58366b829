"""Sessions of the status page: found by their hash until they end, bounded per token, gone with the token."""

from functools import partial

import pytest

from runners.store import page_sessions, retention, tokens
from runners.store.page_sessions import PER_TOKEN_MAX, PageSession
from runners.store.tokens import ApiToken


def a_session(name="h-1", owner="t-1", created_at=100.0, ends_at=200.0):
    return PageSession(name, owner, created_at, ends_at)


@pytest.fixture
async def kept(store):
    def op(conn):
        for name in ("t-1", "t-2"):
            tokens.insert(conn, ApiToken(name, "page", frozenset({"read"}), (), (), 1.0), f"hash-{name}")

    await store.run(op)
    return store


async def test_a_session_is_found_by_its_hash_until_it_ends(kept):
    def op(conn):
        page_sessions.begin(conn, a_session())
        found = [page_sessions.find(conn, "h-1", now) for now in (100.0, 199.9, 200.0)]
        return [*found, page_sessions.find(conn, "h-2", 100.0)]

    assert await kept.run(op) == [a_session(), a_session(), None, None]


async def test_a_session_that_was_ended_is_gone_and_ending_it_again_does_nothing(kept):
    def op(conn):
        page_sessions.begin(conn, a_session())
        ended = [page_sessions.end(conn, "h-1"), page_sessions.end(conn, "h-1")]
        return ended, page_sessions.find(conn, "h-1", 100.0)

    assert await kept.run(op) == ([True, False], None)


async def test_one_session_too_many_ends_the_oldest_of_its_token_and_no_other(kept):
    def op(conn):
        page_sessions.begin(conn, a_session("other", "t-2", created_at=1.0))
        for number in range(PER_TOKEN_MAX + 2):
            page_sessions.begin(conn, a_session(f"h-{number}", created_at=100.0 + number))
        names = ("other", "h-0", "h-1", "h-2")
        return [page_sessions.find(conn, name, 150.0) is not None for name in names]

    assert await kept.run(op) == [True, False, False, True]


async def test_sessions_that_have_ended_are_removed_a_bounded_number_at_a_time(kept):
    def op(conn):
        for number in range(3):
            page_sessions.begin(conn, a_session(f"h-{number}"))
        page_sessions.begin(conn, a_session("later", ends_at=300.0))
        counts = [page_sessions.purge(conn, 200.0, 2) for _ in range(3)]
        return counts, page_sessions.find(conn, "later", 200.0) is not None

    assert await kept.run(op) == ([2, 1, 0], True)


async def test_retention_removes_ended_sessions_too(kept):
    await kept.run(lambda conn: page_sessions.begin(conn, a_session()))
    assert (await kept.run(partial(retention.purge, before=0.0))).page_sessions == 0
    assert (await kept.run(partial(retention.purge, before=0.0, now=200.0))).page_sessions == 1
