"""What every test process needs before it starts others."""

import signal


def pytest_configure():
    """Let Ctrl-C reach the processes that tests start.

    A shell that runs the tests in the background ignores it for all of them, and what is ignored here stays
    ignored in every child.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
