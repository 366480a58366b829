"""``fly-gha scale POOL``: override a pool's cap and spares, or go back to what fleet.toml says."""

from typing import Annotated, Any

import typer

from runners.cli.consent import ReasonOption, YesOption, consented
from runners.cli.dispatcher import (
    DEFAULT_URL,
    Dispatcher,
    JsonOption,
    TokenOption,
    UrlOption,
    segment,
)
from runners.cli.outcome import Exit, fail
from runners.cli.telling import tell, was

BACK = "default"


def scale(
    pool: Annotated[str, typer.Argument(metavar="POOL")],
    most: Annotated[
        str | None, typer.Option("--max", help="Most Machines; a number, or `default` for fleet.toml's.")
    ] = None,
    ready: Annotated[str | None, typer.Option(help="Booted spares to keep; a number or `default`.")] = None,
    stopped: Annotated[
        str | None, typer.Option(help="Stopped spares to keep; a number or `default`.")
    ] = None,
    reason: ReasonOption = "",
    yes: YesOption = False,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Override a pool's cap and spares."""
    named = {"max_machines": ("--max", most), "ready": ("--ready", ready), "stopped": ("--stopped", stopped)}
    given = {key: _figure(option, text) for key, (option, text) in named.items() if text is not None}
    if not given:
        fail(Exit.BAD_USE, "Give one or more of --max, --ready and --stopped.")
    dispatcher = Dispatcher(url, token_file)
    if _lowers(dispatcher, pool, given):
        wanted = ", ".join(f"{key} {BACK if value is None else value}" for key, value in given.items())
        consented(f"Scale pool {pool} to {wanted}? That may be less than now.", yes=yes)
    answer = dispatcher.change("POST", f"/v1/pools/{segment(pool)}/scale", {**given, "reason": reason})
    tell(_headline(pool, answer), answer, as_json=as_json)


def _headline(pool: str, answer: dict[str, Any]) -> str:
    before, after = answer["before"], answer["after"]
    told = []
    for key in ("max_machines", "ready", "stopped"):
        whose = "" if key in after["overrides"] else " (fleet.toml)"
        arrow = f"{before[key]} -> " if before[key] != after[key] else ""
        told.append(f"{key} {arrow}{after[key]}{whose}")
    return f"pool {pool} {was(answer, 'is scaled', 'was so already')}: {', '.join(told)}"


def _figure(option: str, text: str) -> int | None:
    if text == BACK:
        return None
    if not text.isdecimal():
        fail(Exit.BAD_USE, f"{option} {text!r}: expected a whole number of 0 or more, or {BACK}.")
    return int(text)


def _lowers(dispatcher: Dispatcher, pool: str, given: dict[str, int | None]) -> bool:
    """Whether any figure goes down, as far as can be told: fleet.toml's own is not known here."""
    now = dispatcher.may_read(f"/v1/pools/{segment(pool)}")
    if now is None:
        return True
    spares = now["spares"]
    current = {
        "max_machines": now["max_machines"],
        "ready": spares["ready_wanted"],
        "stopped": spares["stopped_wanted"],
    }
    overridden = now["overrides"]
    return any(key in overridden if value is None else value < current[key] for key, value in given.items())
