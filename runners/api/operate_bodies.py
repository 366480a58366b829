"""What operators send: small JSON objects, every one with the operator's own words, read within a bound."""

import json
import re
from typing import Annotated, Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runners.api.lookups import invalid
from runners.wire.text import shown

BODY_MAX = 8192
WORDS_MAX = 200
NAMES_MAX = 100
# What no reason is: credentials of Fly, GitHub and ours, and private keys. Events keep words for a month.
_CREDENTIAL = re.compile(
    r"fgr_[a-z2-7]{8}_|FlyV1 |\bfm[12][a-z]?_|\bgh[opsur]_\w|github_pat_|-----BEGIN|\beyJ[\w-]+\.eyJ"
)

Count = Annotated[int, Field(ge=0)]
Word = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Asked(BaseModel):
    """What every change may say.

    Attributes:
        reason: who wants it and why, in the operator's words; kept in the event.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    reason: str = Field("", max_length=WORDS_MAX)

    @property
    def words(self) -> str:
        """The reason on one line, without characters that hide or reorder others."""
        return shown(self.reason, WORDS_MAX)


class ScaleBody(Asked):
    """New figures; one that is absent stays, null goes back to fleet.toml's.

    Attributes:
        max_machines: most Machines of the pool; not above ``fleet.max_machines``.
        ready: booted spares to keep.
        stopped: stopped spares to keep.
    """

    max_machines: Annotated[Count, Field(le=10_000)] | None = None
    ready: Annotated[Count, Field(le=1000)] | None = None
    stopped: Annotated[Count, Field(le=1000)] | None = None


class RetireBody(Asked):
    """How a runner is to end.

    Attributes:
        force: even while it runs a job, which is lost then.
    """

    force: bool = False


class SweepBody(Asked):
    """How to sweep.

    Attributes:
        dry_run: only say what would be ended.
    """

    dry_run: bool = False


class TokenBody(Asked):
    """A token to make.

    Attributes:
        name: what you call it.
        scopes: one or more of ``read``, ``operate`` and ``admin``.
        repositories: ``owner/name`` patterns it is limited to; none for all.
        pools: pools it is limited to; none for all.
        days: it ends after so many days; null for no end.
    """

    name: Word = "token"
    scopes: list[Word] = Field(["read"], min_length=1, max_length=3)
    repositories: list[Word] = Field([], max_length=NAMES_MAX)
    pools: list[Word] = Field([], max_length=NAMES_MAX)
    days: Annotated[float, Field(gt=0, le=36_500)] | None = None


B = TypeVar("B", bound=Asked)


async def read_body(request: Request, kind: type[B]) -> B:
    """The body of a request; an absent one is an empty object.

    Raises:
        RequestValidationError: it is not JSON, or not such an object; the error names the place.
        ApiProblem: 422, it is longer than anything this address takes, or its reason holds a credential.
    """
    attempted = f"{request.method} {getattr(request.scope.get('route'), 'path', '')}"
    text = b""
    async for chunk in request.stream():
        text += chunk
        if len(text) > BODY_MAX:
            raise invalid(f"the body is longer than {BODY_MAX} bytes", attempted, "send a shorter one")
    try:
        body = kind.model_validate_json(text or b"{}")
    except ValidationError as error:
        raise RequestValidationError(_placed(error)) from None
    if _CREDENTIAL.search(json.dumps(body.model_dump(), ensure_ascii=False)):
        raise invalid(
            "a field holds what looks like a credential, and events are read by many",
            attempted,
            "say it without the credential, and replace that one: it has left its place",
        )
    return body


def _placed(error: ValidationError) -> list[Any]:
    """The mistakes without what was sent."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [{**each, "loc": ("body", *each["loc"])} for each in found]
