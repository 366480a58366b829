"""Survey: what GitHub says of the App, its webhook and the runner's version. It only reads.

For ``fly-gha doctor``: nothing the fleet does rests on it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from runners.github.calls import Call, Calls
from runners.github.fields import Fields, FieldWrongError
from runners.github.scope import Scope

# actions-runner-linux-x64-2.336.0.tar.gz
_VERSION = re.compile(r"-(\d+(?:\.\d+)+)\.(?:tar\.gz|zip)$")
_EVENTS_MAX = 200
_TEXT_MAX = 200


@dataclass(frozen=True, slots=True)
class Grants:
    """What the App, or one installation of it, was granted.

    Attributes:
        permissions: by name, ``read``, ``write`` or ``admin``.
        events: the webhook events it is subscribed to.
        suspended: an account's owner has suspended the installation.
    """

    permissions: Mapping[str, str]
    events: tuple[str, ...]
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class HookConfig:
    """The App's webhook; whether it is active is not said by the API.

    Attributes:
        content_type: ``json`` or ``form``.
        has_secret: deliveries are signed.
        insecure: GitHub does not check the receiver's certificate.
    """

    url: str
    content_type: str
    has_secret: bool
    insecure: bool


class Survey:
    """Reads what ``doctor`` looks at.

    Args:
        calls: signs as the App or as an installation, whichever a call names.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def app(self) -> Grants:
        """The App itself. Raises UpstreamError, and CredentialMissing without its key."""
        return await self._calls.read(Call("GET", "/app", "read the App", None), _grants)

    async def installation(self, scope: str) -> Grants:
        """The App's installation on a scope's account or repository. Raises as ``app``."""
        attempted = f"find the App's installation in {scope}"
        path = f"/{Scope.parse(scope, attempted).path}/installation"
        return await self._calls.read(Call("GET", path, attempted, None), _grants)

    async def hook_config(self) -> HookConfig:
        """The App's webhook. Raises as ``app``."""
        call = Call("GET", "/app/hook/config", "read the App's webhook configuration", None)
        return await self._calls.read(call, _hook_config)

    async def runner_version(self, scope: str) -> str | None:
        """The version of actions/runner that GitHub offers now, or None. Raises as ``app``."""
        where = Scope.parse(scope, "read the runner's downloads")
        attempted = f"read the runner's downloads for {where.path}"
        call = Call("GET", f"/{where.path}/actions/runners/downloads", attempted, where.owner)
        return self._calls.parse(call, await self._calls.good(call), _newest)

    async def versions_in_use(self, scope: str) -> Mapping[str, str]:
        """By runner name, the version that it told GitHub when it connected. Raises as ``app``."""
        where = Scope.parse(scope, "list runners")
        call = Call("GET", f"/{where.path}/actions/runners", f"list the runners of {where.path}", where.owner)
        found = await self._calls.pages(call, "runners", _version)
        return {name: version for name, version in found if version}


def _grants(answer: Fields) -> Grants:
    permissions = answer.value("permissions")
    if not isinstance(permissions, Mapping):
        raise FieldWrongError("permissions", "an object", permissions)
    return Grants(
        permissions={str(name): str(level) for name, level in permissions.items()},
        events=answer.texts("events", most=_EVENTS_MAX, longest=_TEXT_MAX),
        suspended=bool(answer.value("suspended_at")),
    )


def _hook_config(answer: Fields) -> HookConfig:
    return HookConfig(
        url=answer.text_or_empty("url"),
        content_type=answer.text_or_empty("content_type"),
        has_secret=bool(answer.value("secret")),
        insecure=str(answer.value("insecure_ssl")) not in ("0", "None"),
    )


def _version(entry: Fields) -> tuple[str, str]:
    return entry.text("name"), entry.text_or_empty("version")


def _newest(body: object) -> str | None:
    if not isinstance(body, list):
        raise FieldWrongError("body", "a list of downloads", body)
    names = [Fields(each, f"[{at}]").text_or_empty("filename") for at, each in enumerate(body)]
    found = [tuple(map(int, match[1].split("."))) for name in names if (match := _VERSION.search(name))]
    return ".".join(map(str, max(found))) if found else None
