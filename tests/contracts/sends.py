"""Which operations each method of a client sends: the whole of what the fleet says to the outside.

The tests hold the table to be complete (a new method must be entered and driven) and exact (each method is
seen to send all of its operations and no other).
"""

import inspect
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from fly.client import FlyClient
from runners.github.app_auth import AppMinter
from runners.github.client import GitHub
from runners.github.survey import Survey
from runners.secrets.github_leases import GitHubLeases
from runners.secrets.infisical import InfisicalSecrets

MACHINES = "/apps/{app_name}/machines"
MACHINE = MACHINES + "/{machine_id}"
VOLUMES = "/apps/{app_name}/volumes"
SECRETS = "/api/v4/secrets"
LOGIN = "POST /api/v1/auth/universal-auth/login"
REPO = "/repos/{owner}/{repo}"


def _both(method: str, rest: str) -> frozenset[str]:
    return frozenset({f"{method} /orgs/{{org}}/actions{rest}", f"{method} {REPO}/actions{rest}"})


SENDS: Mapping[type, Mapping[str, frozenset[str]]] = {
    FlyClient: {
        "list_machines": frozenset({f"GET {MACHINES}"}),
        "get_machine": frozenset({f"GET {MACHINE}"}),
        "create_machine": frozenset({f"POST {MACHINES}"}),
        "start_machine": frozenset({f"POST {MACHINE}/start"}),
        "stop_machine": frozenset({f"POST {MACHINE}/stop"}),
        "destroy_machine": frozenset({f"DELETE {MACHINE}"}),
        "show_app": frozenset({"GET /apps/{app_name}"}),
        "list_regions": frozenset({"GET /platform/regions"}),
        "current_tokens": frozenset({"GET /tokens/current"}),
        "list_events": frozenset({f"GET {MACHINE}/events"}),
        "list_volumes": frozenset({f"GET {VOLUMES}"}),
        "create_volume": frozenset({f"POST {VOLUMES}"}),
        "delete_volume": frozenset({f"DELETE {VOLUMES}/{{volume_id}}"}),
    },
    AppMinter: {
        "installation_token": frozenset(
            {
                "GET /orgs/{org}/installation",
                f"GET {REPO}/installation",
                "POST /app/installations/{installation_id}/access_tokens",
            }
        ),
    },
    GitHub: {
        "mint_jit": _both("POST", "/runners/generate-jitconfig")
        | {"GET /orgs/{org}/actions/runner-groups"},  # its id is looked up with the first mint
        "registration_token": _both("POST", "/runners/registration-token"),
        "mint_registration_token": _both("POST", "/runners/registration-token"),
        "delete_runner": _both("DELETE", "/runners/{runner_id}"),
        "find_runner": _both("GET", "/runners"),
        "list_runners": _both("GET", "/runners"),
        "runner_group_id": frozenset({"GET /orgs/{org}/actions/runner-groups"}),
        "scope_seen": frozenset({"GET /orgs/{org}/actions/runner-groups", f"GET {REPO}"}),
        "queued_runs": frozenset({f"GET {REPO}/actions/runs"}),
        "jobs_of_run": frozenset({f"GET {REPO}/actions/runs/{{run_id}}/jobs"}),
        "job": frozenset({f"GET {REPO}/actions/jobs/{{job_id}}"}),
        "deliveries_readable": frozenset(),
        "deliveries": frozenset({"GET /app/hook/deliveries"}),
        "delivery": frozenset({"GET /app/hook/deliveries/{delivery_id}"}),
    },
    Survey: {
        "app": frozenset({"GET /app"}),
        "installation": frozenset({"GET /orgs/{org}/installation", f"GET {REPO}/installation"}),
        "hook_config": frozenset({"GET /app/hook/config"}),
        "runner_version": _both("GET", "/runners/downloads"),
        "versions_in_use": _both("GET", "/runners"),
    },
    GitHubLeases: {"installation_token": frozenset({"POST /api/v1/dynamic-secrets/leases", LOGIN})},
    InfisicalSecrets: {
        "read": frozenset({f"GET {SECRETS}", LOGIN, "POST /api/v1/auth/oidc-auth/login"}),
        "write": frozenset({f"PATCH {SECRETS}/{{secretName}}", f"POST {SECRETS}/{{secretName}}", LOGIN}),
    },
}

SENT_BY: ContextVar[str] = ContextVar("sent_by", default="")


class Watched:
    """A client whose exchanges are put down to the method that sent them."""

    def __init__(self, client: object) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if not inspect.iscoroutinefunction(attribute):
            return attribute

        async def watched(*args: Any, **kwargs: Any) -> Any:
            before = SENT_BY.set(f"{type(self._client).__name__}.{name}")
            try:
                return await attribute(*args, **kwargs)
            finally:
                SENT_BY.reset(before)

        return watched


def public_methods(client: type) -> set[str]:
    """The methods of a client that may send something."""
    return {
        name
        for name, _ in inspect.getmembers(client, inspect.iscoroutinefunction)
        if not name.startswith("_") and name not in ("aclose", "close")
    }
