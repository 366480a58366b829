"""The text of the demo's fleet.toml.

Every duration of the fleet and every latency of the simulated world is divided by the same scale, but for
the deadline of a call, which real processes must be able to meet; the limits of both are multiplied by it.
Nothing else differs from a fleet that someone runs on a Monday.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from runners.cli.demo.options import Registration, Variant
from runners.model.settings import FlySettings, GitHubSettings
from runners.model.timing import Timing

ORGANIZATION = "acme"
APPS = ("acme-runners-a", "acme-runners-b", "acme-runners-c")
REGIONS = ("iad", "ewr", "ord")
MEDIUM_MAX = 10
SMALL_MAX = 6
FLEET_MAX = 14
PROJECT = "fly-gha-demo"
# An image that no registry has: the simulated Fly pulls nothing, and its Machines prove this digest.
IMAGE = f"registry.fly.io/{APPS[0]}@sha256:{hashlib.sha256(b'the demo has no image').hexdigest()}"
LEAST_S = {"upstream_deadline": 2.0, "launch_deadline": 2.5, "delete_again": 2.5, "destroy_again": 2.5}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Base URLs: of the dispatcher and of the three simulators."""

    dispatcher: str
    fly: str
    github: str
    infisical: str


def fleet_text(
    addresses: Addresses, secrets_file: Path, database: Path, variant: Variant, scale: float
) -> str:
    """Two pools over three apps, every duration divided by the scale."""
    fly, github = FlySettings(image=IMAGE), GitHubSettings()
    writes = int(github.writes_per_minute * scale)
    if variant.registration is Registration.AUTO:
        # Fewer in a real minute than the burst takes: it outruns jit, and the rest registers by token.
        writes = 6 + variant.jobs // 2
    return f"""# Made by `fly-gha demo`: durations are 1/{scale:g} of their defaults.
[fleet]
name = "demo"
public_url = "{addresses.dispatcher}"
port = {addresses.dispatcher.rpartition(":")[2]}
database_url = "sqlite:///{database}"
max_machines = {FLEET_MAX}
secrets = "infisical"
secrets_file = "{secrets_file}"

[github]
api_url = "{addresses.github}"
web_url = "{addresses.github}"
app_id = "4242"
credentials = "{variant.credentials}"
organizations = ["{ORGANIZATION}"]
writes_per_minute = {writes}

[fly]
api_hostname = "{addresses.fly}"
org_slug = "{ORGANIZATION}"
oidc_issuer = "{addresses.fly}/oidc/{ORGANIZATION}"
image = "{IMAGE}"
creates_per_second = {fly.creates_per_second * scale:g}
create_burst = {int(fly.create_burst * scale)}

[infisical]
api_url = "{addresses.infisical}"
project_id = "{PROJECT}"
project_slug = "{PROJECT}"
environment = "prod"

[[pools]]
name = "gha-medium"
scope = "orgs/{ORGANIZATION}"
registration = "{variant.registration or Registration.JIT}"
apps = {json.dumps(APPS[:2])}
regions = {json.dumps(REGIONS)}
max_machines = {MEDIUM_MAX}
stopped = {variant.stopped}
ready = {variant.ready}

[[pools]]
name = "gha-small"
scope = "orgs/{ORGANIZATION}"
registration = "{variant.registration or Registration.TOKEN}"
apps = {json.dumps(APPS[2:])}
regions = {json.dumps(REGIONS)}
max_machines = {SMALL_MAX}

[timing]
{_timing(scale)}
"""


def _timing(scale: float) -> str:
    timing = Timing().scaled(scale).model_dump()
    # A real answer from a busy laptop takes what it takes, however fast the simulated time goes.
    timing.update({name: max(timing[name], least) for name, least in LEAST_S.items()})
    # Not latencies of the fleet: how long a real token is still good for, and how far real clocks may differ.
    unscaled = ("token_refresh_margin", "clock_leeway", "clock_skew_max", "retention", "queue_sweep_memory")
    timing.update({name: getattr(Timing(), name) for name in unscaled})
    return "\n".join(f"{name} = {round(value, 4)}" for name, value in timing.items())
