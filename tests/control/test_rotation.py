"""Rotation without a restart: what was put in the old one's place is in force a period later.

The fleet key's is in tests/registration/test_claim_seal.py.
"""

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from runners.model.reason import Reason
from runners.model.timing import Timing
from tests.fleet_world import (
    APP_ID,
    APP_KEY,
    WEBHOOK_SECRET,
    open_world,
    pool,
    private_pem,
    public_pem,
)

NEW_APP_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
SECRET = "GITHUB_WEBHOOK_SECRET"
CREATE = "/machines$"


async def a_period_later(world):
    world.clock.time += world.settings.timing.credentials_period
    await world.first_readings(world.fleet)


def test_a_rotation_is_noticed_within_a_minute():
    assert Timing().credentials_period <= 60


async def test_a_rotated_fly_token_is_used_with_the_next_call(world):
    world.fly._gate._token = "fm2_rotated"  # the old one is revoked at Fly
    world.environ["FLY_API_TOKEN"] = "fm2_rotated"
    await a_period_later(world)
    await world.booted("build")
    assert world.net.count("POST", CREATE) == 1
    assert not await world.events(reason=Reason.LAUNCH_REFUSED)


@pytest.mark.parametrize("signs_with", ["the-new-webhook-secret", WEBHOOK_SECRET])
async def test_while_the_webhook_secret_is_rotated_github_may_sign_with_either(world, signs_with):
    world.environ[SECRET], world.environ[f"{SECRET}_PREVIOUS"] = "the-new-webhook-secret", WEBHOOK_SECRET
    await a_period_later(world)
    world.github.webhooks.secret = signs_with
    (job,) = await world.arrive("build")
    assert await world.job(job.id) is not None
    del world.environ[f"{SECRET}_PREVIOUS"]
    await a_period_later(world)
    (later,) = await world.arrive("later")
    assert (await world.job(later.id) is not None) is (signs_with != WEBHOOK_SECRET)


async def test_a_rotated_app_key_mints_the_next_token_and_the_last_one_lives_on(tmp_path):
    github = {"credentials": "app", "app_id": str(APP_ID)}
    async with open_world(tmp_path, pools=[pool()], github=github) as world:
        world.environ["GITHUB_APP_PRIVATE_KEY"] = private_pem(APP_KEY)
        await a_period_later(world)
        before = world.net.count("POST", "/access_tokens$")
        world.environ["GITHUB_APP_PRIVATE_KEY"] = private_pem(NEW_APP_KEY)
        world.github.tokens._key = public_pem(NEW_APP_KEY)  # the old key is deleted at GitHub
        await a_period_later(world)
        await world.read_lists()
        assert world.net.count("POST", "/access_tokens$") == before
        world.clock.time += 3600
        await a_period_later(world)
        assert world.fleet.missing_credentials() == {}
        assert world.net.count("POST", "/access_tokens$") == before + 1


async def test_a_rotated_infisical_secret_is_used_with_the_next_login(tmp_path):
    async with open_world(tmp_path, fleet={"secrets": "infisical"}) as world:
        world.environ |= {
            "INFISICAL_CLIENT_ID": "id-dispatcher",
            "INFISICAL_CLIENT_SECRET": "s3cret-dispatcher",
        }
        await a_period_later(world)
        assert world.fleet.missing_credentials() == {}
        world.infisical.logins.change_secret("id-dispatcher", "rotated")
        world.environ["INFISICAL_CLIENT_SECRET"] = "rotated"
        world.infisical.faults.add("token_refused")  # the old secret's tokens end with it
        await a_period_later(world)
        assert world.fleet._loop("credentials").health.last_error == ""
        assert not world.infisical.journal.of("login_refused")
