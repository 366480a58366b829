"""Answers are wrapped for people only."""

from runners.cli.screen import screen


def test_a_line_that_goes_to_a_file_or_a_pipe_stays_one_line(capsys):
    screen().print("held: " + "a reason " * 30)
    assert len(capsys.readouterr().out.splitlines()) == 1
