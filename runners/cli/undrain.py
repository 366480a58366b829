"""``fly-gha undrain POOL``: let a pool serve again."""

from typing import Annotated

import typer

from runners.cli.consent import ReasonOption
from runners.cli.dispatcher import (
    DEFAULT_URL,
    Dispatcher,
    JsonOption,
    TokenOption,
    UrlOption,
    segment,
)
from runners.cli.telling import tell, was


def undrain(
    pool: Annotated[str, typer.Argument(metavar="POOL")],
    reason: ReasonOption = "",
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let a pool serve again."""
    path = f"/v1/pools/{segment(pool)}/undrain"
    answer = Dispatcher(url, token_file).change("POST", path, {"reason": reason})
    tell(f"pool {pool} {was(answer, 'serves again', 'was not drained')}", answer, as_json=as_json)
