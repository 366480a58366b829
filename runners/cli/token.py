"""``fly-gha token``: API tokens, asked of a dispatcher by one with the scope ``admin``, or ``--local``.

The first token has to come from somewhere: ``--local`` writes to the store that fleet.toml names.
"""

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from runners.cli import token_local
from runners.cli.configuration import DEFAULT_CONFIG, ConfigOption
from runners.cli.consent import ReasonOption
from runners.cli.dispatcher import (
    DEFAULT_URL,
    Dispatcher,
    JsonOption,
    TokenOption,
    UrlOption,
    segment,
)
from runners.cli.outcome import Exit, fail
from runners.cli.screen import screen

app = typer.Typer(no_args_is_help=True, help="API tokens.")
LocalOption = Annotated[
    bool, typer.Option("--local", help="Work on the store that fleet.toml names, not on a dispatcher.")
]
DAYS_MAX = 36_500
TO_THE_MINUTE = len("2026-01-01T00:00")


@app.command()
def create(
    local: LocalOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
    name: Annotated[str, typer.Option(help="What you call it.")] = "token",
    scope: Annotated[list[str] | None, typer.Option(help="read, operate or admin; may be repeated.")] = None,
    repository: Annotated[list[str] | None, typer.Option(help="Limit it to owner/name patterns.")] = None,
    pool: Annotated[list[str] | None, typer.Option(help="Limit it to pools.")] = None,
    days: Annotated[
        float | None, typer.Option(min=0.001, max=DAYS_MAX, help="It ends after so many days.")
    ] = None,
    reason: ReasonOption = "",
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make a token and print it, once."""
    scopes, repositories, pools = list(scope or ("read",)), list(repository or ()), list(pool or ())
    if local:
        made = token_local.create(config, name, scopes, repositories, pools, days, reason)
    else:
        limits = {"repositories": repositories, "pools": pools, "days": days}
        body = {"name": name, "scopes": scopes, **limits, "reason": reason}
        answer = Dispatcher(url, token_file).change("POST", "/v1/tokens", body)
        if answer["text"] is None:
            # Its first answer was lost on the way, and the text with it.
            fail(Exit.UNREACHABLE, f"The answer with the token's text was lost: {answer['next'][0]}.")
        made = {"token": answer["text"], **answer["token"]}
    typer.echo(json.dumps(made) if as_json else made["token"])


@app.command("list")
def list_tokens(
    local: LocalOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the tokens; a token's text is not kept and cannot be shown."""
    found: list[dict[str, Any]] = (
        token_local.every(config) if local else Dispatcher(url, token_file).get("/v1/tokens")["tokens"]
    )
    if as_json:
        typer.echo(json.dumps(found))
        return
    table = Table("id", "name", "scopes", "created", "ends", "state", box=None)
    for token in found:
        ends = (token["expires_at"] or "never")[:TO_THE_MINUTE]
        created = token["created_at"][:TO_THE_MINUTE]
        table.add_row(token["id"], token["name"], " ".join(token["scopes"]), created, ends, token["state"])
    screen().print(table)


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID")],
    local: LocalOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
    reason: ReasonOption = "",
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """End a token now."""
    if local:
        ended = token_local.revoke(config, token_id, reason)
    else:
        path = f"/v1/tokens/{segment(token_id)}"
        answer = Dispatcher(url, token_file).change("DELETE", path, {"reason": reason})
        ended = answer["token"] if answer["changed"] else None
    if ended is None:
        where = " --local" if local else ""
        fail(Exit.NO, f"No valid token has the id {token_id!r}; `fly-gha token list{where}` shows them.")
    typer.echo(json.dumps(ended) if as_json else f"token {token_id} is revoked")
