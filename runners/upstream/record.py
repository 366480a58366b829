"""CallRecord: what is kept of one call to an upstream, fit to label a metric and free of secrets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from runners.upstream.errors import ErrorClass

# Words in a path after which so many segments are somebody's names.
_NAMES_AFTER: Mapping[str, tuple[str, ...]] = {
    "apps": ("{app}",),
    "orgs": ("{org}",),
    "repos": ("{owner}", "{repo}"),
    "machines": ("{id}",),
    "secrets": ("{name}",),
}
_ID = re.compile(r"\d+|[0-9a-f]{12,}|[0-9a-fA-F-]{32,}|.{41,}")


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call that was sent.

    Attributes:
        upstream: ``fly``, ``github`` or ``infisical``.
        key: whose breaker and limits it used: ``fly:APP``, ``github:OWNER``.
        path: the path with names and ids replaced.
        status: the HTTP status, or None when no answer came.
        error_class: what the bare status (or its absence) stands for; None for a good answer.
        started_at: Unix seconds.
        seconds: how long it took.
        limited_until: Unix seconds until which the answer asked to be left alone, or None.
    """

    upstream: str
    key: str
    method: str
    path: str
    status: int | None
    error_class: ErrorClass | None
    started_at: float
    seconds: float
    limited_until: float | None = None


def path_template(path: str) -> str:
    """Return a path with the names and ids in it replaced: ``/v1/apps/{app}/machines/{id}/start``."""
    shown: list[str] = []
    names: tuple[str, ...] = ()
    for segment in path.split("/"):
        if names and segment:
            shown.append(names[0])
            names = names[1:]
            continue
        shown.append("{id}" if _ID.fullmatch(segment) else segment)
        names = _NAMES_AFTER.get(segment, ())
    return "/".join(shown)
