"""``--config``: the fleet file of a verb, or one message per mistake and exit code 2."""

from pathlib import Path
from typing import Annotated

import typer

from runners.cli.outcome import Exit, fail
from runners.fleet_file import FleetFileInvalid, load_settings
from runners.model.settings import Settings

ConfigOption = Annotated[
    Path, typer.Option("--config", envvar="FLY_GHA_CONFIG", help="The fleet file.", show_default=True)
]
DEFAULT_CONFIG = Path("fleet.toml")


def settings_or_exit(config: Path) -> Settings:
    """The settings, or the end of the verb with every mistake named."""
    try:
        return load_settings(config)
    except FleetFileInvalid as error:
        fail(Exit.BAD_USE, str(error))
