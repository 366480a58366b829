"""Builds each simulator and its face from the one configuration."""

from collections.abc import Mapping

from fastapi import FastAPI

from simulator.clock import Clock
from simulator.fly import FlySim
from simulator.fly import face as fly_face
from simulator.fly.process_body import ProcessBody
from simulator.github import face as github_face
from simulator.github.accounts import RepositorySpec, RunnerGroupSpec
from simulator.github.model import GitHubSim
from simulator.infisical import face as infisical_face
from simulator.infisical.identities import DEFAULT_TOKEN_TTL_S, LESSEE, LISTER, READER, WRITER, Identity
from simulator.infisical.leases import GitHubDynamicSecret
from simulator.infisical.model import InfisicalSim
from simulator.infisical.oidc_auth import OidcAuth
from simulator.sim_config import (
    DynamicSecretPart,
    IdentityPart,
    OidcAuthPart,
    RepositoryPart,
    RunnerGroupPart,
    SimConfig,
)


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
        workflows=part.workflows,
        user_token=part.user_token.get_secret_value(),
        permissions=part.permissions,
    )
    return github_face.build_app(model)


def build_infisical(config: SimConfig, urls: Mapping[str, str], clock: Clock) -> FastAPI:
    """InfisicalSim with its identities, first secrets and dynamic secrets.

    Args:
        config: the world.
        urls: base URLs of ``fly``, whose issuer OIDC logins trust, and of ``github``, which leases mint at.
        clock: the world's time.
    """
    part = config.infisical
    issuer = f"{urls['fly']}/oidc/{config.fly.org_slug}"
    model = InfisicalSim(
        clock,
        config.seed,
        config.scale,
        project_id=part.project_id,
        project_slug=part.project_slug,
        environment=part.environment,
        folders=part.folders,
        identities=tuple(_identity(identity, issuer) for identity in part.identities),
        secrets={name: value.get_secret_value() for name, value in part.secrets.items()},
        calls_per_minute=part.calls_per_minute,
        dynamic_secrets=tuple(_dynamic(secret, config.github.app_id) for secret in part.dynamic_secrets),
        max_leases=part.max_leases,
        plan_has_dynamic_secrets=part.plan_has_dynamic_secrets,
    )
    return infisical_face.build_app(model, github_url=urls["github"])


def _repository(part: str | RepositoryPart) -> str | RepositorySpec:
    return part if isinstance(part, str) else RepositorySpec(part.name, part.private)


def _runner_group(part: str | RunnerGroupPart) -> str | RunnerGroupSpec:
    if isinstance(part, str):
        return part
    return RunnerGroupSpec(part.name, part.repositories, part.allows_public, part.workflows)


def _identity(part: IdentityPart, issuer: str) -> Identity:
    return Identity(
        name=part.name,
        client_id=part.client_id,
        client_secret=part.client_secret.get_secret_value(),
        rights={"lister": LISTER, "reader": READER, "writer": WRITER, "lessee": LESSEE}[part.role],
        token_ttl=part.token_ttl_s or DEFAULT_TOKEN_TTL_S,
        identity_id=part.identity_id,
        oidc=None if part.oidc is None else _oidc_auth(part.oidc, issuer),
    )


def _oidc_auth(part: OidcAuthPart, issuer: str) -> OidcAuth:
    discovery_url = part.oidc_discovery_url or issuer
    return OidcAuth(
        discovery_url=discovery_url,
        bound_issuer=part.bound_issuer or discovery_url,
        bound_audiences=part.bound_audiences,
        bound_subject=part.bound_subject,
        bound_claims=part.bound_claims,
    )


def _dynamic(part: DynamicSecretPart, app_id: int) -> GitHubDynamicSecret:
    return GitHubDynamicSecret(
        name=part.name.lower(),
        path=part.path,
        app_id=part.app_id or app_id,
        private_key=part.private_key.get_secret_value(),
        installation_id=part.installation_id,
        default_ttl=part.default_ttl,
        max_ttl=part.max_ttl,
    )
