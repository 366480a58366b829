"""Operations on self-hosted runners, for the organization and for one repository alike."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request

from simulator.github import job_shapes
from simulator.github.accounts import RunnerGroup
from simulator.github.gate import Gate, json_body, page_of
from simulator.github.model import GitHubSim
from simulator.github.problems import GitHubProblem, invalid
from simulator.github.registration import Registration
from simulator.github.tokens import expiry_of_registration_token

RUNNER_VERSION = "2.336.0"
_ORG, _REPO = "/orgs/{org}/actions", "/repos/{owner}/{repo}/actions"

# Works out the scope of a request after letting it in: (request, level) → "orgs/acme" or "repos/acme/web".
Enter = Callable[[Request, str], str]


def runner_routes(sim: GitHubSim, gate: Gate) -> APIRouter:
    """The runner operations of both scopes, and the organization's runner groups."""
    router = APIRouter()

    def enter_org(request: Request, level: str) -> str:
        org = request.path_params["org"]
        return gate.organization(request, org, "organization_self_hosted_runners", level)

    def enter_repo(request: Request, level: str) -> str:
        at = request.path_params
        found = gate.repository(request, at["owner"], at["repo"], "administration", level)
        return f"repos/{found.full_name}"

    _add(router, sim, gate, _ORG, "org", enter_org)
    _add(router, sim, gate, _REPO, "repo", enter_repo)

    @router.get(_ORG + "/runner-groups", operation_id="actions/list-self-hosted-runner-groups-for-org")
    async def list_groups(request: Request, org: str, visible_to_repository: str | None = None) -> Any:
        enter_org(request, "read")
        groups: list[RunnerGroup] = list(sim.directory.groups)
        if visible_to_repository is not None:
            repository = sim.directory.repository(org, visible_to_repository)
            groups = [group for group in groups if group.admits(repository)]
        shown, links = page_of(request, groups)
        shapes = [job_shapes.runner_group(sim.public_url, org, group) for group in shown]
        return await gate.answer(
            request, {"total_count": len(groups), "runner_groups": shapes}, headers=links
        )

    return router


def _add(router: APIRouter, sim: GitHubSim, gate: Gate, base: str, scope_name: str, enter: Enter) -> None:
    """Add the runner operations of one scope."""

    def shape(runner: Registration) -> dict[str, Any]:
        return job_shapes.runner(runner, sim.registrations)

    @router.get(f"{base}/runners", operation_id=f"actions/list-self-hosted-runners-for-{scope_name}")
    async def list_runners(request: Request) -> Any:
        found = sim.registrations.listed(enter(request, "read"), request.query_params.get("name"))
        shown, links = page_of(request, found)
        body = {"total_count": len(found), "runners": [shape(runner) for runner in shown]}
        return await gate.answer(request, body, headers=links)

    @router.get(
        f"{base}/runners/downloads", operation_id=f"actions/list-runner-applications-for-{scope_name}"
    )
    async def downloads(request: Request) -> Any:
        enter(request, "read")
        return await gate.answer(request, [_download("x64"), _download("arm64")])

    @router.get(
        f"{base}/runners/{{runner_id}}", operation_id=f"actions/get-self-hosted-runner-for-{scope_name}"
    )
    async def get_runner(request: Request, runner_id: int) -> Any:
        return await gate.answer(request, shape(sim.registrations.get(enter(request, "read"), runner_id)))

    @router.delete(
        f"{base}/runners/{{runner_id}}", operation_id=f"actions/delete-self-hosted-runner-from-{scope_name}"
    )
    async def delete_runner(request: Request, runner_id: int) -> Any:
        sim.registrations.delete(enter(request, "write"), runner_id)
        return await gate.answer(request, None, 204)

    @router.post(
        f"{base}/runners/registration-token",
        operation_id=f"actions/create-registration-token-for-{scope_name}",
    )
    async def registration_token(request: Request) -> Any:
        scope = enter(request, "write")
        _break_if_armed(sim, {"mode": "token", "scope": scope, "name": ""})
        token, expires_at = sim.tokens.mint_registration(scope)
        body = {"token": token, "expires_at": expiry_of_registration_token(expires_at)}
        return await gate.answer(request, body, 201)

    @router.post(
        f"{base}/runners/generate-jitconfig",
        operation_id=f"actions/generate-runner-jitconfig-for-{scope_name}",
    )
    async def generate_jitconfig(request: Request) -> Any:
        scope, wish = enter(request, "write"), await json_body(request)
        facts = {"mode": "jit", "scope": scope, "name": str(wish.get("name", ""))}
        _break_if_armed(sim, facts)
        runner = _mint(sim, scope, wish)
        if sim.faults.fire("lost_mint_answer", **facts):
            await gate.lose_answer(request)
        body = {"runner": shape(runner), "encoded_jit_config": sim.sessions.jit_config(runner)}
        return await gate.answer(request, body, 201)


def _mint(sim: GitHubSim, scope: str, wish: dict[str, Any]) -> Registration:
    group_id = wish.get("runner_group_id")
    if not isinstance(group_id, int):
        raise invalid("runner_group_id is missing or not an integer")
    group = sim.directory.group(group_id)
    work = wish.get("work_folder", "_work")
    if not isinstance(work, str):
        raise invalid("work_folder must be a string")
    return sim.registrations.mint_jit(scope, wish.get("name"), group, wish.get("labels"), work)


def _break_if_armed(sim: GitHubSim, facts: dict[str, str]) -> None:
    if sim.faults.fire("mint_5xx", **facts):
        raise GitHubProblem(502, "Server Error")


def _download(architecture: str) -> dict[str, str]:
    filename = f"actions-runner-linux-{architecture}-{RUNNER_VERSION}.tar.gz"
    return {
        "os": "linux",
        "architecture": architecture,
        "download_url": f"https://github.com/actions/runner/releases/download/v{RUNNER_VERSION}/{filename}",
        "filename": filename,
    }
