"""Trouble: the log cannot be written at the moment; why, since when it was tried, and what came of it."""

from dataclasses import dataclass

from mcp_server.refused import Refused
from mcp_server.rule import Rule

REOPEN_EVERY_S = 1.0
"""A failed disk is tried again so often: not more, and not less, whether anybody asks or not."""


@dataclass(slots=True)
class Trouble:
    """What went wrong.

    Attributes:
        why: for the operator.
        tried_at: when writing was tried last, Unix seconds.
        refused: calls that were refused because of it.
    """

    why: str
    tried_at: float
    refused: int = 0

    def may_try(self, now: float) -> bool:
        """Whether it is time to try again; a clock that was set back does not put that off."""
        return not 0 <= now - self.tried_at < REOPEN_EVERY_S


def unavailable() -> Refused:
    """What everybody is told meanwhile."""
    return Refused(
        Rule.AUDIT_UNAVAILABLE,
        cause="the audit log cannot be written, and nothing is answered without a record",
        attempted="record the call",
        next_step="ask again later; tell the operator when it goes on",
        retry_after_s=REOPEN_EVERY_S,
    )
