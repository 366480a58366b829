"""A publisher is ready while every token is fresh, and says which is not before it ends."""

import pytest

from runners.secrets.publisher import Outcome, PublishResult, TokenReport
from runners.secrets.publisher_health import PublisherHealth

NOW = 1_790_000_000.0
NAME = "GITHUB_INSTALLATION_TOKEN_ACME"


@pytest.fixture
def health():
    return PublisherHealth("acme", "i-1", period=30.0, late_below=480.0)


def passed(health, left=3600.0, outcome=Outcome.KEPT, why=""):
    ends = None if left is None else NOW + left
    health.passed(PublishResult(NOW, NOW, (TokenReport(NAME, "acme", outcome, ends, why),)), NOW)


def said(health, now=NOW):
    found = health.readiness(now)
    return found.not_ready, " ".join(check.detail for check in found.checks)


def test_before_its_first_pass_it_is_not_ready(health):
    assert said(health) == (("pass",), "it has not finished a pass yet")


def test_after_a_good_pass_it_is_ready_and_tells_what_is_left(health):
    passed(health)
    assert said(health) == ((), " 3600 s left")
    assert health.readiness(NOW).fleet == "acme"


def test_a_pass_that_failed_is_told_and_the_tokens_grow_old_meanwhile(health):
    passed(health)
    health.failed(OSError("Infisical\nis away"), NOW + 30)
    assert said(health, NOW + 30) == (("pass",), "Infisical is away 3570 s left")
    health.failed(OSError("still away"), NOW + 3200)
    assert said(health, NOW + 3200)[0] == ("pass", NAME)


def test_a_token_that_could_not_be_renewed_is_told_while_it_lives(health):
    passed(health, left=590.0, outcome=Outcome.FAILED, why="the App is not installed there")
    assert said(health) == ((NAME,), " 590 s left; not renewed: the App is not installed there")


@pytest.mark.parametrize(("left", "ready"), [(480.0, True), (479.0, False), (-5.0, False), (None, False)])
def test_a_token_that_is_late_or_over_is_not_ready_whatever_the_pass_said(health, left, ready):
    passed(health, left=left)
    assert health.readiness(NOW).ready is ready


def test_a_publisher_that_hangs_is_not_ready(health):
    passed(health)
    assert health.readiness(NOW + 90).ready is True
    assert said(health, NOW + 91)[0] == ("pass",)
