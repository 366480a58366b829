"""When a Fly API token ends, as far as the token itself tells: Fly's API says nothing of it.

A token is one macaroon or several, each base64 of MessagePack: ``[nonce, location, caveats, tail]``, the
caveats as type, body, type, body. The caveat ValidityWindow has the type 4 and the body ``[not_before,
not_after]`` (source of superfly/macaroon). Nothing is verified here, and it decides nothing but a warning.
"""

import base64
import binascii
import struct
from collections.abc import Callable, Mapping

PERMISSION = "https://api.fly.io/v1"
"""The location of a macaroon that permits something; all others discharge its conditions."""

_VALIDITY_WINDOW = 4
_PREFIXES = ("fm2_", "fm1r_", "fm1a_")
_PARTS = 4
_DEPTH_MAX = 16


def ends_at(token: str) -> float | None:
    """The earliest end of the token's permissions in Unix seconds; None when it has none or cannot be read.

    Args:
        token: as Fly printed it, with or without ``FlyV1``.
    """
    ends: list[float] = []
    for part in token.strip().removeprefix("FlyV1 ").split(","):
        prefix = next((each for each in _PREFIXES if part.strip().startswith(each)), None)
        if prefix is not None:
            ends += _ends(part.strip().removeprefix(prefix))
    return min(ends, default=None)


def _ends(text: str) -> list[float]:
    try:
        macaroon = _Reader(base64.b64decode(text + "=" * (-len(text) % 4))).value()
    except (binascii.Error, ValueError, struct.error, UnicodeDecodeError):
        return []
    if not isinstance(macaroon, list) or len(macaroon) != _PARTS or macaroon[1] != PERMISSION:
        return []
    caveats = macaroon[2]
    if not isinstance(caveats, list):
        return []
    bodies = [
        body for kind, body in zip(caveats[::2], caveats[1::2], strict=False) if kind == _VALIDITY_WINDOW
    ]
    return [float(body[1]) for body in bodies if isinstance(body, list) and _is_moment(body[1:2])]


def _is_moment(found: list[object]) -> bool:
    return bool(found) and isinstance(found[0], int) and not isinstance(found[0], bool)


class _Reader:
    """Reads one value of MessagePack; what a macaroon has no use for is an error.

    Raises:
        ValueError, struct.error: it is cut short, nested too deep, or of another kind.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def value(self, depth: int = 0) -> object:
        if depth > _DEPTH_MAX:
            raise ValueError("nested too deep")
        tag = self._take(1)[0]
        if tag <= 0x7F:  # noqa: PLR2004 - the tags are those of MessagePack's specification, here and below
            return tag
        if tag >= 0xE0:  # noqa: PLR2004
            return tag - 0x100
        if tag <= 0x8F:  # noqa: PLR2004
            return self._map(tag & 0x0F, depth)
        if tag <= 0x9F:  # noqa: PLR2004
            return [self.value(depth + 1) for _ in range(tag & 0x0F)]
        if tag <= 0xBF:  # noqa: PLR2004
            return self._take(tag & 0x1F).decode()
        return self._long(tag, depth)

    def _long(self, tag: int, depth: int) -> object:
        constants: Mapping[int, object] = {0xC0: None, 0xC2: False, 0xC3: True}
        if tag in constants:
            return constants[tag]
        numbers = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q"}
        numbers |= {0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
        if tag in numbers:
            return self._number(numbers[tag])
        sizes = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I", 0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}
        sizes |= {0xDC: ">H", 0xDD: ">I", 0xDE: ">H", 0xDF: ">I"}
        if tag not in sizes:
            raise ValueError("of a kind that no macaroon has")
        size = int(self._number(sizes[tag]))
        readers: Mapping[range, Callable[[], object]] = {
            range(0xC4, 0xC7): lambda: self._take(size),
            range(0xD9, 0xDC): lambda: self._take(size).decode(),
            range(0xDC, 0xDE): lambda: [self.value(depth + 1) for _ in range(size)],
            range(0xDE, 0xE0): lambda: self._map(size, depth),
        }
        return next(read for tags, read in readers.items() if tag in tags)()

    def _map(self, size: int, depth: int) -> list[object]:
        """The pairs one after the other: nobody looks a key up."""
        return [self.value(depth + 1) for _ in range(2 * size)]

    def _number(self, form: str) -> float:
        (number,) = struct.unpack(form, self._take(struct.calcsize(form)))
        return number  # type: ignore[no-any-return]

    def _take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) != size:
            raise ValueError("cut short")
        self._at += size
        return taken
