"""How a request's body is read, and how an answer is lost."""

import json
from typing import Any

from fastapi import Request

from simulator.fly import refusals
from simulator.fly.model import FlySim
from simulator.fly.refusals import FlyRefusal

# A wait looks at the Machine this often; a connection whose answer is lost, whether its caller has left.
LOOK_EVERY_S = 0.05
LOST_ANSWER_S = 60.0


async def read_body(request: Request) -> dict[str, Any]:
    """The request's JSON object; an absent body is an empty one.

    Raises:
        FlyRefusal: 400 for anything else.
    """
    raw = await request.body()
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError as wrong:
        raise refusals.invalid(f"body is not JSON: {wrong}") from wrong
    if not isinstance(body, dict):
        raise FlyRefusal(400, "json: cannot unmarshal array into Go value of type main.request")
    return body


async def lose_answer(model: FlySim, request: Request) -> None:
    """Say nothing until the caller leaves; one that outwaits Fly's own patience hears 408."""
    deadline = model.clock.now() + LOST_ANSWER_S
    while model.clock.now() < deadline and not await request.is_disconnected():
        await model.clock.sleep(LOOK_EVERY_S)
    raise refusals.no_answer_in_time()
