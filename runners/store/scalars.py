"""The least and the greatest of two numbers, and the day of a time, in SQL that both databases have."""

from typing import Any

from sqlalchemy import Double, Integer
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

DAY_S = 86_400.0


class least(FunctionElement[float]):  # noqa: N801 - an SQL function's name, as SQLAlchemy's own are
    """The smaller of two numbers; both must be there, since NULL means another thing to each database."""

    type = Double()
    inherit_cache = True


class greatest(FunctionElement[float]):  # noqa: N801 - likewise
    """The larger of two numbers; as ``least``."""

    type = Double()
    inherit_cache = True


class day_of(FunctionElement[int]):  # noqa: N801 - likewise
    """Whole days from 1970 to a time in Unix seconds, in UTC."""

    type = Integer()
    inherit_cache = True


@compiles(least)
def _least(element: least, compiler: SQLCompiler, **options: Any) -> str:
    return f"LEAST({compiler.process(element.clauses, **options)})"


@compiles(least, "sqlite")
def _least_sqlite(element: least, compiler: SQLCompiler, **options: Any) -> str:
    return f"MIN({compiler.process(element.clauses, **options)})"


@compiles(greatest)
def _greatest(element: greatest, compiler: SQLCompiler, **options: Any) -> str:
    return f"GREATEST({compiler.process(element.clauses, **options)})"


@compiles(greatest, "sqlite")
def _greatest_sqlite(element: greatest, compiler: SQLCompiler, **options: Any) -> str:
    return f"MAX({compiler.process(element.clauses, **options)})"


@compiles(day_of)
def _day_of(element: day_of, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST(FLOOR({compiler.process(element.clauses, **options)} / {DAY_S}) AS INTEGER)"


@compiles(day_of, "sqlite")
def _day_of_sqlite(element: day_of, compiler: SQLCompiler, **options: Any) -> str:
    # A cast cuts, which is the floor of what is not negative; FLOOR itself is not in every SQLite.
    return f"CAST({compiler.process(element.clauses, **options)} / {DAY_S} AS INTEGER)"
