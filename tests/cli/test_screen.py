"""Answers are wrapped for people only."""

import pytest
from rich.console import Console

from runners.cli.cells import columns, shortened
from runners.cli.screen import screen

NAME = "acme/a-repository-of-a-long-name Nightly / integration (ubuntu, postgres, arm64)"


def table():
    rows = columns("job", "state", "workflow / name", "why", cut=("workflow / name",))
    rows.add_row("33607459670", "in_progress", shortened(NAME), "supply_on_its_way")
    return rows


def test_a_line_that_goes_to_a_file_or_a_pipe_stays_one_line(capsys):
    screen().print("held: " + "a reason " * 30)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_table_that_goes_to_a_pipe_is_cut_nowhere(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    screen().print(table())
    assert NAME in capsys.readouterr().out


@pytest.mark.parametrize("width", [80, 60])
def test_only_the_column_that_may_give_way_does_when_a_table_is_too_wide(width, capsys):
    Console(width=width).print(table())
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) <= width
    for whole in ("33607459670", "in_progress", "supply_on_its_way"):
        assert whole in lines[1]
