"""docs/cli.md and the README's table of verbs, from the Typer app itself."""

from collections.abc import Iterator
from typing import Any

import typer.main

from docgen.blocks import code, page, plain, table
from docgen.exits import EXIT_MEANINGS
from runners.cli.main import app
from runners.cli.outcome import Exit

PROGRAM = "fly-gha"


def cli_page() -> str:
    """The whole page."""
    return page(
        "The command line",
        "`fly-gha VERB --help` says the same. Verbs that read ask a running dispatcher over HTTP, at "
        "`--url` or `FLY_GHA_URL`, with the token in `--token-file`, `FLY_GHA_TOKEN_FILE` or "
        "`FLY_GHA_TOKEN`; a token is never an argument, since arguments show in process lists.",
        "`fly-gha --install-completion` makes the shell complete verbs and options (bash, zsh, fish, "
        "PowerShell); `--show-completion` prints the script instead. At a terminal answers fit 80 columns; "
        "in a file or a pipe lines stay whole.",
        "## Exit codes",
        table(("Code", "Means"), [(str(int(code_)), EXIT_MEANINGS[code_]) for code_ in Exit]),
        *(part for path, command in verbs() for part in _verb(path, command)),
    )


def verb_table() -> str:
    """The README's part: every verb and its one sentence."""
    rows = [(code(f"{PROGRAM} {path}"), _first(command)) for path, command in verbs()]
    return table(("Command", "What it does"), rows)


def verbs() -> Iterator[tuple[str, Any]]:
    """Every command that runs, with its path below ``fly-gha``."""
    group: Any = typer.main.get_command(app)
    yield from _below(group, "")


def _below(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    # Asked as --help asks it: fly-gha imports a verb when it is called, so its group holds none by itself.
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if hasattr(command, "list_commands"):
            yield from _below(command, f"{prefix}{name} ")
        else:
            yield prefix + name, command


def _first(command: Any) -> str:
    return plain((command.help or "").partition("\n\n")[0])


def _verb(path: str, command: Any) -> Iterator[str]:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and each.name != "help"]
    usage = " ".join((PROGRAM, path, *(each.metavar or each.name.upper() for each in arguments), "[OPTIONS]"))
    yield f"## `{PROGRAM} {path}`"
    said = [plain(paragraph) for paragraph in (command.help or "").split("\n\n")]
    yield "\n\n".join((*said, f"    {usage}"))
    rows = [(code(each.metavar or each.name.upper()), "required", each.help or "") for each in arguments]
    rows += [(", ".join(code(name) for name in each.opts), _default(each), _help(each)) for each in options]
    if rows:
        yield table(("Argument or option", "Default", "Meaning"), rows)


def _default(option: Any) -> str:
    if option.required:
        return "required"
    if option.is_flag:
        return "off"
    return code(str(option.default)) if option.default not in (None, "") else "not set"


def _help(option: Any) -> str:
    again = " May be repeated." if option.multiple and "repeated" not in (option.help or "") else ""
    variable = f" Environment: {code(option.envvar)}." if option.envvar else ""
    return f"{option.help or ''}{again}{variable}"
