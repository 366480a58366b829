"""Mint: get one registration for one Runner from GitHub, and nothing else.

The intent (the Runner's row with ``mint_sent_at``) is committed by the caller before this is called. A lost
answer is not repeated: the record, if there is one, is found by name and removed, and a new name is minted.
"""

from collections.abc import Callable
from typing import Protocol

from pydantic import SecretStr

from runners.model.nouns import Runner
from runners.model.settings import GitHubSettings, PoolSettings
from runners.registration.registration import Registration, new_hook_token

WORK_FOLDER = "_work"


class Minted(Protocol):
    """What GitHub answers to generate-jitconfig."""

    @property
    def github_id(self) -> int:
        """GitHub's id of the runner."""

    @property
    def jit_config(self) -> SecretStr:
        """The encoded JIT config."""


class Registrar(Protocol):
    """The part of the GitHub client that mints."""

    async def mint_jit(self, scope: str, name: str, group: str, labels: tuple[str, ...]) -> Minted:
        """Register a just-in-time runner; raises UpstreamError."""

    async def registration_token(self, scope: str) -> SecretStr:
        """A registration token of the scope; raises UpstreamError."""


async def mint(
    registrar: Registrar,
    runner: Runner,
    pool: PoolSettings,
    github: GitHubSettings,
    entropy: Callable[[int], bytes],
) -> tuple[Registration, int | None]:
    """One registration, and GitHub's runner id when it is known already (jit).

    Raises:
        UpstreamError: GitHub refused, did not answer in time, or its breaker is open.
    """
    hook_token = new_hook_token(entropy)
    if runner.registration == "jit":
        minted = await registrar.mint_jit(pool.scope, runner.name, pool.runner_group, pool.served_labels)
        return Registration(runner.name, "jit", minted.jit_config, hook_token), minted.github_id
    token = await registrar.registration_token(pool.scope)
    configure = {
        "url": f"{github.web_url.rstrip('/')}/{pool.scope.partition('/')[2]}",
        "labels": list(pool.served_labels),
        "runner_group": pool.runner_group,
        "work_folder": WORK_FOLDER,
    }
    return Registration(runner.name, "token", token, hook_token, configure), None
