"""Nothing is made or changed here: what a fleet reads can be read."""

import json
import os
from pathlib import Path

import pytest
from live_settings import CONFIG, told

from fly.keys import ALGORITHMS, SigningKeys
from runners.cli.doctor.command import judged
from runners.cli.doctor.finding import Verdict
from runners.cli.doctor.gather import gather
from runners.fleet_file import load_settings
from runners.upstream.clock import SystemClock


async def test_the_doctor_finds_nothing_wrong():
    facts = await gather(load_settings(Path(told(CONFIG))), os.environ, SystemClock(), as_app=False)
    wrong = [each for each in judged(facts) if each.verdict is Verdict.FAILED]
    assert not wrong, "\n".join(f"{each.about}: {each.detail}; next: {each.next_step}" for each in wrong)


async def test_every_list_that_the_loops_read_can_be_read(live):
    pools = live.settings.pools
    for app in sorted({app for pool in pools for app in pool.apps}):
        found = await live.connections.provider.list(app)
        assert all(each.app == app for each in found)
    for scope in sorted({pool.scope for pool in pools}):
        found = await live.connections.github.list_runners(scope)
        assert [each.github_id for each in found] == sorted(each.github_id for each in found)


@pytest.mark.only_reality("where Fly's signing keys are, and which algorithm they are for")
async def test_the_keys_of_machine_tokens_are_found_by_discovery(live):
    keys = SigningKeys(live.http(), live.settings.fly.issuer)
    assert await keys.find("a key that nobody has", SystemClock().now()) is None
    discovery, jwks = (json.loads(each.body) for each in live.exchanges[-2:])
    assert discovery["issuer"] == live.settings.fly.issuer
    usable = [key for key in jwks["keys"] if ALGORITHMS.get(key.get("alg", "")) == key.get("kty")]
    assert usable, "no key says an algorithm that claims are checked with"
    assert all(key["kid"] for key in usable)
    live.say(f"{discovery['jwks_uri']} has {[(key.get('kty'), key.get('alg')) for key in jwks['keys']]}")
