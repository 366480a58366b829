"""FlyClient: the Machines API calls we use, typed, each sent exactly once.

The httpx client it is given brings deadline and breaker; the token is asked for with every call, so a rotated
one is used at once. Every failure is a FlyError; nothing is retried here.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

import httpx
from pydantic import SecretStr, TypeAdapter, ValidationError

from fly.errors import FlyBadAnswer, FlyError, FlyInvalid, FlyUnanswered, FlyUnusable
from fly.models import (
    App,
    CreateMachine,
    CreateVolume,
    CurrentTokens,
    Event,
    Machine,
    Region,
    Regions,
    StopMachine,
    TokenInfo,
    Volume,
)
from fly.refusals import classify, read_refusal, readable

DEFAULT_BASE_URL = "https://api.machines.dev"

# `fly tokens create` prints its scheme with the token: such a value is sent as it is.
_SCHEMES = ("FlyV1 ", "Bearer ")
# Bare macaroons have a scheme of their own (source of superfly/macaroon).
_MACAROONS = ("fm1r_", "fm1a_", "fm2_")
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_FIRST_NOT_GOOD = 300
_EVENTS_MAX = 50

_MACHINE: TypeAdapter[Machine] = TypeAdapter(Machine)
# Go writes an empty list as null.
_MACHINES: TypeAdapter[tuple[Machine, ...] | None] = TypeAdapter(tuple[Machine, ...] | None)
_VOLUME: TypeAdapter[Volume] = TypeAdapter(Volume)
_VOLUMES: TypeAdapter[tuple[Volume, ...] | None] = TypeAdapter(tuple[Volume, ...] | None)
_APP: TypeAdapter[App] = TypeAdapter(App)
_REGIONS: TypeAdapter[Regions] = TypeAdapter(Regions)
_TOKENS: TypeAdapter[CurrentTokens] = TypeAdapter(CurrentTokens)
_EVENTS: TypeAdapter[tuple[Event, ...] | None] = TypeAdapter(tuple[Event, ...] | None)

_Answer = TypeVar("_Answer")


class FlyClient:
    """The Machines API.

    Args:
        http: sends; it should be built over an UpstreamTransport. Not closed here.
        token: gives the API token of the moment, with or without its scheme. What it raises passes through.
        base_url: without ``/v1``.
    """

    def __init__(
        self, http: httpx.AsyncClient, *, token: Callable[[], SecretStr], base_url: str = DEFAULT_BASE_URL
    ) -> None:
        self._http = http
        self._token = token
        self._base = base_url.rstrip("/") + "/v1"

    async def list_machines(self, app: str, *, include_deleted: bool = False) -> tuple[Machine, ...]:
        """Return all Machines of an app, the destroyed ones only when asked for.

        The list may lag behind what just happened by some seconds.
        """
        query = {"include_deleted": "true"} if include_deleted else {}
        attempted = f"list the Machines of app {app}"
        return await self._read(_MACHINES, "GET", _machines(app), attempted, query=query) or ()

    async def get_machine(self, app: str, machine_id: str) -> Machine:
        """Return one Machine; a destroyed one is still known by its id."""
        attempted = f"look at Machine {machine_id} in app {app}"
        return await self._read(_MACHINE, "GET", _machine(app, machine_id), attempted)

    async def create_machine(self, app: str, request: CreateMachine) -> Machine:
        """Create a Machine and, unless ``skip_launch``, start it.

        Raises:
            FlyNameTaken: a live Machine of the app has the name; its id is in the error.
            FlyError: any other; with ``ambiguous`` the Machine may exist.
        """
        attempted = f"create Machine {request.name} in app {app} ({request.region})"
        body = request.model_dump(mode="json")
        return await self._read(_MACHINE, "POST", _machines(app), attempted, body=body)

    async def start_machine(self, app: str, machine_id: str) -> None:
        """Start a stopped Machine; it is not started yet when this returns."""
        await self._send(
            "POST", f"{_machine(app, machine_id)}/start", f"start Machine {machine_id} in app {app}"
        )

    async def stop_machine(self, app: str, machine_id: str, request: StopMachine | None = None) -> None:
        """Ask a Machine to stop; it is not stopped yet when this returns."""
        body = (request or StopMachine()).model_dump(mode="json", exclude_none=True)
        attempted = f"stop Machine {machine_id} in app {app}"
        await self._send("POST", f"{_machine(app, machine_id)}/stop", attempted, body=body)

    async def destroy_machine(self, app: str, machine_id: str, *, force: bool = True) -> None:
        """Destroy a Machine; without ``force`` Fly refuses a running one."""
        attempted = f"destroy Machine {machine_id} in app {app}"
        query = {"force": "true"} if force else {}
        await self._send("DELETE", _machine(app, machine_id), attempted, query=query)

    async def list_events(self, app: str, machine_id: str, *, limit: int = _EVENTS_MAX) -> tuple[Event, ...]:
        """Return a Machine's latest events, newest first, 50 at most; they outlive the Machine."""
        attempted = f"list the events of Machine {machine_id} in app {app}"
        path = f"{_machine(app, machine_id)}/events"
        return await self._read(_EVENTS, "GET", path, attempted, query={"limit": str(limit)}) or ()

    async def list_volumes(self, app: str) -> tuple[Volume, ...]:
        """Return all volumes of an app, those that are being destroyed included."""
        return await self._read(_VOLUMES, "GET", _volumes(app), f"list the volumes of app {app}") or ()

    async def create_volume(self, app: str, request: CreateVolume) -> Volume:
        """Create a volume on some host of its region. Names repeat: nothing tells a lost create from another.

        Raises:
            FlyError: with ``ambiguous`` the volume may exist.
        """
        attempted = f"create volume {request.name} in app {app} ({request.region})"
        body = request.model_dump(mode="json")
        return await self._read(_VOLUME, "POST", _volumes(app), attempted, body=body)

    async def delete_volume(self, app: str, volume_id: str) -> Volume:
        """Delete a volume that no Machine has; what is on it is lost."""
        attempted = f"delete volume {volume_id} in app {app}"
        return await self._read(
            _VOLUME, "DELETE", f"{_volumes(app)}/{_segment(volume_id, 'volume')}", attempted
        )

    async def show_app(self, app: str) -> App:
        """Return an app of ours."""
        return await self._read(_APP, "GET", f"/apps/{_segment(app, 'app')}", f"look at app {app}")

    async def list_regions(self) -> tuple[Region, ...]:
        """Return all regions there are."""
        return (await self._read(_REGIONS, "GET", "/platform/regions", "list the regions")).regions

    async def current_tokens(self) -> tuple[TokenInfo, ...]:
        """Return what Fly says of the token that is used."""
        return (await self._read(_TOKENS, "GET", "/tokens/current", "ask about the API token")).tokens

    async def _read(
        self,
        shape: TypeAdapter[_Answer],
        method: str,
        path: str,
        attempted: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
    ) -> _Answer:
        response = await self._send(method, path, attempted, query=query, body=body)
        try:
            return shape.validate_json(response.content)
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"]) or "the body"
            raise FlyBadAnswer(
                attempted,
                status=response.status_code,
                text=f"{where} is not as published",
                request_id=_request_id(response),
            ) from None  # pydantic's own text quotes the answer

    async def _send(
        self,
        method: str,
        path: str,
        attempted: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
    ) -> httpx.Response:
        content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        token = self._token().get_secret_value().strip()
        headers = {"authorization": _authorization(token, attempted), "accept": "application/json"}
        if content is not None:
            headers["content-type"] = "application/json"
        try:
            response = await self._http.request(
                method, self._base + path, params=query or None, content=content, headers=headers
            )
        except httpx.RequestError as error:
            raise FlyUnanswered(attempted) from error
        if response.status_code >= _FIRST_NOT_GOOD:
            raise _refusal(response, attempted, token)
        return response


