"""Reading a repository, its runs and its jobs."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from simulator.github import job_shapes
from simulator.github.accounts import Repository
from simulator.github.gate import Gate, json_body, page_of
from simulator.github.jobs import JobOrder, RunOrder, StepOrder
from simulator.github.listing import job_of, run_of, runs_of
from simulator.github.model import GitHubSim
from simulator.github.problems import not_found
from simulator.github.shapes import full_repository

DISPATCHED_STEP_S = 0.2


def repository_routes(sim: GitHubSim, gate: Gate) -> APIRouter:
    """A repository itself, which needs metadata:read."""
    router = APIRouter()

    @router.get("/repos/{owner}/{repo}", operation_id="repos/get")
    async def get_repository(request: Request, owner: str, repo: str) -> Any:
        found = gate.repository(request, owner, repo, "metadata", "read")
        return await gate.answer(request, full_repository(sim.public_url, found))

    return router


def actions_routes(sim: GitHubSim, gate: Gate) -> APIRouter:
    """Routes under `/repos/{owner}/{repo}/actions` that need actions:read."""
    router = APIRouter(prefix="/repos/{owner}/{repo}/actions")

    def enter(request: Request, owner: str, repo: str) -> Repository:
        return gate.repository(request, owner, repo, "actions", "read")

    @router.get("/runs", operation_id="actions/list-workflow-runs-for-repo")
    async def list_runs(
        request: Request,
        owner: str,
        repo: str,
        status: str | None = None,
        branch: str | None = None,
        event: str | None = None,
        created: str | None = None,
    ) -> Any:
        repository = enter(request, owner, repo)
        found = runs_of(sim.queue, repository, status=status, branch=branch, event=event, created=created)
        shown, links = page_of(request, found)
        shapes = [job_shapes.run(sim.public_url, run, sim.directory) for run in shown]
        return await gate.answer(request, {"total_count": len(found), "workflow_runs": shapes}, headers=links)

    @router.get("/runs/{run_id}", operation_id="actions/get-workflow-run")
    async def get_run(request: Request, owner: str, repo: str, run_id: int) -> Any:
        run = run_of(sim.queue, enter(request, owner, repo), run_id)
        return await gate.answer(request, job_shapes.run(sim.public_url, run, sim.directory))

    @router.get("/runs/{run_id}/jobs", operation_id="actions/list-jobs-for-workflow-run")
    async def list_jobs(request: Request, owner: str, repo: str, run_id: int) -> Any:
        run = run_of(sim.queue, enter(request, owner, repo), run_id)
        shown, links = page_of(request, run.jobs)
        shapes = [job_shapes.job(sim.public_url, job) for job in shown]
        return await gate.answer(request, {"total_count": len(run.jobs), "jobs": shapes}, headers=links)

    @router.get("/jobs/{job_id}", operation_id="actions/get-job-for-workflow-run")
    async def get_job(request: Request, owner: str, repo: str, job_id: int) -> Any:
        job = job_of(sim.queue, enter(request, owner, repo), job_id)
        return await gate.answer(request, job_shapes.job(sim.public_url, job))

    # GitHub publishes this; the copy of its specification that our tests judge by is cut and has it not.
    @router.post("/workflows/{workflow}/dispatches", include_in_schema=False)
    async def dispatch(request: Request, owner: str, repo: str, workflow: str) -> Response:
        repository = gate.repository(request, owner, repo, "actions", "write")
        if workflow not in sim.workflows:
            raise not_found()
        wish = await json_body(request)
        jobs = tuple(
            JobOrder(f"canary on {label}", (label,), (StepOrder("look", DISPATCHED_STEP_S),))
            for label in sim.workflows[workflow]
        )
        said = " ".join(str(value) for value in dict(wish.get("inputs") or {}).values())
        order = RunOrder(
            repository.full_name,
            jobs,
            workflow_name=workflow.rpartition(".")[0],
            head_branch=str(wish.get("ref", "")),
            event="workflow_dispatch",
            display_title=f"{workflow} {said}".strip(),
        )
        sim.queue.start_run(order)
        return await gate.answer(request, None, 204)

    return router
