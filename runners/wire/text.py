"""Untrusted: text that other people wrote (job, workflow, branch and repository names), made safe to show.

Whoever can open a pull request chooses these words. They are bounded in length and stripped of control,
bidirectional and other invisible characters by the model itself, so no producer can forget; and their schema
says ``untrusted``, so that a reader (an agent above all) can tell them from what the fleet itself says.
"""

import unicodedata
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

TEXT_MAX = 256
URL_MAX = 512
_MARK = "…"

# Categories of characters that show nothing or change how their neighbours show: controls, formats
# (bidirectional overrides, zero-width and tag characters), surrogates, private use, unassigned, and the
# separators that break a line.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Blank letters and joiners that are not in those categories.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
# Variation selectors can carry a hidden message, one byte each.
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


def shown(text: str, limit: int = TEXT_MAX) -> str:
    """``text`` on one line, without characters that hide or reorder others, at most ``limit`` characters."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        # Nearly every name is; a page of a thousand jobs has ten thousand of them.
        return text.strip()
    # Cut first: a megabyte of combining marks must not cost a megabyte of work.
    head = text[: limit * 2 + 1]
    cleaned = "".join(" " if char in "\t\n\r" else char for char in head if _visible(char)).strip()
    if len(cleaned) > limit or len(head) < len(text):
        return cleaned[: limit - 1] + _MARK
    return cleaned


def shown_url(text: str) -> str:
    """``text`` when it is a plain http(s) address of bearable length, otherwise nothing."""
    cleaned = shown(text, URL_MAX + 1)
    plain = cleaned == text and len(text) <= URL_MAX and text.isascii() and not set(text) & set(" \"'<>`\\")
    return text if plain and text.startswith(("https://", "http://")) else ""


def _visible(char: str) -> bool:
    if char in "\t\n\r":
        return True
    if unicodedata.category(char) in _HIDDEN or char in _BLANK:
        return False
    return not any(ord(char) in selectors for selectors in _SELECTORS)


def _clean(value: Any) -> Any:
    return shown(value) if isinstance(value, str) else value


def _clean_url(value: Any) -> Any:
    return shown_url(value) if isinstance(value, str) else value


Untrusted = Annotated[
    str, BeforeValidator(_clean), Field(max_length=TEXT_MAX, json_schema_extra={"untrusted": True})
]
UntrustedUrl = Annotated[
    str, BeforeValidator(_clean_url), Field(max_length=URL_MAX, json_schema_extra={"untrusted": True})
]
