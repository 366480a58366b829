"""A Sight as the headers by which the dispatcher filters what it shows; rather refused than widened.

The dispatcher reads comma-separated lists, strips them, and takes an empty one for no limit. An entry that it
would read as something else must therefore never be sent.
"""

from mcp_server.caller import Sight
from runners.wire.headers import (
    NARROWING_CHARACTERS_MAX,
    NARROWING_ENTRIES_MAX,
    NARROWING_ENTRY_MAX,
    POOLS_HEADER,
    REPOSITORIES_HEADER,
)


def narrowing(sight: Sight) -> dict[str, str]:
    """The headers for ``sight``; none when nothing is hidden.

    Raises:
        ValueError: the dispatcher would not read it as it is meant.
    """
    headers = {}
    for name, entries in ((REPOSITORIES_HEADER, sight.repositories), (POOLS_HEADER, sight.pools)):
        if entries:
            headers[name] = _listed(entries)
    return headers


def _listed(entries: tuple[str, ...]) -> str:
    text = ",".join(entries)
    if len(entries) > NARROWING_ENTRIES_MAX or len(text) > NARROWING_CHARACTERS_MAX:
        raise ValueError("more limits than a request can carry")
    if not all(_is_plain(entry) for entry in entries):
        raise ValueError("a limit that would be read as another one")
    return text


def _is_plain(entry: str) -> bool:
    plain = entry.isascii() and entry.isprintable() and "," not in entry
    return plain and entry == entry.strip() and 0 < len(entry) <= NARROWING_ENTRY_MAX
