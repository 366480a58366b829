"""Answer: the base of every public model, strict when we produce and lenient when a client reads.

The dispatcher may be newer than its reader: ``read`` therefore ignores fields it does not know, while
building an answer with a misspelt field is an error at once.
"""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """A public answer: immutable, and closed against unknown fields when it is produced."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def read(cls, body: str | bytes | dict[str, Any]) -> Self:
        """Read an answer that a dispatcher sent, ignoring what a newer one may have added.

        Args:
            body: the JSON text, or what it decoded to.

        Raises:
            pydantic.ValidationError: a field is missing or has the wrong type.
        """
        if isinstance(body, dict):
            return cls.model_validate(body, extra="ignore")
        return cls.model_validate_json(body, extra="ignore")
