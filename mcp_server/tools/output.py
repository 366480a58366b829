"""Output: the base of every structured answer, and how a long one is shortened to fit the soft budget."""

import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from runners.wire.times import Time

BYTES_PER_TOKEN = 4
"""Estimate: tokenizers of today's models make one token of about four bytes of English text or JSON."""


class Part(BaseModel):
    """A piece of an answer: immutable and closed, so that a misspelt field is an error at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Output(Part):
    """What every answer says about itself.

    ``revision``, ``as_of`` and ``age_s`` are absent only where nothing of the fleet was read: in a gate that
    fails because nothing could be, and in what tells about this server alone.

    A list in an answer is named in ``shortens``; when the whole is over the soft budget that list is cut to
    the rows that fit, at least one, and ``continued`` says how to go on.
    """

    shortens: ClassVar[str] = ""

    revision: int | None = Field(
        None, description="Of the fleet's event log; it only grows. Give it back as min_revision."
    )
    as_of: Time | None = Field(None, description="When the dispatcher read what is answered.")
    age_s: float | None = Field(None, description="Seconds since then, measured here.")
    stale: bool = Field(description="True when the fleet could not be followed: this may no longer hold.")

    def shortened(self, rows: int) -> Self:
        """The same with only the first ``rows`` of the list named by ``shortens``."""
        kept = getattr(self, self.shortens)[:rows]
        return self.model_copy(update={self.shortens: kept, **self.continued(rows)})

    def continued(self, rows: int) -> dict[str, Any]:  # noqa: ARG002 - for those that override it
        """The fields that change when only the first ``rows`` are shown: a cursor, a count."""
        return {}


def compact(output: Output) -> str:
    """The answer as the JSON text a model reads: no spaces, nothing that is null."""
    return written(body(output))


def written(structure: Mapping[str, Any]) -> str:
    """A structured answer, or a refusal's, as that text."""
    return json.dumps(structure, ensure_ascii=False, separators=(",", ":"))


def body(output: Output) -> dict[str, Any]:
    """The answer as JSON has it, without nulls: a field that is absent is not known or does not apply."""
    return output.model_dump(mode="json", by_alias=True, exclude_none=True)


def estimated_tokens(text: str) -> int:
    """How many tokens a model makes of ``text``, estimated from its bytes, rounded up."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def fitted(output: Output, soft_tokens: int, measure: Callable[[str], int] = estimated_tokens) -> Output:
    """``output``, with its list cut to what fits ``soft_tokens``; one row is always shown."""
    if not output.shortens or measure(compact(output)) <= soft_tokens:
        return output
    low, high = 1, len(getattr(output, output.shortens))
    while low < high:
        middle = (low + high + 1) // 2
        if measure(compact(output.shortened(middle))) <= soft_tokens:
            low = middle
        else:
            high = middle - 1
    return output.shortened(low) if high else output
