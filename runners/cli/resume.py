"""``fly-gha resume``: launch again."""

from runners.cli.consent import ReasonOption
from runners.cli.dispatcher import DEFAULT_URL, Dispatcher, JsonOption, TokenOption, UrlOption
from runners.cli.telling import tell, was


def resume(
    reason: ReasonOption = "",
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Launch again."""
    dispatcher = Dispatcher(url, token_file)
    answer = dispatcher.change("POST", "/v1/fleet/resume", {"reason": reason})
    fleet = answer["fleet"]
    tell(f"fleet {fleet} {was(answer, 'is resumed', 'was not paused')}", answer, as_json=as_json)
