"""One request with its answer as they went over the wire, and the transport that writes them down."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import httpx

from tests.contracts.sends import SENT_BY


@dataclass(frozen=True, slots=True)
class Exchange:
    """A recorded exchange.

    Attributes:
        path: as sent, percent-encoded, without query.
        query: decoded, in order.
        request_headers, response_headers: names in lower case.
        sent_by: the client's method that was under way, or "" for a request made by hand.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    request_headers: Mapping[str, str]
    request_body: bytes
    status: int
    response_headers: Mapping[str, str]
    response_body: bytes
    sent_by: str = ""

    @property
    def meant_to_be_refused(self) -> bool:
        """Made by hand so that the server says it is malformed; its request need not be as published."""
        return not self.sent_by and self.status in (400, 422)

    @property
    def line(self) -> str:
        """For messages: what was asked and what came back."""
        query = "?" + "&".join(f"{name}={value}" for name, value in self.query) if self.query else ""
        return f"{self.method} {self.path}{query} → {self.status}"


class Recorder(httpx.AsyncBaseTransport):
    """Passes requests on and keeps what was said."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.exchanges: list[Exchange] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        answer = await self._inner.handle_async_request(request)
        content = await answer.aread()
        await answer.aclose()
        raw_path, _, query = request.url.raw_path.decode("ascii").partition("?")
        self.exchanges.append(
            Exchange(
                method=request.method,
                path=raw_path,
                query=tuple(parse_qsl(query, keep_blank_values=True)),
                request_headers=_lowered(request.headers),
                request_body=body,
                status=answer.status_code,
                response_headers=_lowered(answer.headers),
                response_body=content,
                sent_by=SENT_BY.get(),
            )
        )
        return httpx.Response(
            answer.status_code, headers=answer.headers, content=content, extensions=answer.extensions
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


def objects_in(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every JSON object within a value, with the way to it."""
    if isinstance(value, dict):
        yield path, value
        for key, part in value.items():
            yield from objects_in(part, (*path, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from objects_in(part, (*path, index))


def json_of(body: bytes) -> Any:
    """The JSON of a body, or None when it has none."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def _lowered(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
