"""Infisical's own words in and out: what a request must look like, and how a secret is written as JSON.

Requests are checked as Infisical's zod schemas do: unknown keys are dropped, flags are the strings "true" and
"false", and a mistake answers 422 with a list of issues. Answers carry every field that the specification
requires of a Secret.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from simulator.infisical.identities import AccessToken
from simulator.infisical.leases import Lease
from simulator.infisical.model import Place, Seen
from simulator.infisical.refusal import bad_request, invalid

HIDDEN_VALUE = "<hidden-by-infisical>"
Flag = Literal["true", "false"]
Text = Annotated[str, StringConstraints(min_length=1)]
# Infisical refuses these two in a secret's name.
SecretName = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^:/]+$")]


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", strict=True)


class LoginBody(_Said):
    """Body of a Universal Auth login."""

    client_id: str
    client_secret: str = Field(repr=False)
    organization_slug: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None


class OidcLoginBody(_Said):
    """Body of an OIDC login."""

    identity_id: str
    jwt: str = Field(repr=False)
    organization_slug: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None


class LeaseBody(_Said):
    """Body of a lease: slugs, not ids."""

    dynamic_secret_name: Text
    project_slug: Text
    environment_slug: Text
    path: str = "/"
    ttl: str | None = None


class _Placed(_Said):
    project_id: Text
    environment: Text
    path: str = Field("/", alias="secretPath")

    @property
    def place(self) -> Place:
        """Where the call looks; a trailing slash means nothing."""
        return Place(self.project_id, self.environment, "/" + self.path.strip("/"))


class ListQuery(_Placed):
    """Query of a list."""

    view: Flag = Field("true", alias="viewSecretValue")
    expand_references: Flag = Field("true", alias="expandSecretReferences")
    recursive: Flag = "false"
    include_personal_overrides: Flag = "false"
    include_imports: Flag = "true"


class GetQuery(_Placed):
    """Query of one read."""

    version: Annotated[str, StringConstraints(pattern=r"^\d+$")] | None = None
    type: Literal["shared", "personal"] = "shared"
    view: Flag = Field("true", alias="viewSecretValue")
    expand_references: Flag = Field("true", alias="expandSecretReferences")
    include_imports: Flag = "true"


class _Body(_Placed):
    type: Literal["shared", "personal"] = "shared"


class CreateBody(_Body):
    """Body of a create."""

    secret_value: str = Field(repr=False)
    secret_comment: str = ""


class UpdateBody(_Body):
    """Body of an update."""

    secret_value: str | None = Field(None, repr=False)
    new_secret_name: SecretName | None = None


class DeleteBody(_Body):
    """Body of a delete."""


class NameInPath(_Said):
    """The name that a create puts into the world."""

    secret_name: SecretName


M = TypeVar("M", bound=_Said)


def said(model: type[M], data: object) -> M:
    """Read a query or a body.

    Raises:
        Refusal: 400 when it is not an object at all, 422 with the list of issues; no issue repeats an input.
    """
    if not isinstance(data, Mapping):
        raise bad_request("Body is not a JSON object")
    try:
        return model.model_validate(dict(data))
    except ValidationError as wrong:
        issues = [
            {"code": error["type"], "path": list(error["loc"]), "message": error["msg"]}
            for error in wrong.errors(include_input=False, include_url=False, include_context=False)
        ]
    raise invalid(issues)


def login_answer(token: AccessToken) -> dict[str, Any]:
    """AccessTokenResponse."""
    return {
        "accessToken": token.token,
        "expiresIn": token.expires_in,
        "accessTokenMaxTTL": token.expires_in,
        "tokenType": "Bearer",
    }


def secret_answer(seen: Seen, project_id: str, environment: str) -> dict[str, Any]:
    """Secret, with the placeholder in place of a hidden value."""
    stored, version = seen.stored, seen.version
    return {
        "id": stored.id,
        "_id": stored.id,
        "workspace": project_id,
        "environment": environment,
        "version": version.number,
        "type": "shared",
        "secretKey": stored.name,
        "secretValue": HIDDEN_VALUE if seen.hidden else version.value,
        "secretComment": stored.comment,
        "secretValueHidden": seen.hidden,
        "secretPath": stored.path,
        "secretReminderNote": None,
        "secretReminderRepeatDays": None,
        "skipMultilineEncoding": None,
        "createdAt": _iso(stored.versions[0].at),
        "updatedAt": _iso(version.at),
        "isRotatedSecret": False,
        "rotationId": None,
        "secretMetadata": [],
        "tags": [],
    }


def lease_answer(
    lease: Lease, dynamic_secret_id: str, folder_id: str, minted: Mapping[str, Any]
) -> dict[str, Any]:
    """The lease, what it is of, and GitHub's answer in the provider's own words."""
    secret = lease.secret
    return {
        "lease": {
            "id": lease.id,
            "version": 1,
            "externalEntityId": lease.external_id,
            "expireAt": _iso(lease.expires_at),
            "status": None,
            "statusDetails": None,
            "dynamicSecretId": dynamic_secret_id,
            "createdAt": _iso(lease.created_at),
            "updatedAt": _iso(lease.created_at),
        },
        "dynamicSecret": {
            "id": dynamic_secret_id,
            "name": secret.name,
            "version": 1,
            "type": "github",
            "defaultTTL": secret.default_ttl,
            "maxTTL": secret.max_ttl,
            "folderId": folder_id,
            "status": None,
            "statusDetails": None,
            "createdAt": _iso(lease.created_at),
            "updatedAt": _iso(lease.created_at),
        },
        "data": {
            "TOKEN": minted["token"],
            "EXPIRES_AT": minted["expires_at"],
            "PERMISSIONS": minted["permissions"],
            "REPOSITORY_SELECTION": minted["repository_selection"],
        },
    }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
