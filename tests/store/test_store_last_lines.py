"""What a runner said last: kept once, removed by age."""

from runners.store import last_lines
from runners.store.retention import purge


async def test_the_first_last_lines_stay_and_belong_to_one_runner(store):
    def op(conn):
        kept = [
            last_lines.keep(conn, "r-1", ["one", "two"], at=100.0),
            last_lines.keep(conn, "r-1", ["forged"], at=101.0),
        ]
        return kept, last_lines.of(conn, "r-1"), last_lines.of(conn, "r-2")

    assert await store.run(op) == ([True, False], ("one", "two"), ())


async def test_last_lines_go_with_what_is_old(store):
    def op(conn):
        last_lines.keep(conn, "r-1", ["old"], at=100.0)
        last_lines.keep(conn, "r-2", ["new"], at=200.0)
        purged = purge(conn, 150.0)
        return purged.last_lines, purged.total, last_lines.of(conn, "r-1"), last_lines.of(conn, "r-2")

    assert await store.run(op) == (1, 1, (), ("new",))
