"""What every operation promises: an order, no clock of its own, and an index for what the planner reads."""

import ast
from dataclasses import fields
from pathlib import Path

import pytest
from sqlalchemy import event, text
from store_promises import promises_kept
from store_samples import a_job, keep

from runners.model.nouns import Boot, Event, Job, Machine, Runner
from runners.store import events, jobs, machines, pace, runners, tables
from runners.store.engine import InlineStore

SOURCE = Path(jobs.__file__).parent
CLOCKS = {"time", "datetime", "random", "uuid", "secrets"}


def test_no_module_of_the_store_can_reach_a_clock_or_chance():
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not CLOCKS & {name.split(".")[0] for name in names}, path


@pytest.mark.parametrize(
    "statement", ["SELECT name\nFROM machines", "select a from (select 1 as a) as x", "SELECT random()"]
)
async def test_the_suite_would_notice_a_statement_that_breaks_the_promises(make_place, statement):
    store = make_place("inline").open()
    with pytest.raises(AssertionError), promises_kept():
        await store.run(lambda conn: conn.execute(text(statement)).all())
    await store.close()


@pytest.mark.parametrize(
    ("table", "noun"),
    [("jobs", Job), ("boots", Boot), ("machines", Machine), ("runners", Runner), ("events", Event)],
)
def test_every_field_of_a_noun_has_a_column_of_its_name(table, noun):
    assert {field.name for field in fields(noun)} - {"boot"} <= set(tables.metadata.tables[table].c.keys())


@pytest.mark.parametrize(
    ("read", "index"),
    [
        (jobs.live, "jobs_live"),
        (machines.live, "machines_live"),
        (runners.live, "runners_live"),
        (lambda conn: events.page(conn, target="job/1"), "events_target"),
        (lambda conn: jobs.page(conn, pool="p", state="queued", limit=1), "jobs"),
        (lambda conn: jobs.by_runner(conn, "r"), "jobs_runner_name"),
        (lambda conn: runners.by_machine(conn, "m"), "runners_machine_name"),
        (lambda conn: runners.page(conn, pool="p", limit=1), "runners_pool"),
        (lambda conn: pace.of_pool(conn, "p"), "runners_pool"),
        (lambda conn: runners.by_hook_token(conn, "h"), "sqlite_autoindex_runners"),
        (lambda conn: runners.writes_since(conn, 1.0), "runners_mint_sent_at"),
        (lambda conn: machines.creates_since(conn, 1.0), "machines_requested_at"),
    ],
)
async def test_what_is_read_often_is_one_query_and_uses_an_index(make_place, read, index):
    store = make_place("inline").open()
    sent = []

    def remember(_conn, _cursor, statement, parameters, *_rest):
        if statement.startswith("SELECT"):
            sent.append((statement, parameters))

    event.listen(store._engine, "before_cursor_execute", remember)
    await store.run(read)
    event.remove(store._engine, "before_cursor_execute", remember)
    ((statement, parameters),) = sent

    def explain(conn):
        return [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]

    plan = await store.run(explain)
    await store.close()
    assert index in " ".join(plan)
    assert not [
        step
        for step in plan
        if step.startswith("SCAN") and "INDEX" not in step and "jobs" in step and index != "jobs"
    ]


async def test_many_stores_live_in_one_process_without_knowing_of_each_other():
    first, second = InlineStore(), InlineStore()
    await first.migrate()
    await second.migrate()
    await keep(first, a_job())
    assert await second.run(jobs.live) == ()
    assert await first.run(jobs.live) == (a_job(),)
    await first.close()
    await second.close()
