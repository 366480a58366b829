"""``fly-gha retire RUNNER``: end one runner; a busy one only by ``--force``, and then its job is lost."""

from typing import Annotated

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
from runners.cli.telling import tell, was


def retire(
    runner: Annotated[str, typer.Argument(metavar="RUNNER")],
    force: Annotated[bool, typer.Option("--force", help="Even while it runs a job, which is lost.")] = False,
    reason: ReasonOption = "",
    yes: YesOption = False,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """End one runner; a busy one only by force."""
    dispatcher = Dispatcher(url, token_file)
    lost = " If it runs a job, THAT JOB IS LOST." if force else " If it runs a job, it is left alone."
    consented(f"Retire runner {runner}?{lost}", yes=yes)
    body = {"force": force, "reason": reason}
    answer = dispatcher.change("POST", f"/v1/runners/{segment(runner)}/retire", body)
    how = "by force" if answer["after"]["end_asked"] == "operator_forced" else "once it is idle"
    state = answer["before"]["state"]
    headline = was(answer, f"is {state} and ends {how}", f"is {state}: nothing to do")
    tell(f"runner {runner} {headline}", answer, as_json=as_json)
