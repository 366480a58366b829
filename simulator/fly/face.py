"""FlySim over HTTP: reads requests, asks the model, answers in Fly's shapes.

Operation ids are those of specs/fly-machines-openapi.json. What the model refuses becomes the recorded status
and text. The organization's OIDC issuer and the control routes of `/_sim/` are served by the same app.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Literal

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulator.control_face import control_router
from simulator.fly import refusals
from simulator.fly.answers import event_json, machine_json
from simulator.fly.exchange import LOOK_EVERY_S, lose_answer, read_body
from simulator.fly.face_platform import platform_routes
from simulator.fly.face_volumes import volume_routes
from simulator.fly.model import FlySim
from simulator.fly.refusals import FlyRefusal

LONGEST_WAIT_S = 60
EVENTS_DEFAULT, EVENTS_MOST = 20, 50
VOLUMES = "/v1/apps/{app_name}/volumes"
MACHINES = "/v1/apps/{app_name}/machines"
METADATA_FILTER = "metadata."


def build_app(model: FlySim) -> FastAPI:
    """Serve one FlySim; its world runs from the app's start to its shutdown."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with model.running():
            yield

    async def authorized(request: Request) -> None:
        model.check_token(request.headers.get("authorization", ""))

    app = FastAPI(title="FlySim", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(RequestId, model=model)
    app.add_exception_handler(FlyRefusal, _refused)
    for router in (_reading(model), _acting(model)):
        app.include_router(router, prefix=MACHINES, dependencies=[Depends(authorized)])
    app.include_router(volume_routes(model), prefix=VOLUMES, dependencies=[Depends(authorized)])
    app.include_router(platform_routes(model), prefix="/v1", dependencies=[Depends(authorized)])
    app.include_router(_issuer(model))
    app.include_router(control_router(model.journal, model.faults, model.state))
    app.include_router(_machine_control(model))
    return app


class RequestId:
    """Gives every answer the `fly-request-id` that Fly's carry."""

    def __init__(self, app: ASGIApp, model: FlySim) -> None:
        self._app = app
        self._model = model
        self._answered = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the header to its answer."""
        self._answered += 1
        number = self._answered

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                request_id = self._model.draws.ulid(self._model.clock.now(), "request", number)
                message["headers"] = [*message["headers"], (b"fly-request-id", f"{request_id}-iad".encode())]
            await send(message)

        await self._app(scope, receive, send_with_id)


def _reading(model: FlySim) -> APIRouter:
    router = APIRouter()

    @router.get("", operation_id="Machines_list")
    async def list_machines(
        request: Request,
        app_name: str,
        include_deleted: bool = False,
        region: str = "",
        state: str = "",
        summary: bool = False,
    ) -> Any:
        found = model.list_machines(
            app_name,
            include_deleted=include_deleted,
            region=region,
            states=[word for word in state.split(",") if word],
            metadata={
                key.removeprefix(METADATA_FILTER): value
                for key, value in request.query_params.items()
                if key.startswith(METADATA_FILTER)
            },
        )
        now = model.clock.now()
        return _json([machine_json(machine, now, summary=summary, lagging=True) for machine in found])

    @router.get("/{machine_id}", operation_id="Machines_show")
    async def show_machine(app_name: str, machine_id: str) -> Any:
        return _json(machine_json(model.get(app_name, machine_id), model.clock.now()))

    @router.get("/{machine_id}/events", operation_id="Machines_list_events")
    async def list_events(app_name: str, machine_id: str, limit: int = EVENTS_DEFAULT) -> Any:
        limit = max(1, min(limit, EVENTS_MOST))
        return _json([event_json(event) for event in model.events(app_name, machine_id, limit)])

    @router.get("/{machine_id}/wait", operation_id="Machines_wait")
    async def wait_for_state(
        request: Request,
        app_name: str,
        machine_id: str,
        timeout: int = LONGEST_WAIT_S,  # noqa: ASYNC109 - Fly's name for its query parameter
        from_event_id: str = "",
    ) -> Any:
        if not 1 <= timeout <= LONGEST_WAIT_S:
            raise refusals.invalid("timeout: value must be inside range [1s, 1m0s]")
        asked = [word for text in request.query_params.getlist("state") for word in text.split(",") if word]
        wanted = model.begin_wait(app_name, machine_id, asked)
        deadline = model.clock.now() + timeout
        while not model.reached(app_name, machine_id, wanted, from_event_id):
            if model.clock.now() >= deadline:
                raise refusals.wait_timed_out(",".join(wanted), model.peek(machine_id).state)
            await model.clock.sleep(LOOK_EVERY_S)
        machine = model.peek(machine_id)
        return _json(
            {
                "ok": True,
                "state": machine.state,
                "event_id": machine.events[-1].id,
                "version": machine.instance_id,
            }
        )

    return router


def _acting(model: FlySim) -> APIRouter:
    router = APIRouter()

    @router.post("", operation_id="Machines_create")
    async def create_machine(request: Request, app_name: str) -> Any:
        creation = model.create(app_name, await read_body(request))
        answer = machine_json(creation.machine, model.clock.now())
        if creation.answer_lost:
            await lose_answer(model, request)
        await model.clock.sleep(model.answer_delay())
        return _json(answer)

    @router.delete("/{machine_id}", operation_id="Machines_delete")
    async def delete_machine(app_name: str, machine_id: str, force: bool = False, kill: bool = False) -> Any:
        model.destroy(app_name, machine_id, force=force or kill)
        await model.clock.sleep(model.answer_delay())
        return _json({"ok": True})

    @router.post("/{machine_id}/start", operation_id="Machines_start")
    async def start_machine(app_name: str, machine_id: str) -> Any:
        before = model.start(app_name, machine_id)
        await model.clock.sleep(model.answer_delay())
        return _json({"previous_state": before, "migrated": False, "new_host": ""})

    @router.post("/{machine_id}/stop", operation_id="Machines_stop")
    async def stop_machine(request: Request, app_name: str, machine_id: str) -> Any:
        model.stop(app_name, machine_id, await read_body(request))
        await model.clock.sleep(model.answer_delay())
        return _json({"ok": True})

    return router


def _issuer(model: FlySim) -> APIRouter:
    router = APIRouter(prefix=f"/oidc/{model.org_slug}/.well-known", include_in_schema=False)

    @router.get("/openid-configuration")
    async def discovery() -> dict[str, Any]:
        return model.oidc.discovery()

    @router.get("/jwks.json")
    async def key_set() -> dict[str, Any]:
        return model.oidc.key_set()

    return router


class HostOrder(BaseModel):
    """What `POST /_sim/machines/{id}/host` accepts."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["ok", "unreachable"]


def _machine_control(model: FlySim) -> APIRouter:
    router = APIRouter(prefix="/_sim/machines/{machine_id}", include_in_schema=False)

    @router.get("/log")
    async def read_log(machine_id: str) -> Response:
        return PlainTextResponse(model.body.log(machine_id))

    @router.post("/host", status_code=204)
    async def set_host(machine_id: str, order: HostOrder) -> None:
        try:
            model.set_host(machine_id, order.status)
        except KeyError as missing:
            raise HTTPException(404, f"no Machine {machine_id}") from missing

    return router


def _json(content: Any) -> JSONResponse:
    return JSONResponse(content)


async def _refused(_: Request, refusal: Exception) -> Response:
    if not isinstance(refusal, FlyRefusal):
        raise refusal
    return JSONResponse(refusal.as_json(), refusal.status)
