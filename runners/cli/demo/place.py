"""Place: the demo's folder with its fleet.toml, its world file and its secrets, all made anew for one run.

Every duration of the fleet and every latency of the simulated world is divided by the same scale, but for
the deadline of a call, which real processes must be able to meet; the limits of both are multiplied by it.
Nothing else differs from a fleet that someone runs on a Monday.
"""

import json
import os
import random
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from runners.model.settings import FlySettings, GitHubSettings
from runners.model.timing import Timing

ORGANIZATION = "acme"
REPOSITORIES = ("web", "api", "docs")
APPS = ("acme-runners-a", "acme-runners-b", "acme-runners-c")
REGIONS = ("iad", "ewr", "ord")
MEDIUM_MAX = 10
SMALL_MAX = 6
FLEET_MAX = 14
PROJECT = "fly-gha-demo"
LEAST_S = {"upstream_deadline": 2.0, "launch_deadline": 2.5, "delete_again": 2.5, "destroy_again": 2.5}


@dataclass(frozen=True, slots=True)
class Place:
    """Where one demo lives.

    Attributes:
        folder: holds everything below.
        url: the dispatcher's base URL.
        world: configuration of the simulators.
        fleet: fleet.toml of the dispatcher and the publisher.
        token_file: an API token for the verbs to paste.
    """

    folder: Path
    url: str
    world: Path
    fleet: Path
    dispatcher_secrets: Path
    publisher_secrets: Path
    token_file: Path
    scale: float


def prepare(folder: Path, *, seed: int, scale: float) -> Place:
    """Make the folder's files; an earlier demo's database goes away."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("fleet.db*"):
        old.unlink()
    ports = _free_ports(4)
    place = Place(
        folder=folder,
        url=f"http://127.0.0.1:{ports[3]}",
        world=folder / "world.json",
        fleet=folder / "fleet.toml",
        dispatcher_secrets=folder / "dispatcher.secrets",
        publisher_secrets=folder / "publisher.secrets",
        token_file=folder / "token",
        scale=scale,
    )
    secret = random.SystemRandom().randbytes
    hidden = {name: SecretStr(secret(24).hex()) for name in ("fly", "webhook", "fleet", "reader", "writer")}
    private_key, public_key = _app_key()
    write_private(place.world, json.dumps(_world(place, ports, hidden, public_key, seed), indent=2))
    write_private(place.fleet, _fleet_toml(place, ports))
    write_private(
        place.dispatcher_secrets,
        f"INFISICAL_CLIENT_ID=dispatcher\nINFISICAL_CLIENT_SECRET={hidden['reader'].get_secret_value()}\n",
    )
    write_private(
        place.publisher_secrets,
        f"INFISICAL_CLIENT_ID=publisher\nINFISICAL_CLIENT_SECRET={hidden['writer'].get_secret_value()}\n"
        f'GITHUB_APP_PRIVATE_KEY="{private_key}"\n',
    )
    return place


def _world(
    place: Place, ports: list[int], hidden: dict[str, SecretStr], public_key: str, seed: int
) -> dict[str, Any]:
    value = {name: secret.get_secret_value() for name, secret in hidden.items()}
    return {
        "seed": seed,
        "scale": place.scale,
        "ports": {"fly": ports[0], "github": ports[1], "infisical": ports[2]},
        "fly": {"org_slug": ORGANIZATION, "apps": APPS, "api_token": f"fm2_{value['fly']}"},
        "github": {
            "app_id": 4242,
            "app_public_key": public_key,
            "webhook_url": f"{place.url}/webhooks/github",
            "webhook_secret": value["webhook"],
            "organization": ORGANIZATION,
            "repositories": REPOSITORIES,
        },
        "infisical": {
            "project_id": PROJECT,
            "identities": [
                {"name": "dispatcher", "client_id": "dispatcher", "client_secret": value["reader"]},
                {
                    "name": "publisher",
                    "client_id": "publisher",
                    "client_secret": value["writer"],
                    "role": "writer",
                },
            ],
            "secrets": {
                "FLY_API_TOKEN": f"fm2_{value['fly']}",
                "GITHUB_WEBHOOK_SECRET": value["webhook"],
                "FLY_GHA_FLEET_KEY": value["fleet"],
            },
        },
    }


def _fleet_toml(place: Place, ports: list[int]) -> str:
    """The demo's fleet file: two pools over three apps, every duration divided by the scale."""
    fly, github = FlySettings(), GitHubSettings()
    timing = Timing().scaled(place.scale).model_dump()
    # A real answer from a busy laptop takes what it takes, however fast the simulated time goes.
    timing.update({name: max(timing[name], least) for name, least in LEAST_S.items()})
    # Not latencies of the fleet: how long a real token is still good for, and how far real clocks may differ.
    unscaled = ("token_refresh_margin", "clock_leeway", "clock_skew_max", "retention", "queue_sweep_memory")
    timing.update({name: getattr(Timing(), name) for name in unscaled})
    lines = [f"{name} = {round(value, 4)}" for name, value in timing.items()]
    regions = json.dumps(REGIONS)
    return f"""# Made by `fly-gha demo`: durations are 1/{place.scale:g} of their defaults.
[fleet]
name = "demo"
public_url = "{place.url}"
port = {ports[3]}
database_url = "sqlite:///{place.folder / "fleet.db"}"
max_machines = {FLEET_MAX}
secrets = "infisical"
secrets_file = "{place.dispatcher_secrets}"

[github]
api_url = "http://127.0.0.1:{ports[1]}"
web_url = "http://127.0.0.1:{ports[1]}"
app_id = "4242"
credentials = "published"
organizations = ["{ORGANIZATION}"]
writes_per_minute = {int(github.writes_per_minute * place.scale)}

[fly]
api_hostname = "http://127.0.0.1:{ports[0]}"
org_slug = "{ORGANIZATION}"
oidc_issuer = "http://127.0.0.1:{ports[0]}/oidc/{ORGANIZATION}"
image = "registry.fly.io/{APPS[0]}:demo"
creates_per_second = {fly.creates_per_second * place.scale:g}
create_burst = {int(fly.create_burst * place.scale)}

[infisical]
api_url = "http://127.0.0.1:{ports[2]}"
project_id = "{PROJECT}"
environment = "prod"

[[pools]]
name = "gha-medium"
scope = "orgs/{ORGANIZATION}"
registration = "jit"
apps = {json.dumps(APPS[:2])}
regions = {regions}
max_machines = {MEDIUM_MAX}

[[pools]]
name = "gha-small"
scope = "orgs/{ORGANIZATION}"
registration = "token"
apps = {json.dumps(APPS[2:])}
regions = {regions}
max_machines = {SMALL_MAX}

[timing]
{chr(10).join(lines)}
"""


def _app_key() -> tuple[str, str]:
    """A GitHub App's key pair, as PEM."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


def _free_ports(count: int) -> list[int]:
    """Ports that are free now; all are held at once so that they differ."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text)
