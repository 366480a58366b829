"""Finding: one line of the doctor's report."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a line says. What nobody could find out is unknown, never ok."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line.

    Attributes:
        about: what was looked at, in a few words.
        detail: what was found, or why nothing was.
        next_step: the one thing to do; "" when there is nothing.
    """

    about: str
    verdict: Verdict
    detail: str
    next_step: str = ""


def ok(about: str, detail: str) -> Finding:
    """A line that is as it should be."""
    return Finding(about, Verdict.OK, detail)


def failed(about: str, detail: str, next_step: str) -> Finding:
    """A line that needs somebody."""
    return Finding(about, Verdict.FAILED, detail, next_step)


def unknown(about: str, why: str, next_step: str = "") -> Finding:
    """A line that could not be looked at, and why."""
    return Finding(about, Verdict.UNKNOWN, why, next_step)
