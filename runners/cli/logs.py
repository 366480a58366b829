"""What the process logs: one event per line, JSON for machines, coloured text for a person at a terminal.

Secrets are SecretStr from the moment they are read and print as asterisks; URLs and bodies are never logged.
"""

import logging
import sys

import structlog


def configure_logs(*, level: str = "info", as_json: bool | None = None) -> None:
    """Send structlog and the libraries' logs to standard error.

    Args:
        level: debug, info, warning or error.
        as_json: None decides by whether standard error is a terminal.
    """
    number = getattr(logging, level.upper())
    machine = not sys.stderr.isatty() if as_json is None else as_json
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(default=str) if machine else structlog.dev.ConsoleRenderer()
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    # httpx logs whole URLs at info; only what goes wrong in libraries is worth a line, in the same form.
    libraries = logging.StreamHandler(sys.stderr)
    libraries.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[libraries], force=True)
