"""``fly-gha-status``: without a verb it serves; with ``--stdio`` it serves the one agent that started it."""

from importlib import import_module
from typing import Annotated

import typer
from typer.core import TyperGroup

from mcp_server.cli.outcome import Exit, fail

VERBS = {
    "token": "mcp_server.cli.token:app",
    "audit": "mcp_server.cli.audit:app",
    "health": "mcp_server.cli.health:health",
}
"""Every verb and where it lives, in the order in which ``--help`` lists them."""


class Verbs(TyperGroup):
    """Finds a verb by its name and imports it then."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002
        """The verbs, in order."""
        return list(VERBS)

    def get_command(self, ctx: typer.Context, cmd_name: str):  # type: ignore[no-untyped-def,override]  # noqa: ANN201, ARG002
        """The verb of that name, or None."""
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name].partition(":")
        verb = getattr(import_module(module), name)
        if not isinstance(verb, typer.Typer):
            single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            single.command(cmd_name)(verb)
            verb = single
        command = typer.main.get_command(verb)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="fly-gha-status",
    cls=Verbs,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Serve the read-only MCP server that tells agents about a fly-gha fleet.",
)


@app.callback(invoke_without_command=True)
def fly_gha_status(
    context: typer.Context,
    stdio: Annotated[
        bool, typer.Option("--stdio", help="Serve one local agent on standard input and output.")
    ] = False,
) -> None:
    """Serve the read-only MCP server that tells agents about a fly-gha fleet.

    Settings are the environment variables FLY_GHA_STATUS_…; docs/status.md lists them.
    """
    if context.invoked_subcommand is not None:
        if stdio:
            fail(Exit.BAD_USE, "--stdio goes with no verb: it serves.")
        return
    try:
        serving = import_module("mcp_server.cli.serving")
    except ModuleNotFoundError as error:
        fail(
            Exit.BAD_USE,
            f"fly-gha-status needs the package {error.name}, which is not installed: "
            'install it with its dependencies, "fly-gha[status]".',
        )
    serving.serve_stdio() if stdio else serving.serve_http()