def _authorization(token: str, attempted: str) -> str:
    if not token or not token.isascii() or not token.isprintable():
        # Left to the HTTP library, the complaint about a bad header would quote the token.
        raise FlyUnusable(attempted, text="the Fly API token is empty or has characters no header carries")
    if token.startswith(_SCHEMES):
        return token
    return f"FlyV1 {token}" if token.startswith(_MACAROONS) else f"Bearer {token}"


def _refusal(response: httpx.Response, attempted: str, token: str) -> FlyError:
    body = response.content
    for secret in (token, token.partition(" ")[2]):
        if secret:
            body = body.replace(secret.encode(), b"[token]")
    code, text = read_refusal(body, response.headers.get("content-type", ""))
    return classify(response.status_code, code, text)(
        attempted,
        status=response.status_code,
        code=code,
        text=text,
        request_id=_request_id(response),
        retry_after=response.headers.get("retry-after"),
    )


def _machines(app: str) -> str:
    return f"/apps/{_segment(app, 'app')}/machines"


def _machine(app: str, machine_id: str) -> str:
    return f"{_machines(app)}/{_segment(machine_id, 'Machine')}"


def _volumes(app: str) -> str:
    return f"/apps/{_segment(app, 'app')}/volumes"


def _segment(value: str, noun: str) -> str:
    # Anything else would address something else: "..", a slash, a query.
    if not _SEGMENT.fullmatch(value):
        raise FlyInvalid(f"address {noun} {readable(value)!r}", text="not a name or id that Fly could have")
    return value


def _request_id(response: httpx.Response) -> str:
    return str(response.headers.get("fly-request-id", ""))[:100]
