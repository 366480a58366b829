"""Glass: the fleet as one call sees it, never older than its caller has been told.

A tool asks the Glass and nothing else. Whatever it gets is at least at the revision that the caller was shown
before this call began and at the ``min_revision`` that the call names, or the call is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

from mcp_server.view.visit import Floor, Visit, Wish
from runners.wire.status import FleetStatus

Params = Mapping[str, str | int | Sequence[str]]
"""Query parameters; a sequence is sent as the same parameter several times."""


class Dated(Protocol):
    """An answer of the dispatcher that says at which revision it holds; most models of runners.wire are."""

    @property
    def revision(self) -> int:
        """Of the event log."""

    @property
    def as_of(self) -> str:
        """RFC 3339, by the dispatcher's clock."""

    @classmethod
    def read(cls, body: str | bytes) -> Self:
        """Read what a dispatcher sent."""


M = TypeVar("M", bound=Dated)


@dataclass(frozen=True, slots=True)
class Seen:
    """The fleet view.

    Attributes:
        status: what the dispatcher said; shared by every caller of the same Sight, so never change it.
        revision: the view holds at this revision.
        as_of: when the dispatcher read it, RFC 3339.
        age_s: seconds since then, whatever the difference between the two clocks.
        stale: nobody can tell whether it still holds: gates fail.
    """

    status: FleetStatus
    revision: int
    as_of: str
    age_s: float
    stale: bool


@dataclass(frozen=True, slots=True)
class Deep(Generic[M]):
    """One answer of the dispatcher; fields as of Seen."""

    answer: M
    revision: int
    as_of: str
    age_s: float
    stale: bool


class Window(Protocol):
    """The fleet as far as one Sight reaches, shared by all who have it; ``view.follow.Follow`` is one."""

    def floor(self, caller: str) -> Floor:
        """The highest revision this caller was shown."""

    async def seen(self, visit: Visit, wish: Wish) -> Seen:
        """The view, at least at the revision that the visit requires."""

    def glimpse(self, visit: Visit) -> Seen | None:
        """The view as it is in memory, if the visit may be shown it."""

    async def deep(self, visit: Visit, wish: Wish, path: str, params: Params, model: type[M]) -> Deep[M]:
        """An answer of the dispatcher, at least at the revision that the visit requires."""


class Glass:
    """One call's look at the fleet.

    Args:
        window: what the caller may see.
        caller: names them; the revision they are shown never goes back.
        call_id: names the call to the dispatcher, as ``X-Request-Id``.
    """

    def __init__(self, window: Window, caller: str, call_id: str) -> None:
        self._window = window
        self._visit = Visit(caller, call_id, window.floor(caller))

    async def status(self, *, attempted: str, min_revision: int | None = None) -> Seen:
        """The whole fleet from memory; without a dispatcher the last view there was, marked stale in time.

        Args:
            attempted: what the call is to do, in words of ours, for refusals.
            min_revision: the revision to wait for, a moment.

        Raises:
            Refused: VIEW_MISSING, REVISION_NOT_REACHED, or DISPATCHER_REFUSED.
        """
        return await self._window.seen(self._visit, Wish(attempted, min_revision))

    def glimpse(self) -> Seen | None:
        """The fleet as memory has it, asking and waiting for nothing; None when nothing may be shown now."""
        return self._window.glimpse(self._visit)

    async def get(
        self, path: str, params: Params, model: type[M], *, attempted: str, min_revision: int | None = None
    ) -> Deep[M]:
        """One answer of the dispatcher: asked now, or a moment ago by anyone who sees the same.

        Args:
            path: such as ``/v1/jobs``; make it with ``view.paths.path_of`` when a part is anyone's choice.
            params: the query.
            model: of ``runners.wire``, with ``revision`` and ``as_of``.
            attempted: what the call is to do, in words of ours, for refusals.
            min_revision: the revision to wait for, a moment.

        Raises:
            Refused: NOT_FOUND, ARGUMENT_INVALID, REVISION_NOT_REACHED, BREAKER_OPEN, or one of DISPATCHER_*.
        """
        return await self._window.deep(self._visit, Wish(attempted, min_revision), path, params, model)

    @property
    def upstream_ids(self) -> tuple[str, ...]:
        """Request ids of the exchanges with the dispatcher that this call used, shared ones too."""
        return tuple(self._visit.upstream_ids)

    @property
    def revision(self) -> int | None:
        """The least revision that this call used: what an answer made of all of it can claim."""
        return self._visit.revision
