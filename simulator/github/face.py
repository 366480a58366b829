"""GitHubSim over HTTP: paths and shapes of specs/github-rest-openapi.json, plus `/_runner/` and `/_sim/`.

Operation ids are those of the spec. What differs from it is listed in deviations.toml.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from simulator.control_face import control_router
from simulator.github.courier import Bell, Courier
from simulator.github.face_actions import actions_routes, repository_routes
from simulator.github.face_app import app_routes, hook_routes, open_routes
from simulator.github.face_runners import runner_routes
from simulator.github.face_world import control_routes, runner_protocol
from simulator.github.gate import Gate
from simulator.github.model import GitHubSim
from simulator.github.problems import GitHubProblem

WORLD_PREFIX = "/_"


def build_app(model: GitHubSim) -> FastAPI:
    """Serve one GitHubSim; its world runs (timers, webhooks) from the app's start to its shutdown."""
    bell, gate = Bell(), Gate(model)
    model.when_changed(bell.ring)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with httpx.AsyncClient(timeout=None, trust_env=False) as http:  # noqa: S113 - Courier has the deadline
            courier = Courier(model.webhooks, model.clock, bell, http)
            tasks = [asyncio.create_task(model.agenda.run()), asyncio.create_task(courier.run())]
            yield
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    app = FastAPI(title="GitHubSim", lifespan=lifespan, docs_url=None, redoc_url=None)

    async def refused(_: Request, problem: Exception) -> Response:
        answer = _problem(problem)
        answer.headers["x-github-request-id"] = gate.request_id()
        return answer

    app.add_exception_handler(GitHubProblem, refused)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, _unknown)
    for router in (
        app_routes(model, gate),
        hook_routes(model, gate),
        open_routes(model, gate),
        runner_routes(model, gate),
        actions_routes(model, gate),
        repository_routes(model, gate),
        runner_protocol(model, bell),
        control_routes(model),
        control_router(model.journal, model.faults, model.state),
    ):
        app.include_router(router)
    return app


def _problem(problem: Exception) -> Response:
    """What the model refuses, in GitHub's body."""
    if not isinstance(problem, GitHubProblem):
        raise problem
    return JSONResponse(problem.body(), status_code=problem.status, headers=problem.headers)


async def _unreadable(request: Request, wrong: Exception) -> Response:
    """A path or body of the wrong type: unknown to the API, explained to who drives the world."""
    if request.url.path.startswith(WORLD_PREFIX):
        return JSONResponse({"detail": str(wrong)}, status_code=422)
    return _problem(GitHubProblem(404, "Not Found"))


async def _unknown(request: Request, wrong: Exception) -> Response:
    """A path or method that is not served."""
    status = wrong.status_code if isinstance(wrong, HTTPException) else 404
    if request.url.path.startswith(WORLD_PREFIX) and isinstance(wrong, HTTPException):
        return JSONResponse({"detail": wrong.detail}, status_code=status)
    return _problem(GitHubProblem(404, "Not Found"))
