"""``fly-gha``: one module per verb, loaded when the verb is called, so that a verb pays for itself only."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from runners.cli.outcome import Exit, fail
from runners.cli.streams import open_closed_streams, refused_output

VERBS = {
    "serve": "runners.cli.serve:serve",
    "demo": "runners.cli.demo.command:demo",
    "sim": "runners.cli.sim:sim",
    "status": "runners.cli.status:status",
    "jobs": "runners.cli.jobs:jobs",
    "why": "runners.cli.why:why",
    "runners": "runners.cli.runners_list:runners",
    "runner": "runners.cli.runner:runner",
    "events": "runners.cli.events:events",
    "cost": "runners.cli.cost:cost",
    "drain": "runners.cli.drain:drain",
    "undrain": "runners.cli.undrain:undrain",
    "scale": "runners.cli.scale:scale",
    "pause": "runners.cli.pause:pause",
    "resume": "runners.cli.resume:resume",
    "retire": "runners.cli.retire:retire",
    "sweep": "runners.cli.sweep:sweep",
    "doctor": "runners.cli.doctor.command:doctor",
    "init": "runners.cli.init.command:init",
    "backup": "runners.cli.backup:backup",
    "restore": "runners.cli.restore:restore",
    "token": "runners.cli.token:app",
    "tokens": "runners.cli.tokens:app",
}
"""Every verb and where it lives, in the order in which ``--help`` lists them."""


class Verbs(TyperGroup):
    """Finds a verb by its name and imports it then."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the verb, whatever its standard streams are."""
        open_closed_streams()
        with refused_output():
            return super().main(*args, **kwargs)

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002
        """The verbs, in order."""
        return list(VERBS)

    def get_command(self, ctx: typer.Context, cmd_name: str):  # type: ignore[no-untyped-def,override]  # noqa: ANN201, ARG002
        """The verb of that name, or None."""
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name].partition(":")
        try:
            verb = getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            fail(
                Exit.BAD_USE,
                f"fly-gha {cmd_name} needs the package {error.name}, which is not installed: "
                'install the dispatcher with its dependencies, "fly-gha[dispatcher]".',
            )
        if not isinstance(verb, typer.Typer):
            single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            single.command(cmd_name)(verb)
            verb = single
        command = typer.main.get_command(verb)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="fly-gha",
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Just-in-time GitHub Actions runners on Fly Machines.",
)


@app.callback()
def fly_gha() -> None:
    """Just-in-time GitHub Actions runners on Fly Machines."""
