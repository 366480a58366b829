"""The runbook's entry of one Reason: the same lines in docs/reasons.md and in ``fly-gha why --reason``."""

from runners.model.reason import Reason
from runners.model.reason_causes import CAUSES
from runners.model.refusal_notes import REASON_NOTES


def runbook_lines(reason: Reason) -> tuple[str, str, str]:
    """What it means, why it happens, and what to do, each one line of Markdown.

    Raises:
        LookupError: the Reason has no note, or no cause.
    """
    note = next((notes[reason] for notes in REASON_NOTES.values() if reason in notes), None)
    cause = CAUSES.get(reason)
    if note is None or cause is None:
        where = "reason_causes.py" if note is not None else "reason_notes.py or refusal_notes.py"
        raise LookupError(f"{reason} lacks its entry in runners/model/{where}")
    step = note.next_step[0].upper() + note.next_step[1:]
    return f"- Means: {note.meaning}", f"- Why it happens: {cause}", f"- What to do: {step}."
