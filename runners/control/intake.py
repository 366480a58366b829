"""What the recovery loops hand their findings to: the same handler that webhooks go through, injected."""

from collections.abc import Mapping
from typing import Any, Protocol

from runners.github.payload import JobFact


class DeliveryIntake(Protocol):
    """Takes the payload of a delivery that never arrived; a malformed one is noted and dropped."""

    async def __call__(self, guid: str, event: str, payload: Mapping[str, Any]) -> None:
        """Take one delivery."""


class ReadingIntake(Protocol):
    """Takes what a REST reading says of one job; it may move the job back, with an event."""

    async def __call__(self, fact: JobFact, read_at: float) -> None:
        """Take one reading asked for at ``read_at``, Unix seconds."""
