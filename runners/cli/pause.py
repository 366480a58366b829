"""``fly-gha pause``: launch nothing in any pool; what runs goes on."""

from runners.cli.consent import ReasonOption, YesOption, consented
from runners.cli.dispatcher import DEFAULT_URL, Dispatcher, JsonOption, TokenOption, UrlOption
from runners.cli.telling import tell, was


def pause(
    reason: ReasonOption = "",
    yes: YesOption = False,
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Launch nothing in any pool; what runs goes on."""
    dispatcher = Dispatcher(url, token_file)
    consented("Pause the whole fleet? Nothing is launched until it is resumed.", yes=yes)
    answer = dispatcher.change("POST", "/v1/fleet/pause", {"reason": reason})
    fleet = answer["fleet"]
    tell(f"fleet {fleet} {was(answer, 'is paused now', 'was paused already')}", answer, as_json=as_json)
