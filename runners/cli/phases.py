"""The way of a job or a runner by phase, as ``why`` and ``runner`` show it."""

from typing import Any

from rich.table import Table


def phase_table(phases: list[dict[str, Any]]) -> Table:
    """One line for each phase: when it was reached, and how long after the one before."""
    table = Table("  phase", "at", "after", box=None)
    for phase in phases:
        seconds = "" if phase["seconds"] is None else f"{phase['seconds']:.2f} s"
        table.add_row(f"  {phase['name']}", phase["at"] or "-", seconds)
    return table
