"""Globs of allow-lists: whether one matches, whether it ever can, and what two lists allow together.

They are fnmatch's, case aside: ``*`` any text (a slash too), ``?`` one character, ``[ab]`` one of these.
GitHub tells no owner or repository apart by case.
"""

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from itertools import product

WILDCARDS = "*?["
# What owners and repositories may be called at GitHub, and the slash between them; in lower case.
ALPHABET = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._/")
# An empty list allows all, so what two lists leave empty is this, which matches no repository.
NOTHING = "/"

_FILE = re.compile(r"[^/]+/[^/]+/\.github/workflows/[^/]+\.ya?ml")
_ENDINGS = (".yml", ".yaml")
_PIECE = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)

# One place of a text: the characters that may stand there, or None for any text.
_Place = frozenset[str] | None
_Places = tuple[_Place, ...]


def matches(patterns: Iterable[str], text: str) -> bool:
    """Whether any of the patterns matches the whole text."""
    return any(fnmatchcase(text.lower(), pattern.lower()) for pattern in patterns)


def why_no_repository(pattern: str, owner: str = "") -> str:
    """Why no ``owner/name`` can ever match the pattern, or "" when one may.

    Args:
        pattern: of an allow-list of repositories.
        owner: the one account whose repositories count, "" for any.
    """
    head, slash, name = pattern.partition("/")
    if any(place is not None and not (place and place <= ALPHABET) for place in _places(pattern.lower())):
        return "a pattern for owner/name, of characters that GitHub's names have"
    if pattern.count("/") > 1 or not (head and name if slash else _has_wildcard(pattern)):
        return "a pattern for owner/name, with one slash"
    if owner and slash and "[" not in pattern and not matches([head], owner):
        return f"a pattern for repositories of {owner}"
    return ""


def why_no_workflow(pattern: str) -> str:
    """Why no ``owner/name/.github/workflows/file.yml`` can ever match the pattern, or "" when one may."""
    expected = "a pattern for owner/name/.github/workflows/FILE.yml"
    if "@" in pattern:
        return f"{expected}, without @ref: the runner group is where a ref is pinned"
    if not pattern or any(char.isspace() for char in pattern):
        return expected
    if not _has_wildcard(pattern):
        return "" if _FILE.fullmatch(pattern) else expected
    tail = re.split(r"[*?\]]", pattern)[-1].lower()
    ends_well = any(ending.endswith(tail) or tail.endswith(ending) for ending in _ENDINGS)
    begins_well = not pattern.startswith((".", "/"))
    return "" if begins_well and ends_well else expected


def allowed_by_both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """A list that matches what each of two lists of repositories matches; an empty list allows all.

    Two patterns are walked place by place: the common texts of two globs are those of a few globs.
    """
    if not one or not other:
        return tuple(pattern.lower() for pattern in one or other)
    found = {
        _written(places)
        for left, right in product(one, other)
        for places in _common(_places(left.lower()), _places(right.lower()))
    }
    return _without_narrower(found) or (NOTHING,)


def example_of(pattern: str) -> str:
    """A text that the pattern matches, as far as one can be told from it."""
    return "".join(
        "any" if place is None else min(place & set("abcdefghijklmnopqrstuvwxyz") or place or {"x"})
        for place in _places(pattern.lower())
    )


def _has_wildcard(pattern: str) -> bool:
    return any(char in pattern for char in WILDCARDS)


def _places(pattern: str) -> _Places:
    return tuple(_place(piece) for piece in _PIECE.findall(pattern))


def _place(piece: str) -> _Place:
    if piece == "*":
        return None
    if piece == "?" or len(piece) > 1:
        return frozenset(char for char in ALPHABET if fnmatchcase(char, piece))
    return frozenset(piece)


def _common(one: _Places, other: _Places) -> frozenset[_Places]:
    """Every way in which a text fits both, each as places of its own."""
    if not one or not other:
        return frozenset({()}) if all(place is None for place in (*one, *other)) else frozenset()
    (first, rest), (second, tail) = (one[0], one[1:]), (other[0], other[1:])
    if first is None and second is None:
        return frozenset(_starred(found) for found in _common(rest, other) | _common(one, tail))
    if first is None:
        return _common(rest, other) | frozenset((second, *found) for found in _common(one, tail))
    if second is None:
        return _common(one, tail) | frozenset((first, *found) for found in _common(rest, other))
    both = first & second
    return frozenset((both, *found) for found in _common(rest, tail)) if both else frozenset()


def _starred(places: _Places) -> _Places:
    return places if places and places[0] is None else (None, *places)


def _written(places: _Places) -> str:
    return "".join(_character(place) for place in places)


def _character(place: _Place) -> str:
    if place is None:
        return "*"
    if place == ALPHABET:
        return "?"
    if len(place) == 1:
        return next(iter(place))
    # A dash stands first, where it spans no range.
    return "[" + "".join(sorted(place, key=lambda char: (char != "-", char))) + "]"


def _without_narrower(patterns: set[str]) -> tuple[str, ...]:
    """The patterns without those that another one of plain stars takes in: shorter, and the same."""
    return tuple(sorted(each for each in patterns if not any(_takes_in(patterns - {each}, each))))


def _takes_in(others: set[str], pattern: str) -> Iterator[bool]:
    for other in others:
        # Read as text, a pattern's own wildcards are only taken in by a star.
        if "?" not in other and "[" not in other and fnmatchcase(pattern, other):
            yield True
