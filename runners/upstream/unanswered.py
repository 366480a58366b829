"""What a call without an answer means: the same for every upstream, so it is decided once."""

import httpx

from runners.upstream.errors import ErrorClass, UpstreamError
from runners.upstream.transport import AnswerTooLarge, BreakerOpen, DeadlineExceeded

# With these no byte of the request left: the call certainly did not happen.
_NEVER_SENT = (
    BreakerOpen,
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
_OUR_FAULT = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)


def never_sent(error: httpx.TransportError) -> bool:
    """Whether the call certainly did not happen."""
    return isinstance(error, _NEVER_SENT)


def unanswered(
    upstream: str, attempted: str, error: httpx.TransportError, *, mutating: bool = True
) -> UpstreamError:
    """Return the UpstreamError for a call that httpx could not finish.

    Args:
        upstream: ``fly``, ``github`` or ``infisical``.
        attempted: the call in plain words.
        error: what httpx or UpstreamTransport raised. Its text is not repeated: it may quote the request.
        mutating: whether the call was to change something; a lost reading leaves nothing in doubt.
    """
    return UpstreamError(
        upstream=upstream,
        error_class=ErrorClass.OUR_FAULT if isinstance(error, _OUR_FAULT) else ErrorClass.TRY_LATER,
        attempted=attempted,
        why=_why(error),
        answered=never_sent(error) or not mutating,
        retry_at=error.until if isinstance(error, BreakerOpen) else None,
        next_step=_next_step(upstream, error, mutating=mutating),
    )


def _why(error: httpx.TransportError) -> str:
    if isinstance(error, BreakerOpen | DeadlineExceeded | AnswerTooLarge):
        return str(error)
    if isinstance(error, httpx.TimeoutException):
        return f"no answer in time ({type(error).__name__})"
    if isinstance(error, httpx.ConnectError):
        return "no connection could be made"
    return f"the connection failed ({type(error).__name__})"


def _next_step(upstream: str, error: httpx.TransportError, *, mutating: bool) -> str:
    if isinstance(error, BreakerOpen):
        return f"wait: trials are let through by themselves; see whether {upstream} has an incident"
    if isinstance(error, _OUR_FAULT):
        return f"check the base URL and the credential configured for {upstream}"
    if never_sent(error):
        return f"check the base URL of {upstream} and the network; it is tried again by itself"
    return "it is looked up before anything is repeated" if mutating else "it is tried again by itself"
