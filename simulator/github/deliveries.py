"""One attempt to deliver one event, and the log of attempts that an App may list.

As GitHub documents it: the log goes back three days, is paged by cursor from new to old, and its
status filter does not know a delivery without an answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulator.clock import Clock
from simulator.github.problems import GitHubProblem, not_found

# Three days of log. It is a window and not a latency: it keeps its length at every scale.
LOG_WINDOW = 259_200.0
CURSOR = "v1_"


@dataclass(slots=True)
class Delivery:
    """One attempt to deliver one event; logged once it was made (or lost).

    Attributes:
        chain: events of the same chain are sent one after the other; empty for a free one.
        payload: the exact bytes that are signed and sent.
        status_code: of the answer; 0 when there was none.
    """

    id: int
    guid: str
    event: str
    action: str
    installation_id: int
    repository_id: int
    payload: bytes = field(repr=False)
    chain: str
    facts: Mapping[str, Any]
    due: float
    redelivery: bool = False
    delivered_at: float | None = None
    duration: float = 0.0
    status: str = ""
    status_code: int = 0
    request_headers: dict[str, str] = field(default_factory=dict)
    response_headers: dict[str, str] = field(default_factory=dict)
    response_payload: str = ""


class DeliveryLog:
    """Every attempt of the past three days.

    Args:
        clock: tells what is too old.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._made: dict[int, Delivery] = {}

    def add(self, delivery: Delivery) -> None:
        """Remember an attempt; its `delivered_at` and result are set."""
        self._made[delivery.id] = delivery

    def page(
        self, per_page: int, cursor: str | None, status: str | None
    ) -> tuple[Sequence[Delivery], str | None]:
        """One page of the log, newest first, and the cursor of the next (older) page.

        Raises:
            GitHubProblem: 422 a cursor of another making.
        """
        horizon = self._clock.now() - LOG_WINDOW
        for old in [item.id for item in self._made.values() if (item.delivered_at or 0.0) < horizon]:
            del self._made[old]
        start = self._read_cursor(cursor)
        found = [
            item
            for item in sorted(self._made.values(), key=lambda item: -item.id)
            if item.id <= start and _counts_as(item, status)
        ]
        rest = found[per_page:]
        return found[:per_page], f"{CURSOR}{rest[0].id}" if rest else None

    def get(self, delivery_id: int) -> Delivery:
        """One logged delivery.

        Raises:
            GitHubProblem: 404 unknown, or older than the log goes back.
        """
        delivery = self._made.get(delivery_id)
        if delivery is None or (delivery.delivered_at or 0.0) < self._clock.now() - LOG_WINDOW:
            raise not_found()
        return delivery

    def _read_cursor(self, cursor: str | None) -> float:
        if cursor is None:
            return float("inf")
        if not cursor.startswith(CURSOR) or not cursor.removeprefix(CURSOR).isdigit():
            raise GitHubProblem(422, "Invalid cursor", errors=[{"code": "invalid", "field": "cursor"}])
        return int(cursor.removeprefix(CURSOR))


def _counts_as(delivery: Delivery, status: str | None) -> bool:
    """The filter sees 200 to 399 and 400 to 599; a timeout (0) is in neither."""
    if status == "success":
        return 200 <= delivery.status_code < 400  # noqa: PLR2004 - HTTP
    if status == "failure":
        return 400 <= delivery.status_code < 600  # noqa: PLR2004 - HTTP
    return True
