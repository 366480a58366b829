"""Scripts for the small world: pools, demand, misfortunes and operators, all drawn from one seed."""

import random
from dataclasses import fields
from typing import Any

from runners.model.snapshot import Pool
from runners.model.states import JobState
from runners.model.timing import Timing
from tests.planning.builders import IMAGE, pool
from tests.properties.things import Luck, SpareLuck, VolumeLuck
from tests.properties.world import START, World

DEMAND_ENDS = 1900.0
TIMING = Timing(max_lifetime=7200, spare_max_age=1800)


def scripted_world(seed: int) -> World:
    """A world in which much goes wrong until demand ends; then its pools keep no spares."""
    dice = random.Random(seed)
    lots, other_lots = random.Random(f"spares of {seed}"), random.Random(f"luck with volumes of {seed}")
    caps = {"web": dice.choice([2, 4, 8]), "big": dice.choice([1, 3, 5])}
    spares = {
        "web": {"ready": dice.choice([0, 0, 2]), "stopped": dice.choice([0, 3])},
        "big": {"ready": dice.choice([0, 1]), "stopped": dice.choice([0, 2])},
    }
    kind = dice.choice(["jit", "token", "auto"])

    def pools(*, spare: bool = True, drained: bool = False) -> tuple[Pool, ...]:
        kept: dict[str, Any] = spares if spare else {"web": {}, "big": {}}
        return (
            pool(
                "web",
                apps=("a", "b"),
                regions=("iad", "ord"),
                max_machines=caps["web"],
                drained=drained,
                **kept["web"],
            ),
            pool("big", apps=("b",), max_machines=caps["big"], registration=kind, **kept["big"]),
        )

    world = World(
        pools(),
        TIMING,
        Luck(**{each.name: dice.choice([0, 0, 0, 0.1, 0.3]) for each in fields(Luck)}),
        seed,
        spare_luck=SpareLuck(**{each.name: lots.choice([0, 0, 0.2, 0.6]) for each in fields(SpareLuck)}),
        volume_luck=VolumeLuck(**{each.name: other_lots.choice([0, 0, 0.3]) for each in fields(VolumeLuck)}),
        max_machines=dice.choice([3, 6, 20]),
        writes_per_minute=dice.choice([4, 20, 150]),
    )
    for number in range(dice.choice([1, 5, 15])):
        _demand(world, dice, number)
    if dice.random() < 0.3:
        dark = START + dice.uniform(0, 600)
        world.blind = lambda at: dark < at < dark + 3600
    if dice.random() < 0.4:
        world.at(dice.uniform(10, 800), lambda: _set(world, pools(drained=True)))
        world.at(1500, lambda: _set(world, pools()))
    if dice.random() < 0.3:
        world.at(
            dice.uniform(10, 800), lambda: setattr(world.rows, "image", IMAGE.replace("a" * 64, "b" * 64))
        )
    if lots.random() < 0.3:
        world.at(lots.uniform(10, 800), lambda: world.rows.fingerprints.update(web="f-2"))
    if dice.random() < 0.3:
        world.at(dice.uniform(10, 800), lambda: _remove(world, "big"))
        world.at(1800, lambda: _set(world, pools()))

    def close() -> None:
        if all(job.state is JobState.COMPLETED for job in world.hub.values()):
            _set(world, pools(spare=False))
        else:
            world.at(60, close)

    world.at(DEMAND_ENDS, close)
    return world


def _demand(world: World, dice: random.Random, number: int) -> None:
    of, seconds = dice.choice(["web", "big"]), dice.uniform(5, 300)
    later = dice.choice([0, 0, 0, 0, 400])
    branch = dice.choice(["main", "main", "gh-readonly-queue/main/pr-1"])
    at = dice.choice([0.0, dice.uniform(0, 900)])
    world.at(at, lambda: world.queue(number, of, seconds=seconds, dispatch_after=later, branch=branch))
    if dice.random() < 0.15:
        world.at(at + dice.uniform(1, 30), lambda: world.cancel(number))


def _set(world: World, pools: tuple[Pool, ...]) -> None:
    world.pools = pools


def _remove(world: World, name: str) -> None:
    """A pool leaves fleet.toml, and its queued jobs are cancelled: nobody would serve them."""
    for job in world.hub.values():
        if job.pool == name:
            world.cancel(job.id)
    world.pools = tuple(each for each in world.pools if each.name != name)
