"""One call to GitHub: sign, send, and give back readable fields or raise UpstreamError."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import httpx

from runners.github.errors import from_answer, our_fault, unreadable, without_answer
from runners.github.fields import Fields, FieldWrongError
from runners.github.tokens import TokenSource
from runners.upstream.clock import Clock
from runners.upstream.errors import UpstreamError

if TYPE_CHECKING:
    from runners.github.kit import Kit

# GitHub's largest page.
PAGE = 100

# A list is read whole or not at all, since a missing entry would be taken for absent. 10,000 runners fit in a
# group and there are few groups; a list longer than this has no end.
PAGES_MAX = 1000

_FIRST_NOT_GOOD = 300

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One REST call.

    Attributes:
        path: below the base URL, every name in it checked.
        attempted: the call in plain words, for errors: ``list the runners of orgs/acme``.
        owner: whose installation to act as; None acts as the App itself.
    """

    method: str
    path: str
    attempted: str
    owner: str | None
    params: Mapping[str, str | int] = field(default_factory=dict)
    body: Mapping[str, object] | None = None

    @property
    def mutating(self) -> bool:
        """Whether it changes something at GitHub."""
        return self.method != "GET"


class Calls:
    """Sends calls.

    Args:
        transport: what sends; shared, never closed from here.
        tokens: where credentials come from.
        clock: for the times that errors name.
        api_url: REST base URL.
        api_version: X-GitHub-Api-Version.
        timeout: seconds for each of connect, read and write; the transport's deadline bounds the whole.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        tokens: TokenSource,
        clock: Clock,
        *,
        api_url: str,
        api_version: str,
        timeout: float,
    ) -> None:
        self._transport = transport
        self._tokens = tokens
        self._clock = clock
        self._api_url = api_url
        self._headers = {"X-GitHub-Api-Version": api_version}
        self._timeout = timeout
        self._kits: dict[str | None, Kit] = {}

    async def send(self, call: Call) -> httpx.Response:
        """Returns the answer, whatever its status.

        Raises:
            UpstreamError: no answer, or no token.
        """
        try:
            return await self._kit(call.owner).exchange(
                call.method, call.path, params=call.params, body=call.body, headers=self._headers
            )
        except Exception as error:
            meaning = without_answer(error, attempted=call.attempted, mutating=call.mutating)
            if meaning is None:
                raise
            raise meaning from error

    async def read(self, call: Call, reader: Callable[[Fields], T]) -> T:
        """Returns what ``reader`` makes of a good answer's object.

        Raises:
            UpstreamError: an error status, no answer, or one that cannot be read.
        """
        return self.parse(call, await self.good(call), lambda body: reader(Fields(body, "")))

    async def pages(self, call: Call, key: str, reader: Callable[[Fields], T]) -> tuple[T, ...]:
        """Returns all entries of a paged list, read page by page.

        Entries that come or go between two pages may shift one over the edge: it is then missed or seen
        twice.

        Raises:
            UpstreamError: as ``read``; a part of a list is never returned as the whole.
        """
        found: list[T] = []
        for page in range(1, PAGES_MAX + 1):
            paged = replace(call, params={**call.params, "per_page": PAGE, "page": page})
            entries = await self.read(paged, lambda body: tuple(reader(entry) for entry in body.parts(key)))
            found.extend(entries)
            if len(entries) < PAGE:
                return tuple(found)
        raise our_fault(
            call.attempted, f"the list has no end within {PAGES_MAX} pages", "remove stale entries"
        )

    async def good(self, call: Call) -> httpx.Response:
        """Returns an answer with a good status.

        Raises:
            UpstreamError: an error status, or no answer.
        """
        response = await self.send(call)
        if response.status_code >= _FIRST_NOT_GOOD:
            raise self.refusal(call, response)
        return response

    def parse(self, call: Call, response: httpx.Response, reader: Callable[[object], T]) -> T:
        """Returns what ``reader`` makes of the decoded body.

        Raises:
            UpstreamError: it is not JSON, or a needed field is missing or of another kind.
        """
        try:
            return reader(json.loads(response.content))
        except FieldWrongError as wrong:
            raise unreadable(
                response, str(wrong), attempted=call.attempted, mutating=call.mutating
            ) from wrong
        except (ValueError, RecursionError) as wrong:
            raise unreadable(
                response, "it is not JSON", attempted=call.attempted, mutating=call.mutating
            ) from wrong

    def refusal(self, call: Call, response: httpx.Response) -> UpstreamError:
        """Returns what an answer with an error status means."""
        return from_answer(response, attempted=call.attempted, mutating=call.mutating, now=self._clock.now())

    def load(self) -> None:
        """Imports githubkit now, so that the first call does not pay for it."""
        self._kit(None)

    def _kit(self, owner: str | None) -> "Kit":
        kit = self._kits.get(owner)
        if kit is None:
            from runners.github.kit import Kit, SourceAuth  # noqa: PLC0415 - dear, see kit

            kit = self._kits[owner] = Kit(
                SourceAuth(self._tokens, owner), self._transport, api_url=self._api_url, timeout=self._timeout
            )
        return kit
