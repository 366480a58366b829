"""The routes every simulator has besides its published API: read the journal, arm faults, look at the state.

They live under `/_sim/`, stay out of the OpenAPI document, and need no credential: a simulator listens on
loopback only.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from simulator.faults import Faults
from simulator.journal import Journal


class FaultOrder(BaseModel):
    """What `POST /_sim/faults` accepts."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    times: int = Field(default=1, ge=1)
    match: dict[str, Any] = Field(default_factory=dict)
    params: dict[str, Any] = Field(default_factory=dict)


def control_router(journal: Journal, faults: Faults, state: Callable[[], Mapping[str, Any]]) -> APIRouter:
    """Build the `/_sim/` routes of one simulator.

    Args:
        journal: what `GET /_sim/journal?after=SEQ` reads, answered as `{"entries": […], "last_seq": n}`.
        faults: what `POST /_sim/faults` arms (`{"id"}`) and `GET /_sim/faults` lists
            (`{"faults": […], "unfired": [ids]}`).
        state: computes the JSON-ready answer of `GET /_sim/state`.
    """
    router = APIRouter(prefix="/_sim", include_in_schema=False)

    @router.get("/journal")
    async def read_journal(after: int = 0) -> dict[str, Any]:
        return {"entries": journal.after(after), "last_seq": journal.last_seq}

    @router.post("/faults", status_code=201)
    async def arm_fault(order: FaultOrder) -> dict[str, str]:
        try:
            return {"id": faults.add(order.kind, order.times, order.params, **order.match)}
        except (TypeError, ValueError) as wrong:
            raise HTTPException(422, str(wrong)) from wrong

    @router.get("/faults")
    async def list_faults() -> dict[str, Any]:
        return {
            "faults": [fault.as_json() for fault in faults.all()],
            "unfired": [fault.id for fault in faults.unfired()],
        }

    @router.get("/state")
    async def read_state() -> Mapping[str, Any]:
        return state()

    return router
