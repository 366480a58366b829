"""``fly-gha-status health``: how a running server is, for a person, a script or a container's probe."""

import json
from typing import Annotated, Any

import httpx
import typer

from mcp_server.cli.outcome import Exit, fail

DEFAULT_URL = "http://127.0.0.1:8090"
TIMEOUT_S = 10.0


def health(
    url: Annotated[str, typer.Option(envvar="FLY_GHA_STATUS_URL", help="Where the server is.")] = DEFAULT_URL,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Say how a running server is: exit 0 when all is well, 1 when it is degraded or down."""
    found = _asked(url.rstrip("/"))
    if as_json:
        typer.echo(json.dumps(found))
    else:
        typer.echo(f"fly-gha-status is {found['status']}")
        for check in found["checks"]:
            if check["status"] != "ok":
                typer.echo(f"  {check['name']}: {check['status']}: {check['detail']}")
    if found["status"] != "ok":
        raise typer.Exit(Exit.NO)


def _asked(url: str) -> dict[str, Any]:
    try:
        found = httpx.get(f"{url}/healthz", timeout=TIMEOUT_S, trust_env=False).json()
    except (httpx.HTTPError, httpx.InvalidURL):
        fail(Exit.UNREACHABLE, f"{url} did not answer: start fly-gha-status, or name another with --url.")
    except ValueError:
        found = None
    if not isinstance(found, dict) or "checks" not in found:
        fail(Exit.UNREACHABLE, f"What answers at {url} is not fly-gha-status.")
    return found
