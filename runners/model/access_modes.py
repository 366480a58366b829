"""What must hang together between the ways to hold credentials, to log in and to reach GitHub."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runners.model.settings import FleetSettings, GitHubSettings, InfisicalSettings, PoolSettings

# Infisical's provider knows no other GitHub (its source); loopback is where a simulated one answers.
LEASES_COME_FROM = re.compile(r"https://api\.github\.com/?|http://(127\.0\.0\.1|localhost)(:\d+)?/?")


def access_mistakes(
    fleet: "FleetSettings",
    github: "GitHubSettings",
    infisical: "InfisicalSettings",
    pools: Sequence["PoolSettings"],
) -> Iterator[str]:
    """One line for each setting that a chosen mode needs and does not have, or cannot work with."""
    if github.credentials == "app" and not github.app_id:
        yield 'github.app_id: found nothing, expected the id: github.credentials is "app"'
    if github.credentials == "lease":
        yield from _leasing(fleet, github, infisical, pools)
    if fleet.secrets != "infisical":
        return
    if not infisical.project_id:
        yield 'infisical.project_id: found nothing, expected the id: fleet.secrets is "infisical"'
    if infisical.auth == "fly-oidc" and not infisical.identity_id:
        yield 'infisical.identity_id: found nothing, expected the id: infisical.auth is "fly-oidc"'


def _leasing(
    fleet: "FleetSettings",
    github: "GitHubSettings",
    infisical: "InfisicalSettings",
    pools: Sequence["PoolSettings"],
) -> Iterator[str]:
    if fleet.secrets != "infisical":
        yield (
            f'fleet.secrets: found {fleet.secrets!r}, expected "infisical": github.credentials is "lease", '
            "and leases are made there"
        )
    if not infisical.project_slug:
        yield 'infisical.project_slug: found nothing, expected the slug: github.credentials is "lease"'
    if not LEASES_COME_FROM.fullmatch(github.api_url):
        yield (
            f"github.api_url: found {github.api_url!r}, expected https://api.github.com: github.credentials "
            'is "lease", and Infisical leases tokens of github.com alone; use "published" or "app"'
        )
    owners = sorted({pool.owner.lower() for pool in pools})
    if len(owners) > 1 and "{owner}" not in infisical.dynamic_secret:
        yield (
            f"infisical.dynamic_secret: found {infisical.dynamic_secret!r}, expected one with {{owner}}: a "
            f"dynamic secret serves one installation, and the pools have the owners {', '.join(owners)}"
        )
