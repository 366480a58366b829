"""GitHub as the fleet uses it: registrations, the queue, the delivery log, runner groups, behind one object.

Every call goes through the transport that is handed in (deadline, breaker, no retry:
runners.upstream.transport) and raises UpstreamError only, or what the TokenSource raises for a credential it
does not have. githubkit is loaded by the first call, or by ``load``.
"""

import httpx

from runners.github.calls import Calls
from runners.github.deliveries import Deliveries
from runners.github.groups import Groups
from runners.github.registrations import Registrations
from runners.github.runs import Runs
from runners.github.tokens import TokenSource
from runners.upstream.clock import Clock

# A registration token lives for an hour; a Machine that is handed one uses it within its boot.
TOKEN_MARGIN_S = 600.0
TIMEOUT_S = 10.0


class GitHub(Registrations, Runs, Deliveries, Groups):
    """One GitHub, with the credentials of one App.

    It may be used by any number of tasks at once, and needs no closing: connections belong to the transport.

    Args:
        transport: what sends; shared, never closed from here.
        tokens: where credentials come from, asked with every call.
        clock: for the times that errors and tokens name.
        api_url: REST base URL: ``settings.github.api_url``.
        api_version: ``settings.github.api_version``.
        token_margin: seconds of life a registration token must have left to be handed out again.
        timeout: seconds for each of connect, read and write; the transport's deadline bounds the whole.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        tokens: TokenSource,
        clock: Clock,
        *,
        api_url: str,
        api_version: str,
        token_margin: float = TOKEN_MARGIN_S,
        timeout: float = TIMEOUT_S,
    ) -> None:
        calls = Calls(transport, tokens, clock, api_url=api_url, api_version=api_version, timeout=timeout)
        Registrations.__init__(self, calls, tokens, clock, margin=token_margin)
        Runs.__init__(self, calls)
        Deliveries.__init__(self, calls, tokens)
        Groups.__init__(self, calls)

    def load(self) -> None:
        """Imports githubkit now, so that the first call does not pay for it."""
        self._calls.load()
