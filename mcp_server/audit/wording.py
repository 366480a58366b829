"""Wording: records and verdicts as one line for a person.

A log that somebody tampered with may hold anything, so what a terminal is given is cleaned once more.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from mcp_server.audit.record import Record
from mcp_server.audit.verify import Verdict
from runners.wire.text import shown
from runners.wire.times import rfc3339

LINE_MAX = 2000


def line(record: Record) -> str:
    """One record for people: what a column would say when it is empty is left out."""
    entry = record.entry
    who = " ".join(filter(None, [entry.caller, f"({entry.caller_name})" if entry.caller_name else ""]))
    what = " ".join(filter(None, [entry.operation, entry.target]))
    parts: Iterable[str] = (
        f"{rfc3339(entry.at)} #{record.seq}",
        who,
        what,
        json.dumps(entry.arguments) if entry.arguments else "",
        entry.result if entry.result == "ok" else f"{entry.result} [{entry.rule}]",
        f"x{entry.repeats}" if entry.repeats > 1 else "",
        f"{entry.duration_ms:.1f} ms",
        f"{entry.bytes} B",
        "" if entry.revision is None else f"revision {entry.revision}{' stale' if entry.stale else ''}",
        entry.call_id,
    )
    return shown("  ".join(part for part in parts if part), LINE_MAX)


def as_json(record: Record) -> dict[str, Any]:
    """One record as its line in the log has it."""
    entry = asdict(record.entry)
    return {"seq": record.seq, "prev": record.prev, **entry, "hash": record.hash}


def verdict_line(verdict: Verdict) -> str:
    """What was found, in one sentence for people."""
    files = f"{verdict.files} file{'' if verdict.files == 1 else 's'}"
    held = f"{verdict.records} record{'' if verdict.records == 1 else 's'} in {files}"
    broken = verdict.broken
    if broken is None:
        head = "" if verdict.head is None else f", head {verdict.head.seq}:{verdict.head.hash}"
        tail_bytes = f"; {verdict.unfinished} bytes are being written" if verdict.unfinished else ""
        return f"The chain holds: {held}{head}{tail_bytes}."
    place = ", ".join(
        filter(
            None,
            [
                broken.file,
                f"line {broken.line}" if broken.line else "",
                "" if broken.seq is None else f"record {broken.seq}",
            ],
        )
    )
    return f"The chain is broken: {place}: {broken.what}. Before that, {held} hold."
