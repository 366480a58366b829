"""Paths at the dispatcher, made so that a name that anyone chose cannot lead to another route."""

from urllib.parse import quote

from mcp_server.refused import Refused
from mcp_server.rule import Rule

ROOT = "/v1/"
_STEPS = frozenset({"", ".", ".."})
_FORBIDDEN = frozenset("?#\\")


def path_of(*segments: str | int) -> str:
    """``/v1/`` and the segments, each quoted whole: ``path_of("runners", name)``.

    Raises:
        Refused: ARGUMENT_INVALID, a segment is empty or would be read as a step to another place.
    """
    parts = [str(each) for each in segments]
    if _STEPS & set(parts) or not parts:
        raise Refused(
            Rule.ARGUMENT_INVALID,
            cause="the name given cannot be the name of anything",
            attempted="look something up by its name",
            next_step="give the name as a list or a handle of this server shows it",
        )
    return ROOT + "/".join(quote(part, safe="") for part in parts)


def is_safe(path: str) -> bool:
    """Whether a path stays under ``/v1/`` however a server or a proxy reads it."""
    if not path.startswith(ROOT) or not path.isascii() or not path.isprintable() or " " in path:
        return False
    return not _FORBIDDEN & set(path) and not _STEPS & set(path.removeprefix("/").split("/"))
