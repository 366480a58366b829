"""docs/reasons.md: every Reason with its meaning and next step."""

from docgen.blocks import code, page, plain, table
from runners.model.reason import Reason
from runners.model.refusal_notes import REASON_NOTES


def reasons_page() -> str:
    """The whole page.

    Raises:
        LookupError: a Reason has no note.
    """
    without = sorted(set(Reason) - {reason for notes in REASON_NOTES.values() for reason in notes})
    if without:
        raise LookupError(
            f"no note in runners/model/reason_notes.py or refusal_notes.py for: {', '.join(without)}"
        )
    parts = []
    for title, notes in REASON_NOTES.items():
        rows = [(code(reason), plain(note.meaning), plain(note.next_step)) for reason, note in notes.items()]
        parts += [f"## {title}", table(("Reason", "Means", "Next step"), rows)]
    return page(
        "Reasons",
        "One word for each cause, the same in the log, the events, the API, the command line and the "
        "metrics. The words are stable; the text that follows one has the particulars of the case.",
        *parts,
    )
