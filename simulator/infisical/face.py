"""The HTTP face of InfisicalSim: the paths of the specification, thin over the model.

Authentication comes before validation, as in Infisical's own order of hooks, so a bad body with an expired
token is a TokenError and not a ValidationFailure.
"""

import contextlib
import hashlib
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict

from simulator.control_face import control_router
from simulator.infisical.model import InfisicalSim, Place, Seen
from simulator.infisical.outside import Outside
from simulator.infisical.refusal import Refusal, bad_request
from simulator.infisical.shapes import (
    CreateBody,
    DeleteBody,
    GetQuery,
    LeaseBody,
    ListQuery,
    LoginBody,
    NameInPath,
    OidcLoginBody,
    UpdateBody,
    lease_answer,
    login_answer,
    said,
    secret_answer,
)

# The name is the rest of the path: a name may hold what a path segment cannot.
NAMED = "/api/v4/secrets/{name:path}"


class Rotation(BaseModel):
    """What ``POST /_sim/secrets`` accepts: a value as an operator would set it."""

    model_config = ConfigDict(extra="forbid")

    name: str
    value: str
    path: str = "/"


def build_app(
    model: InfisicalSim,
    *,
    github_url: str = "https://api.github.com",
    transport: httpx.AsyncBaseTransport | None = None,
) -> FastAPI:
    """The application that serves one InfisicalSim, with its control routes under ``/_sim/``.

    Args:
        model: the world.
        github_url: REST base URL at which leases mint their tokens.
        transport: what carries its calls to GitHub and to OIDC issuers; the network when not given.
    """
    outside = Outside(github_url, transport)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await outside.close()

    app = FastAPI(title="InfisicalSim", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(_published(model))
    app.include_router(_asking_others(model, outside))
    app.include_router(control_router(model.journal, model.faults, model.state))
    app.include_router(_operator(model))

    @app.exception_handler(Refusal)
    async def refuse(_: Request, refusal: Refusal) -> Response:
        return _json(refusal.as_json(model.request_id()), refusal.status)

    return app


def _published(model: InfisicalSim) -> APIRouter:
    router = APIRouter()

    @router.post("/api/v1/auth/universal-auth/login")
    async def login(request: Request) -> Response:
        body = said(LoginBody, await _body(request))
        return _json(login_answer(model.login(body.client_id, body.client_secret)))

    @router.get("/api/v4/secrets")
    async def list_secrets(request: Request) -> Response:
        caller = model.authenticate(_bearer(request), "list")
        query = said(ListQuery, dict(request.query_params))
        seen = model.list_secrets(caller, query.place, view=query.view == "true")
        return _cacheable(request, {"secrets": [_secret(model, one) for one in seen], "imports": []})

    @router.get(NAMED)
    async def get_secret(name: str, request: Request) -> Response:
        caller = model.authenticate(_bearer(request), "read")
        query = said(GetQuery, dict(request.query_params))
        version = int(query.version) if query.version is not None else None
        seen = model.get_secret(caller, query.place, name, version=version, view=query.view == "true")
        return _cacheable(request, {"secret": _secret(model, seen)})

    @router.post(NAMED)
    async def create_secret(name: str, request: Request) -> Response:
        caller = model.authenticate(_bearer(request), "create")
        said(NameInPath, {"secretName": name})
        body = said(CreateBody, await _body(request))
        return _changed(
            model, model.create_secret(caller, body.place, name, body.secret_value, body.secret_comment)
        )

    @router.patch(NAMED)
    async def update_secret(name: str, request: Request) -> Response:
        caller = model.authenticate(_bearer(request), "update")
        body = said(UpdateBody, await _body(request))
        return _changed(
            model, model.update_secret(caller, body.place, name, body.secret_value, body.new_secret_name)
        )

    @router.delete(NAMED)
    async def delete_secret(name: str, request: Request) -> Response:
        caller = model.authenticate(_bearer(request), "delete")
        body = said(DeleteBody, await _body(request))
        return _json({"secret": _secret(model, model.delete_secret(caller, body.place, name))})

    return router


def _asking_others(model: InfisicalSim, outside: Outside) -> APIRouter:
    """The calls that Infisical can only answer after asking somebody else."""
    router = APIRouter()

    @router.post("/api/v1/auth/oidc-auth/login")
    async def login_with_oidc(request: Request) -> Response:
        body = said(OidcLoginBody, await _body(request))
        key_set = await outside.key_set(model.oidc_auth(body.identity_id).discovery_url)
        return _json(login_answer(model.logins.login_with_oidc(body.identity_id, body.jwt, key_set)))

    @router.post("/api/v1/dynamic-secrets/leases")
    async def lease(request: Request) -> Response:
        caller = model.authenticate(_bearer(request), "lease")
        body = said(LeaseBody, await _body(request))
        place = Place(model.project_id, body.environment_slug, "/" + body.path.strip("/"))
        secret, ends_at = model.leasable(caller, body.project_slug, place, body.dynamic_secret_name, body.ttl)
        minted = await outside.installation_token(secret, model.now())
        made = model.keep_lease(caller, secret, ends_at)
        secret_id = model.leases.ids[secret.path, secret.name]
        folder_id = str(uuid.uuid5(uuid.NAMESPACE_URL, secret.path))
        return _json(lease_answer(made, secret_id, folder_id, minted))

    return router


def _operator(model: InfisicalSim) -> APIRouter:
    router = APIRouter(prefix="/_sim")

    @router.post("/secrets", status_code=201)
    async def rotate(order: Rotation) -> dict[str, int]:
        try:
            return {"version": model.rotate(order.name, order.value, order.path)}
        except Refusal as refusal:
            raise HTTPException(refusal.status, str(refusal.message)) from None

    return router


async def _body(request: Request) -> object:
    try:
        return json.loads(await request.body())
    except ValueError:
        raise bad_request("Body is not valid JSON") from None


def _bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else None


def _secret(model: InfisicalSim, seen: Seen) -> dict[str, Any]:
    return secret_answer(seen, model.project_id, model.environment)


def _changed(model: InfisicalSim, seen: Seen | None) -> Response:
    if seen is None:
        return _json({"approval": {"id": "sim-approval", "status": "open"}})
    return _json({"secret": _secret(model, seen)})


def _cacheable(request: Request, body: dict[str, Any]) -> Response:
    content = json.dumps(body).encode()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    if etag in (tag.strip() for tag in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers={"etag": etag})
    return Response(content, headers={"etag": etag}, media_type="application/json")


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status_code=status, media_type="application/json")
