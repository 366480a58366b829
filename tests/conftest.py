"""What every test process needs before it starts others, and the rule that only tests/live may skip."""

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

LIVE = Path(__file__).parent / "live"


def pytest_addoption(parser):
    group = parser.getgroup("live", "tests against real accounts: tests/live/README.md")
    group.addoption("--live", action="store_true", help="run them; FLY_GHA_LIVE_CONFIG has to be set")
    group.addoption(
        "--live-canary", action="store_true", help="run the canary workflow, too: it boots a Machine per pool"
    )


# A rule says nothing of how fast a busy machine draws its examples.
settings.register_profile(
    "unhurried",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
settings.load_profile("unhurried")


def pytest_configure():
    """Let Ctrl-C reach the processes that tests start.

    A shell that runs the tests in the background ignores it for all of them, and what is ignored here stays
    ignored in every child.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """A test that skips has not been run, so a suite with one is not whole: it fails."""
    report = yield
    return refused(report, item.path)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Likewise for a whole file."""
    report = yield
    return refused(report, collector.path)


def refused(report, path):
    """The report, failed if it skips anywhere but in tests/live."""
    if report.outcome == "skipped" and not path.is_relative_to(LIVE):
        said = report.longrepr
        why = said[2] if isinstance(said, tuple) else report.__dict__.pop("wasxfail", said)
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} did not run ({why}): only tests/live may skip"
    return report
