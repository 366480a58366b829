"""The two faces that are no part of GitHub's API: the runner protocol, and the controls of the world."""

from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from simulator.github import job_shapes
from simulator.github.accounts import RunnerGroupSpec
from simulator.github.courier import Bell
from simulator.github.job_shapes import job_message
from simulator.github.jobs import JobOrder, RunOrder, StepOrder
from simulator.github.model import GitHubSim
from simulator.github.problems import GitHubProblem, not_found

LONG_POLL = 5.0
# A long poll looks at least this often, so that its runner counts as present.
POLL_LOOK = 1.0
REMOTE_AUTH = "remoteauth"


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RegisterOrder(_Order):
    """What `config.sh` asks for."""

    url: str
    name: str
    labels: list[str]
    runner_group: str = ""
    ephemeral: bool = False
    replace: bool = False
    work_folder: str = "_work"


class SessionOrder(_Order):
    """What opens a session: the client id and the HMAC that proves possession of its key."""

    client_id: str
    proof: str
    version: str


class Renewal(_Order):
    """Who renews."""

    session_id: str


class Completion(_Order):
    """How a job ended, and each of its steps in order."""

    session_id: str
    conclusion: Literal["success", "failure", "cancelled"]
    steps: list[Literal["success", "failure", "cancelled", "skipped"]]


class StepWish(_Order):
    """A step of a job to queue."""

    name: str
    seconds: float = Field(default=0.0, ge=0.0)
    kind: Literal["sleep", "fail", "kill_machine"] = "sleep"
    always: bool = False


class JobWish(_Order):
    """A job to queue."""

    name: str
    labels: list[str]
    steps: list[StepWish] = Field(default_factory=list)
    cancel_after_s: float | None = Field(default=None, ge=0.0)
    approve_after_s: float | None = Field(default=None, ge=0.0)

    def order(self) -> JobOrder:
        """The same as the model's value."""
        steps = tuple(StepOrder(step.name, step.seconds, step.kind, step.always) for step in self.steps)
        return JobOrder(self.name, tuple(self.labels), steps, self.cancel_after_s, self.approve_after_s)


class RunWish(_Order):
    """A run to queue."""

    repository: str
    jobs: list[JobWish] = Field(min_length=1)
    workflow_name: str = "CI"
    head_branch: str = "main"
    event: str = "push"
    head_repository: str = ""


class GroupWish(_Order):
    """What to change of a runner group; what is left out stays."""

    allows_public: bool | None = None
    workflows: list[str] | None = None
    name: str | None = None


class NewGroup(_Order):
    """A runner group to make."""

    name: str
    repositories: list[str] | None = None
    allows_public: bool = False
    workflows: list[str] | None = None


class VisibilityWish(_Order):
    """Whether a repository is private."""

    private: bool


def control_routes(sim: GitHubSim) -> APIRouter:
    """`POST /_sim/runs`, `POST /_sim/jobs/{id}/cancel`, and what administrators change while a fleet runs."""
    router = APIRouter(prefix="/_sim", include_in_schema=False)
    _add_administration(router, sim)

    @router.post("/runs", status_code=201)
    async def queue_run(wish: RunWish) -> dict[str, Any]:
        sim.advance()
        jobs = tuple(job.order() for job in wish.jobs)
        named = wish.model_dump(exclude={"repository", "jobs"})
        run = sim.queue.start_run(RunOrder(wish.repository, jobs, **named))
        return {"run_id": run.id, "job_ids": [job.id for job in run.jobs]}

    @router.post("/jobs/{job_id}/cancel", status_code=202)
    async def cancel(job_id: int) -> dict[str, Any]:
        sim.advance()
        job = sim.queue.cancel(job_id)
        return {"status": job.status, "conclusion": job.conclusion}

    return router


