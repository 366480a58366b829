"""Volumes over HTTP."""

from typing import Any

from fastapi import APIRouter, Request

from simulator.fly.exchange import lose_answer, read_body
from simulator.fly.model import FlySim


def volume_routes(model: FlySim) -> APIRouter:
    """Routes of `/apps/{app_name}/volumes`."""
    router, office = APIRouter(), model.volumes

    @router.get("", operation_id="Volumes_list")
    async def list_volumes(app_name: str) -> list[dict[str, Any]]:
        return [volume.as_json() for volume in office.list(app_name)]

    @router.post("", operation_id="Volumes_create")
    async def create_volume(request: Request, app_name: str) -> dict[str, Any]:
        creation = office.create(app_name, await read_body(request))
        answer = creation.volume.as_json()
        if creation.answer_lost:
            await lose_answer(model, request)
        await model.clock.sleep(model.answer_delay())
        return answer

    @router.get("/{volume_id}", operation_id="Volumes_get_by_id")
    async def show_volume(app_name: str, volume_id: str) -> dict[str, Any]:
        return office.get(app_name, volume_id).as_json()

    @router.delete("/{volume_id}", operation_id="Volume_delete")
    async def delete_volume(app_name: str, volume_id: str) -> dict[str, Any]:
        volume = office.delete(app_name, volume_id)
        await model.clock.sleep(model.answer_delay())
        return volume.as_json()

    return router
