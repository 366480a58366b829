"""Builds each simulator and its face from the one configuration."""

from fastapi import FastAPI

from simulator.clock import Clock
from simulator.fly import FlySim
from simulator.fly import face as fly_face
from simulator.fly.process_body import ProcessBody
from simulator.github import face as github_face
from simulator.github.accounts import RepositorySpec, RunnerGroupSpec
from simulator.github.model import GitHubSim
from simulator.infisical import face as infisical_face
from simulator.infisical.identities import DEFAULT_TOKEN_TTL_S, READER, WRITER, Identity
from simulator.infisical.model import InfisicalSim
from simulator.sim_config import IdentityPart, RepositoryPart, RunnerGroupPart, SimConfig


def build_fly(config: SimConfig, public_url: str, clock: Clock) -> FastAPI:
    """FlySim with real processes inside its Machines."""
    part = config.fly
    model = FlySim(
        clock=clock,
        seed=config.seed,
        scale=config.scale,
        org_slug=part.org_slug,
        public_url=public_url,
        apps=part.apps,
        body=ProcessBody(part.agent, part.runner_template),
        api_token=part.api_token.get_secret_value(),
        list_lag=part.list_lag_s,
        machine_limit=part.machine_limit,
        capacity=part.capacity,
        networks=part.networks,
        skip_launch=part.skip_launch,
    )
    return fly_face.build_app(model)


def build_github(config: SimConfig, public_url: str, clock: Clock) -> FastAPI:
    """GitHubSim, which posts its webhooks to the configured URL."""
    part = config.github
    model = GitHubSim(
        clock=clock,
        seed=config.seed,
        scale=config.scale,
        public_url=public_url,
        app_id=part.app_id,
        app_public_key=part.app_public_key,
        webhook_url=part.webhook_url,
        webhook_secret=part.webhook_secret.get_secret_value(),
        organization=part.organization,
        repositories=[_repository(repository) for repository in part.repositories],
        runner_groups=[_runner_group(group) for group in part.runner_groups],
        marker=part.marker,
    )
    return github_face.build_app(model)


def build_infisical(config: SimConfig, clock: Clock) -> FastAPI:
    """InfisicalSim with its identities and first secrets."""
    part = config.infisical
    model = InfisicalSim(
        clock,
        config.seed,
        config.scale,
        project_id=part.project_id,
        environment=part.environment,
        folders=part.folders,
        identities=tuple(_identity(identity) for identity in part.identities),
        secrets={name: value.get_secret_value() for name, value in part.secrets.items()},
        calls_per_minute=part.calls_per_minute,
    )
    return infisical_face.build_app(model)


def _repository(part: str | RepositoryPart) -> str | RepositorySpec:
    return part if isinstance(part, str) else RepositorySpec(part.name, part.private)


def _runner_group(part: str | RunnerGroupPart) -> str | RunnerGroupSpec:
    if isinstance(part, str):
        return part
    return RunnerGroupSpec(part.name, part.repositories, part.allows_public)


def _identity(part: IdentityPart) -> Identity:
    return Identity(
        name=part.name,
        client_id=part.client_id,
        client_secret=part.client_secret.get_secret_value(),
        rights=WRITER if part.role == "writer" else READER,
        token_ttl=part.token_ttl_s or DEFAULT_TOKEN_TTL_S,
    )
