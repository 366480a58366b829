"""Operations of the App itself: who am I, where am I installed, a token, the hook and its delivery log."""

from typing import Any

from fastapi import APIRouter, Request

from simulator.github import shapes
from simulator.github.gate import Gate, json_body, next_link, page_of, per_page_of
from simulator.github.job_shapes import delivery_detail
from simulator.github.model import GitHubSim
from simulator.github.problems import invalid_field
from simulator.github.tokens import expiry_of_installation_token

HOOK_RANGES = ["192.30.252.0/22", "185.199.108.0/22", "140.82.112.0/20", "143.55.64.0/20"]
RESOURCES = ("core", "search", "graphql", "integration_manifest", "actions_runner_registration")


def app_routes(sim: GitHubSim, gate: Gate) -> APIRouter:
    """Routes under `/app` and the ones that find an installation."""
    router = APIRouter()

    def found() -> dict[str, Any]:
        return shapes.installation(sim.public_url, sim.app_id, sim.directory.installation)

    @router.get("/app", operation_id="apps/get-authenticated")
    async def get_app(request: Request) -> Any:
        gate.app(request)
        return await gate.answer(request, shapes.app(sim.public_url, sim.app_id, sim.directory.installation))

    @router.get("/app/installations", operation_id="apps/list-installations")
    async def list_installations(request: Request) -> Any:
        gate.app(request)
        shown, links = page_of(request, [found()])
        return await gate.answer(request, shown, headers=links)

    @router.get("/orgs/{org}/installation", operation_id="apps/get-org-installation")
    async def get_org_installation(request: Request, org: str) -> Any:
        gate.app(request)
        sim.directory.org(org)
        return await gate.answer(request, found())

    @router.get("/repos/{owner}/{repo}/installation", operation_id="apps/get-repo-installation")
    async def get_repo_installation(request: Request, owner: str, repo: str) -> Any:
        gate.app(request)
        sim.directory.repository(owner, repo)
        return await gate.answer(request, found())

    @router.post(
        "/app/installations/{installation_id}/access_tokens",
        operation_id="apps/create-installation-access-token",
    )
    async def create_token(request: Request, installation_id: int) -> Any:
        gate.app(request)
        wish = await json_body(request)
        token = sim.tokens.mint_installation(
            installation_id,
            repositories=_list_of(wish, "repositories", str),
            repository_ids=_list_of(wish, "repository_ids", int),
            permissions=_permissions(wish),
        )
        ids = token.repository_ids
        shape: dict[str, Any] = {
            "token": token.secret,
            "expires_at": expiry_of_installation_token(token.expires_at),
            "permissions": dict(token.permissions),
            "repository_selection": "all" if ids is None else "selected",
        }
        if ids is not None:
            chosen = [repo for repo in sim.directory.repositories if repo.id in ids]
            shape["repositories"] = [shapes.repository(sim.public_url, repo) for repo in chosen]
        return await gate.answer(request, shape, 201)

    return router


def hook_routes(sim: GitHubSim, gate: Gate) -> APIRouter:
    """Routes under `/app/hook`."""
    router = APIRouter(prefix="/app/hook")

    def config() -> dict[str, Any]:
        return {
            "url": sim.webhooks.url,
            "content_type": "json",
            "secret": "********",
            "insecure_ssl": "0",
        }

    @router.get("/config", operation_id="apps/get-webhook-config-for-app")
    async def get_config(request: Request) -> Any:
        gate.app(request)
        return await gate.answer(request, config())

    @router.patch("/config", operation_id="apps/update-webhook-config-for-app")
    async def update_config(request: Request) -> Any:
        gate.app(request)
        wish = await json_body(request)
        sim.webhooks.url = str(wish.get("url", sim.webhooks.url))
        sim.webhooks.secret = str(wish.get("secret", sim.webhooks.secret))
        return await gate.answer(request, config())

    @router.get("/deliveries", operation_id="apps/list-webhook-deliveries")
    async def list_deliveries(request: Request, cursor: str | None = None, status: str | None = None) -> Any:
        gate.app(request)
        if status not in {None, "success", "failure"}:
            raise invalid_field("Delivery", "status", "status must be success or failure")
        page, following = sim.webhooks.log.page(per_page_of(request), cursor, status)
        items = [shapes.delivery_item(delivery) for delivery in page]
        return await gate.answer(request, items, headers=next_link(request, following))

    @router.get("/deliveries/{delivery_id}", operation_id="apps/get-webhook-delivery")
    async def get_delivery(request: Request, delivery_id: int) -> Any:
        gate.app(request)
        delivery = sim.webhooks.log.get(delivery_id)
        shape = delivery_detail(delivery, shapes.delivery_item(delivery), sim.webhooks.url)
        return await gate.answer(request, shape)

    @router.post("/deliveries/{delivery_id}/attempts", operation_id="apps/redeliver-webhook-delivery")
    async def redeliver(request: Request, delivery_id: int) -> Any:
        gate.app(request)
        sim.webhooks.redeliver(delivery_id)
        return await gate.answer(request, {}, 202)

    return router


def open_routes(sim: GitHubSim, gate: Gate) -> APIRouter:
    """`/rate_limit`, which costs nothing, and `/meta`, which anybody may read."""
    router = APIRouter()

    @router.get("/rate_limit", operation_id="rate-limit/get")
    async def rate_limit(request: Request) -> Any:
        token = gate.installation(request)
        quota = sim.limits.quota(token.installation_id)
        core = {"limit": quota.limit, "remaining": quota.remaining, "reset": quota.reset, "used": quota.used}
        untouched = {**core, "remaining": quota.limit, "used": 0}
        resources = {name: core if name == "core" else untouched for name in RESOURCES}
        return await gate.answer(request, {"resources": resources, "rate": core})

    @router.get("/meta", operation_id="meta/get")
    async def meta(request: Request) -> Any:
        shape = {"verifiable_password_authentication": False, "hooks": HOOK_RANGES, "api": HOOK_RANGES}
        return await gate.answer(request, shape)

    return router


def _list_of(wish: dict[str, Any], name: str, kind: type) -> list[Any] | None:
    value = wish.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, kind) for item in value):
        raise invalid_field("AccessToken", name, f"{name} must be a list of {kind.__name__}")
    return value


def _permissions(wish: dict[str, Any]) -> dict[str, str] | None:
    value = wish.get("permissions")
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(level, str) for level in value.values()):
        raise invalid_field("AccessToken", "permissions", "permissions must map names to levels")
    return value
