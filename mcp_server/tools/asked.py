"""Asked: the kinds of argument that several tools take, each with its form and bounds."""

from typing import Annotated

from pydantic import Field

LIMIT_DEFAULT = 20
"""About as many rows as fit the default soft budget."""
LIMIT_MAX = 200

PoolName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        pattern=r"^[^\x00-\x1f\x7f,]+$",
        description="A pool, or a label it serves.",
    ),
]
Repository = Annotated[
    str,
    Field(max_length=140, pattern=r"^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", description="As owner/name."),
]
LabelText = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x20\x7f]+$")]
Limit = Annotated[
    int, Field(ge=1, le=LIMIT_MAX, description="Rows to return at most; long answers hold fewer.")
]
Moment = Annotated[
    str,
    Field(
        max_length=40,
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})$",
        description="A time with its zone.",
        examples=["2026-11-20T12:00:00Z"],
    ),
]
SeqCursor = Annotated[
    str, Field(pattern=r"^\d{1,18}$", description="next_cursor of the answer before; any row's seq is one.")
]
JobCursor = Annotated[
    str, Field(pattern=r"^\d{1,18}$", description="next_cursor of the answer before; any row's id is one.")
]
