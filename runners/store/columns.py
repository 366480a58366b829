"""Column types that turn what is stored into the model's own values, so that queries return typed rows.

Enumerations are stored as their stable text and lists as JSON text: both read the same on SQLite and
PostgreSQL, and in any SQL shell.
"""

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Generic, TypeVar

from sqlalchemy import Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

W = TypeVar("W", bound=StrEnum)


class Word(TypeDecorator[W], Generic[W]):
    """A StrEnum, stored as its value. A text that the enumeration does not know raises ValueError."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[W]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: W | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - its interface
        """Check and store the plain text (asyncpg wants ``str`` itself)."""
        return None if value is None else str(self.words(value).value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> W | None:  # noqa: ARG002 - its interface
        """Read the word back."""
        return None if value is None else self.words(value)


class TextList(TypeDecorator[tuple[str, ...]]):
    """A tuple of texts, stored as a JSON array in their order."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Iterable[str] | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - its interface
        """Store as JSON."""
        return None if value is None else json.dumps(list(value), ensure_ascii=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...] | None:  # noqa: ARG002 - its interface
        """Read the tuple back."""
        return None if value is None else tuple(json.loads(value))
