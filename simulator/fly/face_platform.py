"""What FlySim says of apps, regions and the token itself: the calls that look before anything is made."""

from typing import Any

from fastapi import APIRouter

from simulator.fly.model import FlySim

REGIONS = (
    *("ams", "arn", "bom", "cdg", "dfw", "ewr", "fra", "gru", "iad"),
    *("jnb", "lax", "lhr", "nrt", "ord", "sin", "sjc", "syd", "yyz"),
)
"""The regions of Fly's documentation."""


def platform_routes(model: FlySim) -> APIRouter:
    """Routes of `/apps/{app_name}`, `/platform` and `/tokens`."""
    router = APIRouter()

    @router.get("/apps/{app_name}", operation_id="Apps_show")
    async def show_app(app_name: str) -> dict[str, Any]:
        network = model.show_app(app_name)
        number, state = model.apps.index(app_name) + 1, model.state()
        return {
            "id": model.draws.ulid(0.0, "app", number),
            "name": app_name,
            "status": "deployed",
            "machine_count": sum(machine["app"] == app_name for machine in state["machines"]),
            "volume_count": sum(volume["app"] == app_name for volume in state["volumes"]),
            "network": network,
            "organization": {"name": model.org_slug, "slug": model.org_slug, "internal_numeric_id": 1},
            "internal_numeric_id": number,
        }

    @router.get("/platform/regions", operation_id="Platform_regions_get")
    async def list_regions() -> dict[str, Any]:
        return {"regions": [_region(code) for code in REGIONS], "nearest": "iad"}

    @router.get("/tokens/current", operation_id="CurrentToken_show")
    async def current_token() -> dict[str, Any]:
        token = {"token_id": "1", "org_slug": model.org_slug, "organization": "1", "apps": list(model.apps)}
        return {"tokens": [token]}

    return router


def _region(code: str) -> dict[str, Any]:
    return {
        "code": code,
        "name": code.upper(),
        "deprecated": False,
        "gateway_available": True,
        "requires_paid_plan": False,
    }
