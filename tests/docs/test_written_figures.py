"""Figures that prose gives in words are those of the code."""

import re
from pathlib import Path

import pytest

from mcp_server.settings import StatusSettings
from mcp_server.web import PATH
from runners.api.page.session import SESSION_S
from runners.api.page.tries import TRIES_MAX, WINDOW_S
from runners.store.kept_answers import KEPT_S

DOCS = Path(__file__).resolve().parents[2] / "docs"
WORDS = {8: "eight"}
HOUR, MINUTE = 3600, 60
PORT = StatusSettings.model_fields["port"].default


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("page.md", f"after {SESSION_S / HOUR:g} hours"),
        ("security.md", f"after {SESSION_S / HOUR:g} hours"),
        ("page.md", f"after {WORDS[TRIES_MAX]} wrong ones within a minute"),
        ("api.md", f"within {KEPT_S / HOUR:g} hours"),
        ("status.md", f"http://127.0.0.1:{PORT}{PATH}"),
    ],
)
def test_a_figure_in_words_is_that_of_the_code(page, said):
    assert said in re.sub(r"\s+", " ", (DOCS / page).read_text())


def test_the_window_of_wrong_tokens_is_the_minute_that_the_page_says():
    assert WINDOW_S == MINUTE
