"""Narrowing: a reader may always ask to see less than its token allows, by two request headers.

One token can so serve several readers, each of whom sees only its own share. A header that cannot be read is
refused: to overlook it would show more than was asked for.
"""

from starlette.datastructures import Headers

from runners.api.problems import ApiProblem
from runners.api.sight import Sight
from runners.model.reason import Reason
from runners.wire.headers import (
    NARROWING_CHARACTERS_MAX,
    NARROWING_ENTRIES_MAX,
    NARROWING_ENTRY_MAX,
    POOLS_HEADER,
    REPOSITORIES_HEADER,
)


def narrowed(sight: Sight, headers: Headers, attempted: str) -> Sight:
    """What the token's Sight and the headers both allow; absent and empty headers ask for nothing less.

    Raises:
        ApiProblem: 422, a header is too long, has too many entries, or holds what no name can.
    """
    return sight.narrowed(
        _entries(headers, REPOSITORIES_HEADER, attempted), _entries(headers, POOLS_HEADER, attempted)
    )


def _entries(headers: Headers, name: str, attempted: str) -> tuple[str, ...]:
    # A header sent twice is one list, by HTTP's own rule; the first alone would show more.
    text = ",".join(headers.getlist(name))
    if not text.strip():
        return ()
    if len(text) > NARROWING_CHARACTERS_MAX:
        raise _malformed(name, f"is longer than {NARROWING_CHARACTERS_MAX} characters", attempted)
    if not (text.isascii() and text.isprintable()):
        raise _malformed(name, "holds characters that no repository or pool has in its name", attempted)
    entries = tuple(dict.fromkeys(part for each in text.split(",") if (part := each.strip())))
    if not entries:
        raise _malformed(name, "names nothing", attempted)
    if len(entries) > NARROWING_ENTRIES_MAX:
        raise _malformed(name, f"has more than {NARROWING_ENTRIES_MAX} entries", attempted)
    if any(len(each) > NARROWING_ENTRY_MAX for each in entries):
        raise _malformed(name, f"has an entry longer than {NARROWING_ENTRY_MAX} characters", attempted)
    return entries


def _malformed(name: str, why: str, attempted: str) -> ApiProblem:
    return ApiProblem(
        422,
        Reason.REQUEST_INVALID,
        what="the request was not understood",
        why=f"the header {name} {why}",
        attempted=attempted,
        next_step="send comma-separated owner/name patterns or pool names, or leave the header out",
    )
