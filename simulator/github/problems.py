"""The answers of GitHub that are not a success, as exceptions the model raises and the face renders.

GitHub has three error bodies (specs: basic-error, validation-error, validation-error-simple); the one an
operation uses is part of its contract, so a problem knows its own body.
"""

from typing import Any

DOCUMENTATION_URL = "https://docs.github.com/rest"


class GitHubProblem(Exception):
    """An answer with a status of 400 or more.

    Args:
        status: the HTTP status.
        message: GitHub's own words where they are known.
        errors: for a 422, what is wrong, in the shape the operation's schema asks for.
        headers: extra response headers, such as `retry-after`.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: list[Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message
        self.errors = errors
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """The JSON body: basic-error, or one of the two validation errors when `errors` is set."""
        if self.errors is not None:
            return {
                "message": self.message,
                "documentation_url": DOCUMENTATION_URL,
                "errors": self.errors,
            }
        body = {"message": self.message, "documentation_url": DOCUMENTATION_URL}
        return body if self.status == 422 else {**body, "status": str(self.status)}  # noqa: PLR2004 - HTTP


def bad_credentials(message: str = "Bad credentials") -> GitHubProblem:
    """A token that is missing, unknown, expired or of the wrong sort."""
    return GitHubProblem(401, message)


def forbidden(wanted: str) -> GitHubProblem:
    """A valid token without the permission the operation needs; GitHub names the one that would do."""
    headers = {"x-accepted-github-permissions": wanted}
    return GitHubProblem(403, "Resource not accessible by integration", headers=headers)


def not_found() -> GitHubProblem:
    """What GitHub says of everything the caller may not see, whether it exists or not."""
    return GitHubProblem(404, "Not Found")


def conflict(message: str) -> GitHubProblem:
    """The wanted state clashes with what exists."""
    return GitHubProblem(409, message)


def invalid(*errors: str) -> GitHubProblem:
    """A 422 in the simple shape of the runner operations: a list of sentences."""
    return GitHubProblem(422, "Validation Failed", errors=list(errors))


def invalid_field(resource: str, field: str, message: str, code: str = "invalid") -> GitHubProblem:
    """A 422 in the structured shape of the other operations."""
    error = {"resource": resource, "field": field, "code": code, "message": message}
    return GitHubProblem(422, "Validation Failed", errors=[error])