def _add_administration(router: APIRouter, sim: GitHubSim) -> None:
    @router.post("/runner-groups", status_code=201)
    async def make_group(wish: NewGroup) -> dict[str, Any]:
        group = sim.directory.add_group(RunnerGroupSpec(**wish.model_dump()))
        sim.journal.record("group_made", name=group.name, allows_public=group.allows_public)
        return job_shapes.runner_group(sim.public_url, sim.directory.organization.login, group)

    @router.patch("/runner-groups/{name}")
    async def change_group(name: str, wish: GroupWish) -> dict[str, Any]:
        group = sim.directory.change_group(name, wish.model_dump(exclude_none=True))
        sim.journal.record("group_changed", name=group.name, allows_public=group.allows_public)
        return job_shapes.runner_group(sim.public_url, sim.directory.organization.login, group)

    @router.delete("/runner-groups/{name}", status_code=204)
    async def delete_group(name: str) -> None:
        sim.directory.delete_group(name)
        sim.journal.record("group_deleted", name=name)

    @router.patch("/repositories/{name}")
    async def show(name: str, wish: VisibilityWish) -> dict[str, Any]:
        repository = sim.directory.show(name, private=wish.private)
        sim.journal.record("repository_changed", name=repository.full_name, private=repository.private)
        return {"full_name": repository.full_name, "private": repository.private}


def runner_protocol(sim: GitHubSim, bell: Bell) -> APIRouter:
    """Everything under `/_runner`: what the stand-in runner speaks instead of GitHub's broker."""
    router = APIRouter(prefix="/_runner", include_in_schema=False)
    _add_sessions(router, sim)
    _add_jobs(router, sim, bell)
    return router


def _add_sessions(router: APIRouter, sim: GitHubSim) -> None:
    @router.post("/register", status_code=201)
    async def register(request: Request, wish: RegisterOrder) -> dict[str, Any]:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != REMOTE_AUTH:
            raise not_found()
        scope = _scope_of(wish.url)
        runner = sim.sessions.register(token, scope, wish.model_dump(exclude={"url"}))
        return {"files": sim.sessions.files(runner, github_url=wish.url)}

    @router.post("/sessions", status_code=201)
    async def open_session(wish: SessionOrder) -> dict[str, Any]:
        session = sim.sessions.open(wish.client_id, wish.proof, wish.version)
        runner = session.runner
        return {
            "session_id": session.id,
            "runner_id": runner.id,
            "name": runner.name,
            "ephemeral": runner.ephemeral,
        }

    @router.delete("/sessions/{session_id}", status_code=204)
    async def close_session(session_id: str) -> None:
        sim.sessions.close(session_id)


def _add_jobs(router: APIRouter, sim: GitHubSim, bell: Bell) -> None:
    @router.get("/sessions/{session_id}/message")
    async def next_message(request: Request, session_id: str) -> Response:
        until = sim.clock.now() + LONG_POLL
        while not await request.is_disconnected():
            sim.advance()
            job = sim.sessions.poll(session_id)
            if job is not None:
                return JSONResponse({"job": job_message(sim.public_url, job, sim.queue.renew_every)})
            left = until - sim.clock.now()
            if left <= 0:
                break
            await bell.heard_within(sim.clock, min(POLL_LOOK, left))
        return Response(status_code=202)

    @router.post("/jobs/{job_id}/renew")
    async def renew(job_id: int, wish: Renewal) -> dict[str, Any]:
        sim.advance()
        job = sim.sessions.renew(wish.session_id, job_id)
        return {"renew_s": sim.queue.renew_every, "cancel": job.cancel_requested}

    @router.post("/jobs/{job_id}/complete", status_code=204)
    async def complete(job_id: int, wish: Completion) -> None:
        sim.advance()
        sim.sessions.complete(wish.session_id, job_id, wish.conclusion, list(wish.steps))


def _scope_of(url: str) -> str:
    """`orgs/acme` of https://host/acme, `repos/acme/web` of https://host/acme/web."""
    parts = url.partition("://")[2].strip("/").split("/")[1:]
    match parts:
        case [org] if org:
            return f"orgs/{org}"
        case [owner, repo]:
            return f"repos/{owner}/{repo}"
    raise GitHubProblem(404, "Not Found")
