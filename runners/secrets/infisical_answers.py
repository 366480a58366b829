"""Infisical's answers, read: the shapes we use, and what each refusal means for the fleet.

Nothing of a body is repeated in an error except words of a known alphabet: the error's name, the request id,
and the paths of the fields that a 422 complains of.
"""

import json
import re
from collections.abc import Mapping
from typing import TypeVar

import httpx
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from runners.model.settings import InfisicalSettings
from runners.upstream.errors import ErrorClass, UpstreamError, class_of_status
from runners.upstream.limits import DEFAULT_PAUSE_S, rate_limited_until
from runners.upstream.unanswered import unanswered

UPSTREAM = "infisical"

_ISSUES_SHOWN = 5
_WORD = re.compile(r"[A-Za-z]{1,40}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_FIELD = re.compile(r"[A-Za-z0-9_.]{1,64}")
_TRY_AGAIN_IN = re.compile(r"try again in (\d{1,5}) second")

# Infisical's 422 finds fault with the form of a request, never with what it asks for.
_CLASSES: Mapping[int, ErrorClass] = {422: ErrorClass.OUR_FAULT}
_NEXT_STEPS: Mapping[int, str] = {
    400: "see the request in Infisical's own log",
    401: "check that the machine identity still exists and that its access tokens were not revoked",
    403: "check infisical.project_id, and give the machine identity the right to it there: the dispatcher "
    "reads values, the publisher writes too, leasing is a right of its own",
    404: "check infisical.project_id, infisical.environment and infisical.path",
    422: "check infisical.project_id, infisical.environment and infisical.path",
    429: "it is tried again by itself; lengthen timing.credentials_period if this goes on",
}
_STEP_FOR_SERVER_ERRORS = "it is tried again by itself; see whether Infisical has an incident"
_STEP_FOR_NONSENSE = "check that infisical.api_url is an Infisical server and not a page in front of it"


# What a 404 begins with, and the setting that names what is not there.
_PLACES: Mapping[str, tuple[str, str]] = {
    "Project with ID": ("infisical.project_id", "the project's id, which its settings page shows"),
    "Project with slug": ("infisical.project_slug", "the project's slug, which its settings page shows"),
    "Project": ("infisical.project_id", "the project's id, which its settings page shows"),
    "Environment": ("infisical.environment", "the environment's slug, which is not its name"),
    "Folder": ("infisical.path", "a folder of that environment, such as /"),
    "OIDC auth method": ("infisical.identity_id", "the id of a machine identity with OIDC Auth"),
    "Dynamic secret": (
        "infisical.dynamic_secret",
        "the name of the dynamic secret, {owner} in place of the owner",
    ),
}


class PlaceWrong(UpstreamError):
    """Infisical has no such project, environment, folder, dynamic secret or identity.

    Attributes:
        key: the setting that names it: ``infisical.project_id``.
    """

    key: str = ""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class AccessTokenAnswer(_Answer):
    """What a login hands out; ``expires_in`` in seconds, 0 from old servers for a token without end."""

    access_token: SecretStr = Field(alias="accessToken")
    expires_in: float = Field(alias="expiresIn", ge=0)


class SecretAnswer(_Answer):
    """One secret."""

    key: str = Field(alias="secretKey")
    value: SecretStr = Field(alias="secretValue")
    hidden: bool = Field(alias="secretValueHidden")


class ImportAnswer(_Answer):
    """The secrets of one imported folder."""

    secrets: tuple[SecretAnswer, ...]


class SecretListAnswer(_Answer):
    """A folder's own secrets and those it imports, later imports winning over earlier ones."""

    secrets: tuple[SecretAnswer, ...]
    imports: tuple[ImportAnswer, ...] = ()


class LeaseTimesAnswer(_Answer):
    """What a lease says of itself: when its TTL is over."""

    expire_at: AwareDatetime = Field(alias="expireAt")


class GitHubTokenAnswer(_Answer):
    """What the provider ``github`` hands out."""

    token: SecretStr = Field(alias="TOKEN", min_length=1)
    expires_at: AwareDatetime = Field(alias="EXPIRES_AT")
    permissions: Mapping[str, str] = Field(default_factory=dict, alias="PERMISSIONS")


class LeaseAnswer(_Answer):
    """A lease of a dynamic secret of the type ``github``."""

    lease: LeaseTimesAnswer
    data: GitHubTokenAnswer


class WriteAnswer(_Answer):
    """A write was done, or turned into a request for approval."""

    approval: Mapping[str, object] | None = None


A = TypeVar("A", bound=_Answer)


def read_answer(model: type[A], answer: httpx.Response, attempted: str) -> A:
    """Read a successful answer.

    Raises:
        UpstreamError: it does not have the shape that Infisical documents.
    """
    wrong: list[str] = []
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        wrong = [
            ".".join(str(part) for part in issue["loc"])
            for issue in error.errors(include_input=False, include_context=False, include_url=False)
        ]
    fields = ", ".join(path for path in wrong[:_ISSUES_SHOWN] if _FIELD.fullmatch(path)) or "it is not JSON"
    raise UpstreamError(
        upstream=UPSTREAM,
        error_class=ErrorClass.OUR_FAULT,
        attempted=attempted,
        why=f"the answer is not Infisical's ({fields})",
        status=answer.status_code,
        next_step=_STEP_FOR_NONSENSE,
    )


def no_answer(error: httpx.HTTPError, attempted: str, *, mutating: bool = False) -> UpstreamError:
    """The UpstreamError for a call that brought no answer, or one that cannot even be decoded."""
    if isinstance(error, httpx.TransportError):
        return unanswered(UPSTREAM, attempted, error, mutating=mutating)
    return UpstreamError(
        upstream=UPSTREAM,
        error_class=ErrorClass.TRY_LATER,
        attempted=attempted,
        why=f"the answer cannot be read ({type(error).__name__})",
        answered=not mutating,
        next_step=_STEP_FOR_NONSENSE,
    )


def token_refused(answer: httpx.Response) -> bool:
    """Whether it is the access token that was refused, so that a new login may help."""
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return True
    return answer.status_code == httpx.codes.FORBIDDEN and _error_name(_fields(answer)) == "TokenError"


def message_of(answer: httpx.Response) -> str:
    """The sentence of a refusal, to be compared with known ones and never to be shown; "" without one."""
    message = _fields(answer).get("message")
    return message if isinstance(message, str) else ""


def refusal(
    answer: httpx.Response,
    attempted: str,
    now: float,
    *,
    mutating: bool = False,
    settings: InfisicalSettings | None = None,
) -> UpstreamError:
    """The UpstreamError for an answer that is not a success.

    Args:
        answer: its body has been read.
        attempted: the call in plain words.
        now: Unix seconds; what a wait in the answer is counted from.
        mutating: whether the call was to change something.
        settings: say what a setting is now, when it is wrong.
    """
    fields = _fields(answer)
    status = answer.status_code
    if status == httpx.codes.NOT_FOUND and settings is not None:
        for start, (key, expected) in _PLACES.items():
            if message_of(answer).startswith(start):
                return _place_wrong(key, expected, start, settings, attempted, fields)
    return UpstreamError(
        upstream=UPSTREAM,
        error_class=_CLASSES.get(status) or class_of_status(status) or ErrorClass.OUR_FAULT,
        attempted=attempted,
        why=_why(status, fields),
        status=status,
        # A server error may come after the write was done.
        answered=status < httpx.codes.INTERNAL_SERVER_ERROR or not mutating,
        retry_at=_retry_at(answer, fields, now),
        request_id=_request_id(fields),
        next_step=_NEXT_STEPS.get(
            status,
            _STEP_FOR_SERVER_ERRORS if status >= httpx.codes.INTERNAL_SERVER_ERROR else _STEP_FOR_NONSENSE,
        ),
    )


def _place_wrong(
    key: str,
    expected: str,
    what: str,
    settings: InfisicalSettings,
    attempted: str,
    fields: Mapping[str, object],
) -> PlaceWrong:
    now = getattr(settings, key.partition(".")[2])
    error = PlaceWrong(
        upstream=UPSTREAM,
        error_class=ErrorClass.NOT_FOUND,
        attempted=attempted,
        why=f"Infisical has no such {_noun(what)}",
        status=httpx.codes.NOT_FOUND,
        request_id=_request_id(fields),
        next_step=f"correct {key}, which is {now!r}: expected {expected}",
    )
    error.key = key
    return error


def _noun(start: str) -> str:
    return "identity" if start.startswith("OIDC") else start.partition(" with")[0].lower()


def _request_id(fields: Mapping[str, object]) -> str:
    found = fields.get("reqId")
    return found if isinstance(found, str) and _REQUEST_ID.fullmatch(found) else ""


def _why(status: int, fields: Mapping[str, object]) -> str:
    name = _error_name(fields) or "no reason that could be read"
    if status != httpx.codes.UNPROCESSABLE_ENTITY:
        return f"Infisical says {name}"
    paths = [path for path in _issue_paths(fields.get("message")) if _FIELD.fullmatch(path)]
    return f"Infisical says {name} about {', '.join(paths[:_ISSUES_SHOWN]) or 'the request'}"


def _retry_at(answer: httpx.Response, fields: Mapping[str, object], now: float) -> float | None:
    if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
        return None  # a 403 is never a limit here
    # Only the sentence is certain to be there; a header, when there is one, comes first.
    said = _TRY_AGAIN_IN.search(str(fields.get("message", "")))
    pause = float(said[1]) if said else DEFAULT_PAUSE_S
    return rate_limited_until(answer.status_code, answer.headers, answer.content, now=now, pause=pause)


def _issue_paths(message: object) -> list[str]:
    if not isinstance(message, list):
        return []
    paths = [issue.get("path") for issue in message if isinstance(issue, dict)]
    return [".".join(str(part) for part in path) for path in paths if isinstance(path, list)]


def _error_name(fields: Mapping[str, object]) -> str:
    name = fields.get("error")
    return name if isinstance(name, str) and _WORD.fullmatch(name) else ""


def _fields(answer: httpx.Response) -> Mapping[str, object]:
    try:
        fields = json.loads(answer.content)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
