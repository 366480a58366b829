"""docs/reasons.md: the runbook: every Reason with its meaning, its cause and what to do."""

from docgen.blocks import page
from runners.model.reason import Reason
from runners.model.refusal_notes import REASON_NOTES
from runners.model.runbook import runbook_lines


def reasons_page() -> str:
    """The whole page.

    Raises:
        LookupError: a Reason lacks a part of its entry.
    """
    without = sorted(set(Reason) - {reason for notes in REASON_NOTES.values() for reason in notes})
    if without:
        raise LookupError(
            f"no note in runners/model/reason_notes.py or refusal_notes.py for: {', '.join(without)}"
        )
    parts = []
    for title, notes in REASON_NOTES.items():
        parts.append(f"## {title}")
        for reason in notes:
            parts += [f"### `{reason}`", "\n".join(runbook_lines(reason))]
    return page(
        "Reasons",
        "One word for each cause, the same in the log, the events, the API, the command line and the "
        "metrics. The words are stable; the text that follows one has the particulars of the case. "
        "`fly-gha why --reason WORD` prints an entry of this page.",
        *parts,
    )
