"""The App's delivery log: which webhooks GitHub tried to send, and what was in them.

The cheapest way to find a lost webhook: one call covers all installations and spends none of their quota.
Only the App itself may read it, and only for the past three days. A delivery that timed out has status code 0
and is missing from the log's ``failure`` filter, so the log is read unfiltered.
"""

from dataclasses import dataclass

import httpx

from runners.github.calls import PAGE, Call, Calls
from runners.github.fields import Fields, FieldWrongError
from runners.github.tokens import TokenSource

# One pass reads at most so many pages; what is left has a cursor to go on from.
PAGES_PER_READ = 10


@dataclass(frozen=True, slots=True)
class DeliveryRef:
    """One attempt to deliver one event.

    Attributes:
        id: of this attempt; a redelivery has its own.
        guid: X-GitHub-Delivery: the same for every attempt, and for every hook that got the event.
        status_code: what the receiver answered; 0 for no answer.
        delivered_at: Unix seconds.
    """

    id: int
    guid: str
    event: str
    action: str
    status_code: int
    redelivery: bool
    delivered_at: float
    installation_id: int | None
    repository_id: int | None

    @property
    def arrived(self) -> bool:
        """Whether the receiver took it."""
        return httpx.codes.is_success(self.status_code)


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """A stretch of the log.

    Attributes:
        deliveries: oldest first.
        next_cursor: where the older ones begin that were asked for and not read, or None when all were read.
    """

    deliveries: tuple[DeliveryRef, ...]
    next_cursor: str | None


class Deliveries:
    """The delivery log of one GitHub App."""

    def __init__(self, calls: Calls, tokens: TokenSource) -> None:
        self._calls = calls
        self._tokens = tokens

    async def deliveries_readable(self) -> bool:
        """Whether the App key is here; without it the log is closed."""
        return await self._tokens.app_jwt() is not None

    async def deliveries(self, since: float, *, cursor: str | None = None) -> DeliveryPage:
        """Returns the attempts made at or after ``since``, reading back from the newest or from ``cursor``.

        Args:
            since: Unix seconds. Choose it before the last one seen: attempts may be logged late.
            cursor: ``next_cursor`` of a page that was not read to its end.

        Raises:
            UpstreamError: the log could not be read.
        """
        found: dict[int, DeliveryRef] = {}
        for _ in range(PAGES_PER_READ):
            params: dict[str, str | int] = {"per_page": PAGE}
            if cursor is not None:
                params["cursor"] = cursor
            call = Call("GET", "/app/hook/deliveries", "read the webhook delivery log", None, params)
            response = await self._calls.good(call)
            entries = self._calls.parse(call, response, _refs)
            found.update({entry.id: entry for entry in entries if entry.delivered_at >= since})
            cursor = _next_cursor(response)
            if not entries or min(entry.delivered_at for entry in entries) < since:
                cursor = None
            if cursor is None:
                break
        ordered = sorted(found.values(), key=lambda entry: (entry.delivered_at, entry.id))
        return DeliveryPage(tuple(ordered), cursor)

    async def delivery(self, delivery_id: int) -> dict[str, object]:
        """Returns the payload of one delivery, as JSON decodes it.

        It comes from GitHub's own API under the App's name, so it needs no signature.

        Raises:
            UpstreamError: it could not be read.
        """
        call = Call(
            "GET", f"/app/hook/deliveries/{delivery_id:d}", f"read webhook delivery {delivery_id}", None
        )
        return self._calls.parse(call, await self._calls.good(call), _payload)


def _refs(body: object) -> tuple[DeliveryRef, ...]:
    if not isinstance(body, list):
        raise FieldWrongError("body", "a list", body)
    return tuple(_ref(Fields(entry, f"[{index}]")) for index, entry in enumerate(body))


def _ref(entry: Fields) -> DeliveryRef:
    return DeliveryRef(
        id=entry.whole("id"),
        guid=entry.text("guid"),
        event=entry.text("event"),
        action=entry.text_or_empty("action"),
        status_code=entry.whole_or_none("status_code") or 0,
        redelivery=entry.flag("redelivery"),
        delivered_at=entry.time("delivered_at"),
        installation_id=entry.whole_or_none("installation_id"),
        repository_id=entry.whole_or_none("repository_id"),
    )


def _payload(body: object) -> dict[str, object]:
    payload = Fields(body, "").part("request").value("payload")
    if not isinstance(payload, dict):
        raise FieldWrongError("request.payload", "an object", payload)
    return payload


def _next_cursor(response: httpx.Response) -> str | None:
    """The cursor in the ``next`` link, the only place where GitHub tells it."""
    link = response.links.get("next", {}).get("url", "")
    try:
        return httpx.URL(link).params.get("cursor") or None
    except httpx.InvalidURL:
        return None
