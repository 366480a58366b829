"""How an output or a refusal is said: compact JSON, once as text for the model and once as structure."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from mcp_server.call import Answer
from mcp_server.refused import Refused
from mcp_server.tools.output import Output, body, written


def answered(output: Output, *, structured: bool) -> Answer:
    """The answer of a tool (``structured``) or of a resource, which goes back as text alone."""
    structure = body(output)
    text = written(structure)
    size = len(json.dumps(text).encode())
    return Answer(text, body=structure, size=size + len(text.encode()) if structured else size)


def listed(found: Sequence[BaseModel]) -> Answer:
    """The answer of a list operation."""
    text = json.dumps([each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in found])
    return Answer(text, listed=found, size=len(text.encode()))


def refusal(refused: Refused) -> Answer:
    """A refusal, every field of it in words of ours."""
    text = written({"error": fields(refused)})
    return Answer(text, refused=refused, size=len(json.dumps(text).encode()))


def fields(refused: Refused) -> dict[str, Any]:
    """What a refusal says; what does not apply is absent."""
    said: dict[str, Any] = {
        "class": refused.error_class.value,
        "rule": refused.rule.value,
        "cause": refused.cause,
        "attempted": refused.attempted,
    }
    if refused.missing:
        said["missing"] = refused.missing
    said["next_step"] = refused.next_step
    if refused.retry_after_s is not None:
        said["retry_after_s"] = round(max(0.0, refused.retry_after_s), 3)
    return said
