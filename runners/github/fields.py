"""Reading other people's JSON one typed field at a time, so that a surprise is named and never a traceback.

githubkit's own models are strict: a payload that lacks one field of the newest schema (an older GitHub
Enterprise Server, a schema that drifted) fails as a whole. We need about a dozen fields, and read just these.

Text is cleaned on the way in: a lone surrogate or a NUL is legal in JSON and fatal in a database.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Self

# GitHub's ids are 64-bit; a larger number does not fit the store's column.
BIGGEST = 2**63 - 1

# Names, branches and URLs are shown, not computed with. Longer ones are cut.
TEXT_MAX = 1024

_KINDS: Mapping[type, str] = {
    bool: "a truth value",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


class FieldWrongError(ValueError):
    """One field is not what it must be. The message names path, expectation and kind, never the value."""

    def __init__(self, path: str, expected: str, found: object) -> None:
        self.path = path
        self.expected = expected
        self.found = kind_of(found)
        super().__init__(f"{path}: expected {expected}, found {self.found}")


class Fields:
    """A JSON object under a path, read field by field. A missing field reads as null."""

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, Mapping):
            raise FieldWrongError(path or "body", "an object", value)
        self._value = value
        self._path = path

    def at(self, key: str) -> str:
        """The path of a field, for messages."""
        return f"{self._path}.{key}" if self._path else key

    def whole(self, key: str, *, default: int | None = None) -> int:
        """A whole number above 0; ``default`` stands in for null."""
        value = self._value.get(key)
        if value is None and default is not None:
            return default
        return _whole(value, self.at(key), least=1)

    def whole_or_none(self, key: str) -> int | None:
        """A whole number above 0; null and 0 both mean none."""
        value = self._value.get(key)
        if value is None:
            return None
        return _whole(value, self.at(key), least=0) or None

    def text(self, key: str) -> str:
        """Text that must be there and not be empty."""
        value = self._value.get(key)
        if not isinstance(value, str) or not value:
            raise FieldWrongError(self.at(key), "text", value)
        return clean(value)

    def text_or_empty(self, key: str) -> str:
        """Text; null reads as empty."""
        value = self._value.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise FieldWrongError(self.at(key), "text or null", value)
        return clean(value)

    def value(self, key: str) -> object:
        """The field as it is."""
        return self._value.get(key)

    def secret(self, key: str) -> str:
        """Text that is passed on exactly as it came."""
        value = self._value.get(key)
        if not isinstance(value, str) or not value:
            raise FieldWrongError(self.at(key), "text", value)
        return value

    def flag(self, key: str) -> bool:
        """A truth value that must be there."""
        value = self._value.get(key)
        if not isinstance(value, bool):
            raise FieldWrongError(self.at(key), "a truth value", value)
        return value

    def flag_or_none(self, key: str) -> bool | None:
        """A truth value, or None when the field is null."""
        return None if self._value.get(key) is None else self.flag(key)

    def time(self, key: str) -> float:
        """An ISO 8601 time, as Unix seconds."""
        when = self.time_or_none(key)
        if when is None:
            raise FieldWrongError(self.at(key), "a time", self._value.get(key))
        return when

    def time_or_none(self, key: str) -> float | None:
        """An ISO 8601 time, as Unix seconds; null and times before 1970 (Go's zero time) mean none."""
        value = self._value.get(key)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise FieldWrongError(self.at(key), "a time or null", value)
        try:
            when = datetime.fromisoformat(value)
            seconds = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            raise FieldWrongError(self.at(key), "a time or null", value) from None
        return seconds if seconds > 0 else None

    def part(self, key: str) -> Self:
        """An object inside this one."""
        return type(self)(self._value.get(key), self.at(key))

    def part_or_none(self, key: str) -> Self | None:
        """An object inside this one, or None when the field is null."""
        return None if self._value.get(key) is None else self.part(key)

    def parts(self, key: str) -> tuple[Self, ...]:
        """A list of objects that must be there."""
        value = self._value.get(key)
        if not isinstance(value, list):
            raise FieldWrongError(self.at(key), "a list of objects", value)
        return tuple(type(self)(item, f"{self.at(key)}[{index}]") for index, item in enumerate(value))

    def texts(self, key: str, *, most: int, longest: int) -> tuple[str, ...]:
        """A list of texts, none empty; null reads as empty."""
        value = self._value.get(key)
        if value is None:
            return ()
        expected = f"a list of at most {most} texts of 1 to {longest} characters"
        if not isinstance(value, list) or len(value) > most:
            raise FieldWrongError(self.at(key), expected, value)
        for index, item in enumerate(value):
            if not isinstance(item, str) or not 0 < len(item) <= longest:
                raise FieldWrongError(f"{self.at(key)}[{index}]", expected, item)
        return tuple(clean(item) for item in value)


def clean(text: str) -> str:
    """The text as a database and a page can hold it: no NUL, no lone surrogate, at most TEXT_MAX long."""
    return (
        text[:TEXT_MAX].replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


def kind_of(value: object) -> str:
    """The JSON kind of a value, in words: what a message may say about other people's data."""
    return next((name for kind, name in _KINDS.items() if isinstance(value, kind)), type(value).__name__)


def _whole(value: object, path: str, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= BIGGEST:
        raise FieldWrongError(path, f"a whole number from {least} to 2^63", value)
    return value
