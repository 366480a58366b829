"""``fly-gha drain POOL``: let a pool take no new work; ``--wait`` follows it until it is empty."""

import time
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

LOOK_S = 1.0
PATIENCE_S = 60.0
_COMING = ("requested", "launching", "booting", "claimed")


def drain(
    pool: Annotated[str, typer.Argument(metavar="POOL")],
    wait: Annotated[bool, typer.Option("--wait", help="Until no Machine of it is left.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(min=0, help="Wait no longer; exit 1 when it is not empty."),
    ] = None,
    reason: ReasonOption = "",
    yes: YesOption = False,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let a pool take no new work; busy runners finish."""
    if timeout is not None and not wait:
        fail(Exit.BAD_USE, "--timeout says how long --wait waits: give both, or neither.")
    dispatcher = Dispatcher(url, token_file)
    consented(f"Drain pool {pool}? It takes no new work until it is undrained.", yes=yes)
    answer = dispatcher.change("POST", f"/v1/pools/{segment(pool)}/drain", {"reason": reason})
    if not wait:
        tell(_headline(pool, answer), answer, as_json=as_json)
        return
    if not as_json:
        tell(_headline(pool, answer), answer, as_json=False)
    last = _until_empty(dispatcher, pool, timeout, quiet=as_json)
    if as_json:
        tell("", {**answer, "pool_now": last}, as_json=True)
    else:
        typer.echo(f"pool {pool} is empty")


def _headline(pool: str, answer: dict[str, Any]) -> str:
    return f"pool {pool} {was(answer, 'is drained now', 'was drained already')}"


def _until_empty(dispatcher: Dispatcher, pool: str, timeout: float | None, *, quiet: bool) -> dict[str, Any]:
    began, silent_since, shown = time.monotonic(), None, ""
    try:
        while True:
            seen = dispatcher.look(f"/v1/pools/{segment(pool)}")
            now = time.monotonic()
            if isinstance(seen, str):
                silent_since = silent_since or now
                if now - silent_since > PATIENCE_S:
                    fail(Exit.UNREACHABLE, f"{seen} The pool stays drained.")
            else:
                silent_since = None
                line = _progress(seen)
                if line != shown and not quiet:
                    typer.echo(f"  {line}")
                shown = line
                if not seen["drained"]:
                    fail(Exit.NO, f"Pool {pool} was undrained meanwhile.")
                if seen["live_machines"] == 0:
                    return seen
            if timeout is not None and now - began >= timeout:
                fail(Exit.NO, f"Pool {pool} is not empty after {timeout:g} s: {shown}. It stays drained.")
            time.sleep(LOOK_S)
    except KeyboardInterrupt:
        fail(Exit.NO, f"Stopped waiting; pool {pool} stays drained.")


def _progress(pool: dict[str, Any]) -> str:
    runners = pool["runners"]
    coming = sum(runners.get(state, 0) for state in _COMING)
    return (
        f"{runners['busy']} busy · {runners['idle']} idle · {coming} coming · {runners['retiring']} ending · "
        f"{pool['live_machines']} Machines"
    )
