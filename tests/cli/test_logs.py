"""What both services write to standard error is one JSON object a line, whoever wrote it."""

import json
import subprocess
import sys

import pytest

SAYING = """
import logging
import structlog
from {module} import configure_logs
configure_logs()
structlog.get_logger().info("own", pool="p")
logging.getLogger("uvicorn.error").warning("theirs %s", "and more")
logging.getLogger("httpx").info("an address with a secret")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("asyncio").exception("failed")
"""


@pytest.mark.parametrize("module", ["runners.cli.logs", "mcp_server.cli.logs"])
def test_a_library_s_line_is_json_like_our_own_and_what_is_below_a_warning_is_not_written(module):
    done = subprocess.run(
        [sys.executable, "-c", SAYING.format(module=module)], capture_output=True, text=True, check=True
    )
    own, theirs, failed = (json.loads(line) for line in done.stderr.splitlines())
    assert (own["event"], own["level"], own["pool"]) == ("own", "info", "p")
    assert (theirs["event"], theirs["level"]) == ("theirs and more", "warning")
    assert theirs["logger"] == "uvicorn.error"
    assert "ZeroDivisionError" in failed["exception"]
    assert done.stdout == ""
