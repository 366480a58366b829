"""A Fly token tells its own end, if it has one, and whatever is wrong with it is no answer and no error."""

import base64
import random
import struct

import pytest

from fly.macaroon import PERMISSION, ends_at

END = 1_800_000_000


def packed(value):
    """MessagePack as Fly's encoder writes it."""
    if isinstance(value, list):
        head = bytes([0x90 | len(value)]) if len(value) < 16 else b"\xdc" + struct.pack(">H", len(value))
        return head + b"".join(map(packed, value))
    if isinstance(value, dict):
        return bytes([0x80 | len(value)]) + b"".join(packed(x) for pair in value.items() for x in pair)
    if isinstance(value, bytes):
        return b"\xc4" + bytes([len(value)]) + value
    if isinstance(value, str):
        raw = value.encode()
        return (bytes([0xA0 | len(raw)]) if len(raw) < 32 else b"\xd9" + bytes([len(raw)])) + raw
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if 0 <= value < 128:
        return bytes([value])
    return (b"\xcf" + struct.pack(">Q", value)) if value >= 0 else (b"\xd3" + struct.pack(">q", value))


def macaroon(*caveats, location=PERMISSION):
    nonce = [b"key-id", b"random-part-of-16", False]
    body = packed([nonce, location, list(caveats), b"t" * 32])
    return "fm2_" + base64.b64encode(body).decode()


ORG = [0, [4711, 31]]
APPS = [3, [{12: 31, 13: 7}]]
WINDOW = [4, [END - 3600, END]]


@pytest.mark.parametrize("scheme", ["", "FlyV1 "])
def test_a_token_with_a_window_ends_with_it(scheme):
    assert ends_at(scheme + macaroon(*ORG, *APPS, *WINDOW)) == END


def test_a_token_without_a_window_says_nothing():
    assert ends_at(macaroon(*ORG, *APPS)) is None


def test_of_several_windows_and_permissions_the_earliest_counts_and_a_discharge_does_not():
    later, sooner = macaroon(*ORG, 4, [0, END + 50]), macaroon(*WINDOW, 4, [0, END - 9])
    discharge = macaroon(4, [0, 1], location="https://api.fly.io/aaa/v1")
    assert ends_at(f"FlyV1 {later},{discharge},{sooner}") == END - 9


def test_a_caveat_longer_than_a_short_list_is_read_over():
    assert ends_at(macaroon(3, [list(range(200, 230))], *WINDOW)) == END


@pytest.mark.parametrize(
    "text", ["", "FlyV1 ", "fo1_personal", "fm2_", "fm2_!!!", "fm2_" + base64.b64encode(b"\xc1").decode()]
)
def test_what_is_no_macaroon_says_nothing(text):
    assert ends_at(text) is None


def test_a_window_that_is_none_says_nothing():
    for body in ([], [5], "x", [5, "soon"], [5, True], None):
        assert ends_at(macaroon(4, body)) is None


def test_no_damage_is_ever_an_error():
    chance, whole = random.Random(3), base64.b64decode(macaroon(*ORG, *APPS, *WINDOW)[4:])
    for _ in range(2000):
        damaged = bytearray(whole[: chance.randint(0, len(whole))])
        for _ in range(chance.randint(0, 3)):
            if damaged:
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        found = ends_at("fm2_" + base64.b64encode(bytes(damaged)).decode())
        assert found is None or isinstance(found, float)
