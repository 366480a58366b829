"""``fly-gha``: one verb per module. Verbs load what they need when they run, so ``--help`` is quick."""

import typer

from runners.cli import events, serve, sim, status, token, tokens, why
from runners.cli.demo import command as demo

app = typer.Typer(
    name="fly-gha",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Just-in-time GitHub Actions runners on Fly Machines.",
)
app.command()(serve.serve)
app.command()(demo.demo)
app.command()(sim.sim)
app.command()(status.status)
app.command()(why.why)
app.command()(events.events)
app.add_typer(token.app, name="token")
app.add_typer(tokens.app, name="tokens")
