"""Place: the demo's folder with its fleet.toml, its world file and its secrets, all made anew for one run."""

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

from runners.cli.demo.fleet_text import APPS, ORGANIZATION, PROJECT, Addresses, fleet_text
from runners.cli.demo.options import Credentials, Variant

APP_ID = 4242
PLAIN = Variant()
REPOSITORIES = ("web", "api", "docs")
# The last one is part of every credential that GitHub mints.
SECRETS = ("fly", "webhook", "fleet", "reader", "writer", "minted")


@dataclass(frozen=True, slots=True)
class Place:
    """Where one demo lives.

    Attributes:
        folder: holds everything below.
        url: the dispatcher's base URL.
        world: configuration of the simulators.
        fleet: fleet.toml of the dispatcher and the publisher.
        token_file: an API token for the verbs to paste.
        variant: which fleet it is.
    """

    folder: Path
    url: str
    world: Path
    fleet: Path
    dispatcher_secrets: Path
    publisher_secrets: Path
    token_file: Path
    scale: float
    variant: Variant


def prepare(folder: Path, *, seed: int, scale: float, variant: Variant = PLAIN) -> Place:
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
        variant=variant,
    )
    secret = random.SystemRandom().randbytes
    hidden = {name: SecretStr(secret(24).hex()) for name in SECRETS}
    key_pair = _app_key()
    write_private(place.world, json.dumps(_world(place, ports, hidden, key_pair, seed), indent=2))
    addresses = Addresses(place.url, *(f"http://127.0.0.1:{port}" for port in ports[:3]))
    write_private(
        place.fleet, fleet_text(addresses, place.dispatcher_secrets, folder / "fleet.db", variant, scale)
    )
    write_private(
        place.dispatcher_secrets,
        f"INFISICAL_CLIENT_ID=dispatcher\nINFISICAL_CLIENT_SECRET={hidden['reader'].get_secret_value()}\n",
    )
    if variant.credentials is Credentials.PUBLISHED:
        write_private(
            place.publisher_secrets,
            f"INFISICAL_CLIENT_ID=publisher\nINFISICAL_CLIENT_SECRET={hidden['writer'].get_secret_value()}\n"
            f'GITHUB_APP_PRIVATE_KEY="{key_pair.private.get_secret_value()}"\n',
        )
    return place


@dataclass(frozen=True, slots=True)
class _KeyPair:
    """The GitHub App's keys, as PEM."""

    private: SecretStr
    public: str


def _world(
    place: Place, ports: list[int], hidden: dict[str, SecretStr], key_pair: _KeyPair, seed: int
) -> dict[str, Any]:
    value = {name: secret.get_secret_value() for name, secret in hidden.items()}
    mode, private_key = place.variant.credentials, key_pair.private.get_secret_value()
    held_by_the_dispatcher = {"GITHUB_APP_PRIVATE_KEY": private_key} if mode is Credentials.APP else {}
    leased = {"name": f"github-{ORGANIZATION}", "private_key": private_key}
    return {
        "seed": seed,
        "scale": place.scale,
        "ports": {"fly": ports[0], "github": ports[1], "infisical": ports[2]},
        "fly": {"org_slug": ORGANIZATION, "apps": APPS, "api_token": f"fm2_{value['fly']}"},
        "github": {
            "app_id": APP_ID,
            "app_public_key": key_pair.public,
            "webhook_url": f"{place.url}/webhooks/github",
            "webhook_secret": value["webhook"],
            "organization": ORGANIZATION,
            "repositories": REPOSITORIES,
            "marker": value["minted"],
        },
        "infisical": {
            "project_id": PROJECT,
            "project_slug": PROJECT,
            "dynamic_secrets": [leased] if mode is Credentials.LEASE else [],
            "identities": [
                {
                    "name": "dispatcher",
                    "client_id": "dispatcher",
                    "client_secret": value["reader"],
                    "role": "lessee" if mode is Credentials.LEASE else "reader",
                },
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
                **held_by_the_dispatcher,
            },
        },
    }


def _app_key() -> _KeyPair:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return _KeyPair(SecretStr(private.decode()), public.decode())


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
