"""Answers kept for repeats: one per token and key, for a day, in no reader's words."""

from runners.store import kept_answers
from runners.store.kept_answers import KEPT_S, KeptAnswer, hashed

ANSWER = KeptAnswer(hashed("POST", "/v1/pools/p/drain"), '{"changed": true}', 100.0)


async def test_an_answer_is_found_by_its_token_and_key_only(store):
    await store.run(lambda conn: kept_answers.keep(conn, "t-1", "key", ANSWER))

    def find(token, key, now=100.0):
        return lambda conn: kept_answers.find(conn, token, key, now)

    assert await store.run(find("t-1", "key")) == ANSWER
    assert await store.run(find("t-2", "key")) is None
    assert await store.run(find("t-1", "other")) is None


async def test_an_answer_is_kept_for_a_day_and_its_key_may_then_be_used_again(store):
    def op(conn):
        kept_answers.keep(conn, "t-1", "key", ANSWER)
        found = [
            kept_answers.find(conn, "t-1", "key", 100.0 + KEPT_S - 1),
            kept_answers.find(conn, "t-1", "key", 100.0 + KEPT_S),
        ]
        kept_answers.keep(conn, "t-1", "key", KeptAnswer("r-2", "{}", 100.0 + KEPT_S))
        return [*found, kept_answers.find(conn, "t-1", "key", 100.0 + KEPT_S)]

    assert await store.run(op) == [ANSWER, None, KeptAnswer("r-2", "{}", 100.0 + KEPT_S)]


async def test_answers_older_than_a_day_are_removed_a_bounded_number_at_a_time(store):
    def op(conn):
        for number in range(5):
            kept_answers.keep(conn, "t-1", f"key-{number}", KeptAnswer("r", "{}", float(number)))
        kept_answers.keep(conn, "t-2", "key-0", KeptAnswer("r", "{}", KEPT_S))
        counts = [kept_answers.purge(conn, KEPT_S + 4.5, 3) for _ in range(3)]
        return counts, kept_answers.find(conn, "t-2", "key-0", KEPT_S + 4.5) is not None

    assert await store.run(op) == ([3, 2, 0], True)


def test_parts_of_a_request_are_not_confused():
    assert hashed("ab", "c") != hashed("a", "bc")
