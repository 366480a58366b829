"""``fly-gha-status token``: tokens for agents, kept as hashes in a file that the server reads at once."""

import json
import secrets
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from mcp_server.caller import Scope
from mcp_server.cli.outcome import Exit, fail
from mcp_server.settings import DAY_S, PREFIX, StatusSettings
from mcp_server.token_file import TokenFile, TokensUnusable
from mcp_server.tokens import NewToken, Token, new_token
from mcp_server.tools.registry import TOOLS
from runners.upstream.clock import SystemClock
from runners.wire.times import maybe_rfc3339, rfc3339

app = typer.Typer(no_args_is_help=True, help="Tokens of the agents that may ask.")

DEFAULT_FILE = Path(StatusSettings.model_fields["tokens_file"].default)
DEFAULT_SCOPES = (Scope.CAPACITY, Scope.JOBS)
DAYS_MAX = 36_500
TO_THE_MINUTE = len("2026-01-01T00:00")

FileOption = Annotated[
    Path, typer.Option("--file", envvar=f"{PREFIX}TOKENS_FILE", help="Where the hashed tokens are kept.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


@app.command()
def create(
    file: FileOption = DEFAULT_FILE,
    name: Annotated[str, typer.Option(help="What you call its bearer.")] = "agent",
    project: Annotated[str, typer.Option(help="Whose ceiling of calls its bearer shares.")] = "default",
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help=f"May be repeated; {' and '.join(DEFAULT_SCOPES)} when left out."),
    ] = None,
    repository: Annotated[list[str] | None, typer.Option(help="Limit it to owner/name patterns.")] = None,
    pool: Annotated[list[str] | None, typer.Option(help="Limit it to pools.")] = None,
    tool: Annotated[list[str] | None, typer.Option(help="Limit it to tools of its scopes.")] = None,
    days: Annotated[
        float | None, typer.Option(min=0.001, max=DAYS_MAX, help="It ends after so many days.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print it, once."""
    _check_tools(tool or (), scope or DEFAULT_SCOPES)
    now, file = SystemClock().now(), _ready(file)

    def make() -> NewToken:
        return new_token(
            secrets.token_bytes,
            name=name,
            project=project,
            scopes=tuple(scope or DEFAULT_SCOPES),
            now=now,
            repositories=tuple(repository or ()),
            pools=tuple(pool or ()),
            tools=tuple(tool or ()),
            expires_at=None if days is None else now + days * DAY_S,
        )

    def op(kept: tuple[Token, ...]) -> tuple[tuple[Token, ...], NewToken]:
        made = make()
        while made.token.id in {token.id for token in kept}:
            made = make()
        return (*kept, made.token), made

    try:
        made = TokenFile(file).change(op)
    except ValidationError as error:
        fail(Exit.BAD_USE, _wrong_option(error))
    except TokensUnusable as unusable:
        fail(Exit.UNREACHABLE, _sentence(unusable))
    text = made.text.get_secret_value()
    typer.echo(json.dumps({"token": text, **_fields(made.token)}) if as_json else text)


@app.command("list")
def list_tokens(file: FileOption = DEFAULT_FILE, as_json: JsonOption = False) -> None:
    """List the tokens; a token's text is not kept and cannot be shown."""
    try:
        found = TokenFile(file.expanduser()).read() or ()
    except TokensUnusable as unusable:
        fail(Exit.UNREACHABLE, _sentence(unusable))
    if as_json:
        typer.echo(json.dumps([_fields(token) for token in found]))
        return
    table = Table("id", "name", "project", "scopes", "ends", "state", box=None)
    now = SystemClock().now()
    for token in found:
        state = "revoked" if token.revoked_at is not None else "valid" if token.valid(now) else "ended"
        ends = (maybe_rfc3339(token.expires_at) or "never")[:TO_THE_MINUTE]
        table.add_row(token.id, token.name, token.project, " ".join(token.scopes), ends, state)
    # Wrapped for a person's terminal, in whole lines for a file, a pipe or grep.
    Console(highlight=False, markup=False, soft_wrap=not sys.stdout.isatty()).print(table)


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID")],
    file: FileOption = DEFAULT_FILE,
    as_json: JsonOption = False,
) -> None:
    """End a token now: a running server refuses it from the next call on."""
    now = SystemClock().now()

    def op(kept: tuple[Token, ...]) -> tuple[tuple[Token, ...], Token | None]:
        ended = next((token for token in kept if token.id == token_id and token.revoked_at is None), None)
        if ended is None:
            return kept, None
        revoked = ended.model_copy(update={"revoked_at": now})
        return tuple(revoked if token is ended else token for token in kept), revoked

    try:
        revoked = TokenFile(file.expanduser()).change(op)
    except TokensUnusable as unusable:
        fail(Exit.UNREACHABLE, _sentence(unusable))
    if revoked is None:
        fail(Exit.NO, f"No token that could be revoked has the id {token_id!r} in {file}.")
    typer.echo(json.dumps(_fields(revoked)) if as_json else f"token {revoked.id} is revoked")


def _check_tools(names: Iterable[str], scopes: Collection[Scope]) -> None:
    """Refuse a tool that does not exist or that the scopes do not open: the token opens less than it says."""
    known = {tool.name: tool.scope for tool in TOOLS}
    for name in names:
        if name not in known:
            fail(Exit.BAD_USE, f"--tool: there is no such tool; the tools are {', '.join(known)}.")
        if known[name] not in scopes:
            fail(Exit.BAD_USE, f"--tool {name} needs --scope {known[name]}.")


def _ready(file: Path) -> Path:
    """Where the file goes. The folder of the default is made; one that somebody names may be mistyped."""
    place = file.expanduser()
    if file == DEFAULT_FILE:
        try:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            fail(Exit.UNREACHABLE, f"Cannot make the folder {place.parent}: {error.strerror}.")
    return place


def _fields(token: Token) -> dict[str, object]:
    return {
        "id": token.id,
        "name": token.name,
        "project": token.project,
        "scopes": list(token.scopes),
        "repositories": list(token.repositories),
        "pools": list(token.pools),
        "tools": list(token.tools),
        "created_at": rfc3339(token.created_at),
        "expires_at": maybe_rfc3339(token.expires_at),
        "revoked_at": maybe_rfc3339(token.revoked_at),
    }


_OPTION = {"repositories": "--repository", "pools": "--pool", "tools": "--tool", "expires_at": "--days"}
_WANTED = {
    "repositories": "wants an owner/name pattern such as acme/* (not too many of them)",
    "pools": "wants the name of a pool such as gha-medium",
    "tools": "wants the name of a tool such as queue_list",
    "name": "wants a few words without characters that do not show",
    "project": "wants letters, digits, dots, dashes and underscores",
}


def _wrong_option(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = str(first["loc"][0]) if first["loc"] else "expires_at"
    return f"{_OPTION.get(field, f'--{field}')} {_WANTED.get(field, 'is not valid')}."


def _sentence(unusable: TokensUnusable) -> str:
    text = str(unusable)
    return f"Cannot {text[0].lower()}{text[1:]}."
