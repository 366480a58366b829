"""`config.sh`: turn a registration token into a configured runner folder."""

import socket
from urllib.parse import urlsplit

from .arguments import Arguments
from .codes import SUCCESS, TERMINATED
from .folder import Folder
from .service import Service, Unreachable
from .terminal import error, say

DEFAULT_LABELS = ("self-hosted", "Linux", "X64")
CREATED = 201
BANNER = "-" * 80


def configure(folder: Folder, arguments: Arguments) -> int:
    """Register and write the three files.

    Returns:
        The listener's exit code.
    """
    if folder.configured:
        error(
            "Cannot configure the runner because it is already configured. To reconfigure the runner, run "
            "'config.cmd remove' or './config.sh remove' first."
        )
        return TERMINATED
    url, token = arguments.text("url"), arguments.text("token")
    if not url or not token:
        missing = "token" if url else "url"
        error(f"Invalid configuration provided for {missing}. Terminating unattended configuration.")
        return TERMINATED
    labels = _labels(arguments)
    if not labels:
        error("Cannot use --no-default-labels without --labels: a runner needs at least one label.")
        return TERMINATED
    say(BANNER, "|  Self-hosted runner registration (stand-in)", BANNER, "", "# Authentication", "")
    parts = urlsplit(url)
    wish = {
        "url": url,
        "name": arguments.text("name") or socket.gethostname(),
        "labels": labels,
        "runner_group": arguments.text("runnergroup") or "",
        "ephemeral": arguments.flag("ephemeral"),
        "replace": arguments.flag("replace"),
        "work_folder": arguments.text("work") or "_work",
    }
    try:
        answer = Service(f"{parts.scheme}://{parts.netloc}/_runner").call(
            "POST", "/register", wish, authorization=f"RemoteAuth {token}"
        )
    except Unreachable as wrong:
        error(f"The HTTP request failed: {wrong}")
        return TERMINATED
    if answer.status != CREATED:
        error(f"Http response code: {answer.status} from 'POST {url}' {answer.body.get('message', '')}")
        return TERMINATED
    say("", "√ Connected to GitHub", "", "# Runner Registration", "")
    folder.write({name: text.encode() for name, text in answer.body["files"].items()})
    folder.log(f"Configured runner {wish['name']}")
    say("√ Runner successfully added", "√ Runner connection is good", "")
    say("# Runner settings", "", "√ Settings Saved.", "")
    return SUCCESS


def remove(folder: Folder, arguments: Arguments) -> int:
    """`config.sh remove --local`: forget the configuration. Removing it at GitHub is the fleet's business."""
    if not arguments.flag("local"):
        error("The stand-in removes local configuration only; use --local.")
        return TERMINATED
    for name in folder.forget():
        say(f"√ Removed {name}")
    return SUCCESS


def _labels(arguments: Arguments) -> list[str]:
    wanted = [label.strip() for label in (arguments.text("labels") or "").split(",") if label.strip()]
    default = () if arguments.flag("no-default-labels") else DEFAULT_LABELS
    return list(dict.fromkeys((*default, *wanted)))
