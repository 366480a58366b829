"""People: routes whose answers a person reads, so that what goes wrong is a page and not the API's JSON."""

from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from fastapi import Request, Response
from fastapi.routing import APIRoute

from runners.api.page import answers
from runners.api.page.desk import desk_of
from runners.api.problems import ApiProblem
from runners.store.errors import StoreError

RETRY_AFTER_S = 5


class PersonRoute(APIRoute):
    """A route that answers a Problem, or a database that is away, with a page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with its dependencies, inside of that."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except ApiProblem as refusal:
                return _problem(request, refusal)
            except StoreError as error:
                return _away(request, error)

        return handled


def _problem(request: Request, refusal: ApiProblem) -> Response:
    text = desk_of(request).renderer.page("problem.html", 0.0, problem=refusal.problem)
    return answers.html(request, text, refusal.status)


def _away(request: Request, error: StoreError) -> Response:
    structlog.get_logger().warning("page.store_unavailable", error=str(error))
    text = desk_of(request).renderer.page("away.html", 0.0)
    return answers.html(request, text, 503, {"Retry-After": str(RETRY_AFTER_S)})
