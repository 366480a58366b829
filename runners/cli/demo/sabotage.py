"""Sabotage: makes the demo's world wrong on purpose, to show that the judge sees it and the demo fails.

Each acts on the simulators from outside, behind the product's back, and on things that carry neither our
owner tag nor a name of our form: a fleet must leave those alone.
"""

import secrets

from pydantic import SecretStr

from runners.cli.demo.fleet_text import APPS, ORGANIZATION, SMALL_MAX
from runners.cli.demo.options import Sabotage
from runners.cli.demo.place import Place
from runners.cli.demo.worlds import Worlds
from runners.connections import connect
from runners.fleet_file import load_settings
from runners.upstream.clock import SystemClock


async def sabotage(kind: Sabotage, worlds: Worlds, place: Place) -> None:
    """Make the world wrong."""
    connections = connect(load_settings(place.fleet, {}), SystemClock(), {})
    try:
        await connections.vault.refresh()
        if kind is Sabotage.GHOST:
            await _ghost(worlds, await connections.github.registration_token(f"orgs/{ORGANIZATION}"))
        else:
            count = 1 if kind is Sabotage.LEAK else SMALL_MAX + 1
            await _machines(worlds, connections.vault.require("FLY_API_TOKEN"), count)
    finally:
        await connections.close()


async def _machines(worlds: Worlds, token: SecretStr, count: int) -> None:
    """Machines that no fleet asked for; they say that they belong to a pool, but not to our fleet."""
    for _ in range(count):
        body = {
            "name": f"sabotage-{secrets.token_hex(4)}",
            "region": "ewr",
            "skip_launch": True,
            "config": {"image": "registry.fly.io/sabotage:1", "metadata": {"fly_gha_pool": "gha-small"}},
        }
        url = f"{worlds.urls['fly']}/v1/apps/{APPS[2]}/machines"
        headers = {"Authorization": f"FlyV1 {token.get_secret_value()}"}
        (await worlds.http.post(url, json=body, headers=headers)).raise_for_status()


async def _ghost(worlds: Worlds, token: SecretStr) -> None:
    """A registration that no runner will ever use."""
    body = {
        "url": f"{worlds.urls['github']}/{ORGANIZATION}",
        "name": "sabotage",
        "labels": ["sabotage"],
        "runner_group": "Default",
        "ephemeral": True,
    }
    headers = {"Authorization": f"RemoteAuth {token.get_secret_value()}"}
    url = f"{worlds.urls['github']}/_runner/register"
    (await worlds.http.post(url, json=body, headers=headers)).raise_for_status()
