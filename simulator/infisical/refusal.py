"""How this Infisical says no: one exception per answer, in the one error shape the real one has.

The words and status codes are Infisical's own, from its specification and source; a model method raises, the
face writes the JSON. A message never repeats a value that was sent.
"""

from collections.abc import Mapping, Sequence
from typing import Any


class Refusal(Exception):
    """An answer that is not a success.

    Attributes:
        status: the HTTP status.
        error: Infisical's error name, such as ``TokenError``.
        message: the message; a LIST of issues for 422, else text.
        details: the rules that were missed, for 403 PermissionDenied.
    """

    def __init__(
        self,
        status: int,
        error: str,
        message: str | Sequence[Mapping[str, Any]],
        details: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(f"{status} {error}")
        self.status = status
        self.error = error
        self.message = message
        self.details = details

    def as_json(self, request_id: str) -> dict[str, Any]:
        """The body, with the id under which Infisical logs the request."""
        body: dict[str, Any] = {
            "reqId": request_id,
            "statusCode": self.status,
            "message": self.message,
            "error": self.error,
        }
        if self.details is not None:
            body["details"] = list(self.details)
        return body


def bad_request(message: str) -> Refusal:
    """400: understood, and not possible."""
    return Refusal(400, "BadRequest", message)


def unauthorized(message: str) -> Refusal:
    """401: who are you; also the answer while a client id is locked."""
    return Refusal(401, "UnauthorizedError", message)


def token_error(message: str) -> Refusal:
    """403 TokenError: the access token expired or is not one of ours; logging in again helps."""
    return Refusal(403, "TokenError", message)


def permission_denied(action: str, subject: str = "secrets") -> Refusal:
    """403 PermissionDenied: the identity is known and may not do this."""
    return Refusal(
        403,
        "PermissionDenied",
        f"You are not allowed to {action} on {subject}",
        details=[{"action": action, "subject": subject, "inverted": False}],
    )


def forbidden(message: str) -> Refusal:
    """403 ForbiddenError: who you are is proven, and not welcome."""
    return Refusal(403, "ForbiddenError", message)


def not_found(message: str) -> Refusal:
    """404: no such secret, folder, environment or project."""
    return Refusal(404, "NotFound", message)


def invalid(issues: Sequence[Mapping[str, Any]]) -> Refusal:
    """422: the message is the list of issues, each with code, path and message."""
    return Refusal(422, "ValidationFailure", list(issues))


def rate_limited(seconds: int) -> Refusal:
    """429: only the text tells the wait; no header does."""
    return Refusal(429, "RateLimitExceeded", f"Rate limit exceeded. Please try again in {seconds} seconds")


def server_error() -> Refusal:
    """500: something broke inside."""
    return Refusal(500, "InternalServerError", "Something went wrong")
