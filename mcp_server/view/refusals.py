"""What a question that the dispatcher did not answer means to a caller, in words of ours alone.

Neither an error's text nor a problem's body is repeated: both may quote what other people wrote.
"""

import httpx

from mcp_server.refused import Refused
from mcp_server.rule import Rule
from runners.upstream.limits import retry_after
from runners.upstream.transport import BreakerOpen
from runners.upstream.unanswered import never_sent

_WAIT = "ask again after a while; what is answered from the fleet view still is, and says when it is stale"
_OPERATOR = "tell the operator: the log of this server and of the dispatcher have the request id"
# An answer of the dispatcher asks for at most a minute; a longer wish is a broken header.
_LONGEST_WAIT_S = 3600.0


def of_failure(error: httpx.TransportError, attempted: str, now: float) -> Refused:
    """The refusal for a question that httpx could not finish.

    Args:
        error: what the transport raised.
        attempted: what the call was to do.
        now: Unix seconds.
    """
    if isinstance(error, BreakerOpen):
        return Refused(
            Rule.BREAKER_OPEN,
            cause="the dispatcher failed so often lately that it is not asked for a while",
            attempted=attempted,
            next_step=_WAIT,
            retry_after_s=None if error.until is None else max(0.0, round(error.until - now, 1)),
        )
    if isinstance(error, httpx.TimeoutException) and not never_sent(error):
        return Refused(
            Rule.DISPATCHER_TIMEOUT,
            cause="the dispatcher did not answer in time",
            attempted=attempted,
            next_step=_WAIT,
        )
    if isinstance(error, httpx.NetworkError | httpx.ConnectTimeout | httpx.ProxyError | httpx.PoolTimeout):
        return _unreachable("no connection to the dispatcher could be made or kept", attempted)
    if isinstance(error, httpx.RemoteProtocolError):
        return _unreachable("the connection to the dispatcher ended before its answer did", attempted)
    return unusable(attempted)


def of_status(answer: httpx.Response, attempted: str, now: float) -> Refused:
    """The refusal for an answer that is no 200."""
    status = answer.status_code
    if status in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
        return Refused(
            Rule.NOT_FOUND,
            cause="there is no such thing, or this caller may not see it",
            attempted=attempted,
            next_step="check the name or id against a list of this server; what ended long ago is removed",
        )
    if status in (httpx.codes.UNPROCESSABLE_ENTITY, httpx.codes.BAD_REQUEST):
        return Refused(
            Rule.ARGUMENT_INVALID,
            cause="the dispatcher does not take one of these arguments, or not together with another",
            attempted=attempted,
            next_step="correct the arguments: a reason is one that an answer showed, since is before until "
            "and not too long ago, and a cursor belongs to the question that gave it",
        )
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return Refused(
            Rule.DISPATCHER_REFUSED,
            cause="the dispatcher does not accept the token of this server",
            attempted=attempted,
            missing="a valid dispatcher token with the scope read",
            next_step="tell the operator: this server needs a new token; repeating the call cannot help",
        )
    until = retry_after(answer.headers.get("retry-after"), now)
    return Refused(
        Rule.DISPATCHER_FAILED,
        cause="the dispatcher could not answer",
        attempted=attempted,
        next_step=_WAIT,
        retry_after_s=None if until is None else min(_LONGEST_WAIT_S, round(until - now, 1)),
    )


def unusable(attempted: str) -> Refused:
    """The refusal for an answer that cannot be read, is too long, or shows more than was asked for."""
    return Refused(
        Rule.DISPATCHER_FAILED,
        cause="the dispatcher gave an answer that this server cannot use",
        attempted=attempted,
        next_step=_OPERATOR,
    )


def no_token(attempted: str) -> Refused:
    """The refusal when this server has no token to ask with."""
    return Refused(
        Rule.DISPATCHER_REFUSED,
        cause="this server has no dispatcher token that could be sent",
        attempted=attempted,
        missing="a dispatcher token with the scope read",
        next_step="tell the operator: this server needs its token; repeating the call cannot help",
    )


def not_sendable(attempted: str) -> Refused:
    """The refusal when what a caller may see cannot be told to the dispatcher: then nothing is shown."""
    return Refused(
        Rule.DISPATCHER_REFUSED,
        cause="the limits of this caller cannot be told to the dispatcher, so nothing may be shown",
        attempted=attempted,
        missing="repositories and pools of a bearable number, in plain characters",
        next_step="tell the operator: this caller needs a token with fewer or plainer limits",
    )


def view_missing(attempted: str, because: Refused | None) -> Refused:
    """The refusal when there never was a view that this caller may see."""
    return Refused(
        Rule.VIEW_MISSING,
        cause="the fleet has not been seen yet: the dispatcher could not be asked",
        attempted=attempted,
        missing="a first answer of the dispatcher",
        next_step="ask again after a while; when it lasts, tell the operator that the dispatcher is away",
        retry_after_s=2.0 if because is None or because.retry_after_s is None else because.retry_after_s,
    )


def not_reached(attempted: str) -> Refused:
    """The refusal when the fleet is not at the revision that the call must not fall below."""
    return Refused(
        Rule.REVISION_NOT_REACHED,
        cause="the fleet is not known at a revision as high as this call asked for or its caller was shown",
        attempted=attempted,
        missing="news from the dispatcher of at least that revision",
        next_step="ask again in a moment; give as min_revision only what an answer of this fleet named",
        retry_after_s=2.0,
    )


def shutting_down() -> Refused:
    """The refusal for a question that this server gave up to end in time."""
    return Refused(
        Rule.DISPATCHER_UNREACHABLE,
        cause="the question was given up because this server is being stopped",
        attempted="ask the dispatcher",
        next_step="ask again in a moment: it is usually started anew at once",
        retry_after_s=5.0,
    )


def reworded(refused: Refused, attempted: str) -> Refused:
    """The same refusal for another call that waited for the same answer."""
    return Refused(
        refused.rule,
        cause=refused.cause,
        attempted=attempted,
        missing=refused.missing,
        next_step=refused.next_step,
        retry_after_s=refused.retry_after_s,
    )


def _unreachable(cause: str, attempted: str) -> Refused:
    return Refused(Rule.DISPATCHER_UNREACHABLE, cause=cause, attempted=attempted, next_step=_WAIT)
