"""What the process logs: one event per line on standard error, JSON for machines, text for a terminal.

Standard output belongs to the protocol on stdio, so nothing but the protocol is ever written there.
"""

import logging
import sys

import structlog


def configure_logs() -> None:
    """Send structlog and the libraries' warnings to standard error."""
    machine = not sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(default=str) if machine else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    # At info the SDK writes a line for each request, which halves what it serves.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
