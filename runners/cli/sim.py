"""``fly-gha sim``: serves FlySim, GitHubSim and InfisicalSim for any client, until Ctrl-C."""

from pathlib import Path
from typing import Annotated

import typer

from runners.cli.outcome import Exit


def sim(
    config: Annotated[
        Path, typer.Option("--config", help="JSON file with the world; see simulator/sim_config.py.")
    ],
    parent_pid: Annotated[int | None, typer.Option(help="Stop when this process is gone.")] = None,
) -> None:
    """Serve the three simulators; prints one JSON line with their URLs when ready."""
    from simulator.serve import main  # noqa: PLC0415 - only this verb needs the simulators

    arguments = ["--config", str(config)]
    if parent_pid is not None:
        arguments += ["--parent-pid", str(parent_pid)]
    raise typer.Exit(main(arguments) or Exit.OK)
