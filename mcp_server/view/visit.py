"""One call's reading: its Visit, its Wishes, and the Floor below which its revision never goes."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Floor:
    """The highest revision that a caller was ever shown.

    Attributes:
        epoch: of the history it belongs to; revisions of two histories say nothing about each other.
        revision: 0 for a caller who was shown nothing yet.
    """

    epoch: int
    revision: int


@dataclass(frozen=True, slots=True)
class Wish:
    """One question of a call.

    Attributes:
        attempted: what the call is to do, in words of ours; refusals repeat it.
        min_revision: the revision the caller asked for, or None.
    """

    attempted: str
    min_revision: int | None = None


@dataclass(slots=True)
class Visit:
    """One call.

    Attributes:
        caller: whose floor is raised by what is served.
        call_id: names the call to the dispatcher.
        floor: the caller's, when the call began.
        upstream_ids: ids of the exchanges with the dispatcher that the call used, its own and shared ones.
        revision: the least revision the call used; what its answer can claim. None before the first.
    """

    caller: str
    call_id: str
    floor: Floor
    upstream_ids: list[str] = field(default_factory=list)
    revision: int | None = None

    def required(self, wish: Wish, epoch: int) -> int:
        """The revision that an answer must reach while the history ``epoch`` is the one that is followed."""
        floor = self.floor.revision if self.floor.epoch == epoch else 0
        return max(floor, wish.min_revision or 0)

    def asked(self, request_id: str) -> None:
        """Note an exchange with the dispatcher that the call used."""
        if request_id and request_id not in self.upstream_ids:
            self.upstream_ids.append(request_id)

    def used(self, revision: int, upstream_ids: tuple[str, ...] = ()) -> None:
        """Note what the call read, and by which exchanges."""
        self.revision = revision if self.revision is None else min(self.revision, revision)
        for each in upstream_ids:
            self.asked(each)
