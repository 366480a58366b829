"""Rule: what decided about a call, in the one word that answer, audit record and statistics share.

A rule is stable: scripts and ``audit query`` rely on its value. Each refusing rule belongs to one class; it
tells an agent what kind of thing to do next without reading prose.
"""

from collections.abc import Mapping
from enum import StrEnum


class ErrorClass(StrEnum):
    """What kind of refusal an answer is."""

    VALIDATION = "validation"
    """The call was wrong: correct it; repeating it cannot help."""
    AUTHENTICATION = "authentication"
    """Nobody is known to be asking."""
    PERMISSION = "permission"
    """The caller may not ask this."""
    NOT_FOUND = "not_found"
    """There is no such thing, or the caller may not see it: the two look alike."""
    RATE_LIMITED = "rate_limited"
    """Too many calls; the answer says when to come back."""
    STATE_CONFLICT = "state_conflict"
    """The fleet is not in the state that the call asked for, or nobody can tell its state now."""
    UPSTREAM = "upstream"
    """The dispatcher did not give an answer that can be passed on."""
    TIMEOUT = "timeout"
    """The call's time was over."""
    INTERNAL = "internal"
    """This server failed; nothing was answered that is not recorded."""


class Rule(StrEnum):
    """What decided."""

    ALLOWED = "allowed"

    TOKEN_MISSING = "token_missing"  # noqa: S105 - a rule, not a credential
    TOKEN_UNKNOWN = "token_unknown"  # noqa: S105
    TOKEN_ENDED = "token_ended"  # noqa: S105
    TOKENS_UNREADABLE = "tokens_unreadable"

    TOOL_NOT_GRANTED = "tool_not_granted"
    SCOPE_MISSING = "scope_missing"

    CALLER_RATE = "caller_rate"
    PROJECT_RATE = "project_rate"

    REQUEST_INVALID = "request_invalid"
    TOOL_UNKNOWN = "tool_unknown"
    RESOURCE_UNKNOWN = "resource_unknown"
    ARGUMENT_UNKNOWN = "argument_unknown"
    ARGUMENT_INVALID = "argument_invalid"
    NOT_FOUND = "not_found"

    VIEW_MISSING = "view_missing"
    REVISION_NOT_REACHED = "revision_not_reached"

    DISPATCHER_UNREACHABLE = "dispatcher_unreachable"
    DISPATCHER_TIMEOUT = "dispatcher_timeout"
    DISPATCHER_REFUSED = "dispatcher_refused"
    DISPATCHER_FAILED = "dispatcher_failed"
    BREAKER_OPEN = "breaker_open"

    CALL_DEADLINE = "call_deadline"
    ANSWER_TOO_LARGE = "answer_too_large"
    AUDIT_UNAVAILABLE = "audit_unavailable"
    BUG = "bug"


CLASS_OF: Mapping[Rule, ErrorClass] = {
    Rule.TOKEN_MISSING: ErrorClass.AUTHENTICATION,
    Rule.TOKEN_UNKNOWN: ErrorClass.AUTHENTICATION,
    Rule.TOKEN_ENDED: ErrorClass.AUTHENTICATION,
    Rule.TOKENS_UNREADABLE: ErrorClass.INTERNAL,
    Rule.TOOL_NOT_GRANTED: ErrorClass.PERMISSION,
    Rule.SCOPE_MISSING: ErrorClass.PERMISSION,
    Rule.CALLER_RATE: ErrorClass.RATE_LIMITED,
    Rule.PROJECT_RATE: ErrorClass.RATE_LIMITED,
    Rule.REQUEST_INVALID: ErrorClass.VALIDATION,
    Rule.TOOL_UNKNOWN: ErrorClass.VALIDATION,
    Rule.RESOURCE_UNKNOWN: ErrorClass.VALIDATION,
    Rule.ARGUMENT_UNKNOWN: ErrorClass.VALIDATION,
    Rule.ARGUMENT_INVALID: ErrorClass.VALIDATION,
    Rule.NOT_FOUND: ErrorClass.NOT_FOUND,
    Rule.VIEW_MISSING: ErrorClass.STATE_CONFLICT,
    Rule.REVISION_NOT_REACHED: ErrorClass.STATE_CONFLICT,
    Rule.DISPATCHER_UNREACHABLE: ErrorClass.UPSTREAM,
    Rule.DISPATCHER_TIMEOUT: ErrorClass.UPSTREAM,
    Rule.DISPATCHER_REFUSED: ErrorClass.UPSTREAM,
    Rule.DISPATCHER_FAILED: ErrorClass.UPSTREAM,
    Rule.BREAKER_OPEN: ErrorClass.UPSTREAM,
    Rule.CALL_DEADLINE: ErrorClass.TIMEOUT,
    Rule.ANSWER_TOO_LARGE: ErrorClass.INTERNAL,
    Rule.AUDIT_UNAVAILABLE: ErrorClass.INTERNAL,
    Rule.BUG: ErrorClass.INTERNAL,
}
"""The class of every rule that refuses."""
