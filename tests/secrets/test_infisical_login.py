"""Logging in to Infisical costs one call, and a wrong secret never locks the client id."""

import asyncio

import httpx
import pytest

from runners.secrets.infisical_login import RETRY_REFUSED_S
from runners.secrets.interface import CredentialMissing, SourceRefused
from runners.secrets.local import FileSecrets
from runners.upstream.errors import ErrorClass, UpstreamError


async def test_many_readers_at_once_log_in_once(world):
    secrets = world.secrets()
    await asyncio.gather(*(secrets.read() for _ in range(8)))
    assert world.logins() == 1


async def test_the_token_is_replaced_at_eighty_percent_of_its_life_and_not_before(world, clock):
    secrets = world.secrets()
    await secrets.read()
    clock.at += 799
    await secrets.read()
    assert world.logins() == 1
    clock.at += 1
    await secrets.read()
    assert world.logins() == 2
    assert not world.sim.journal.of("refused"), "an expired token was never tried"


async def test_a_refused_login_is_final_until_the_secret_changes(world):
    opener = world.opener(client_secret="wrong")
    secrets = world.secrets(opener=opener)
    for _ in range(5):
        with pytest.raises(UpstreamError) as refused:
            await secrets.read()
        assert refused.value.error_class is ErrorClass.REFUSED
        assert refused.value.status == 401
        assert "INFISICAL_CLIENT_SECRET" in refused.value.next_step
        assert opener.where in refused.value.next_step
    assert len(world.sim.journal.of("login_refused")) == 1
    assert not world.sim.journal.of("locked_out")

    opener.values["INFISICAL_CLIENT_SECRET"] = "s3cret-dispatcher"
    assert "FLY_API_TOKEN" in await secrets.read()


async def test_a_refused_secret_is_tried_again_after_ten_minutes_and_still_locks_nothing(world, clock):
    secrets = world.secrets(opener=world.opener(client_secret="mended-at-infisical"))
    for _ in range(5):
        with pytest.raises(UpstreamError) as refused:
            await secrets.read()
        assert refused.value.retry_at == clock.now() + RETRY_REFUSED_S
        clock.at += RETRY_REFUSED_S - 1
        with pytest.raises(UpstreamError):
            await secrets.read()
        clock.at += 1
    assert len(world.sim.journal.of("login_refused")) == 5
    assert not world.sim.journal.of("locked_out")
    world.sim.logins.change_secret("id-dispatcher", "mended-at-infisical")
    assert await secrets.read()


async def test_readers_who_wait_for_a_refused_login_do_not_repeat_it(world):
    secrets = world.secrets(opener=world.opener(client_secret="wrong"))
    answers = await asyncio.gather(*(secrets.read() for _ in range(6)), return_exceptions=True)
    assert all(isinstance(answer, UpstreamError) for answer in answers)
    assert len(world.sim.journal.of("login_refused")) == 1


async def test_readers_who_wait_for_a_failed_login_share_its_failure(world):
    world.sim.faults.add("server_error", action="login")
    secrets = world.secrets()
    answers = await asyncio.gather(*(secrets.read() for _ in range(6)), return_exceptions=True)
    assert {answer.status for answer in answers} == {500}
    assert world.wire.paths() == ["POST /api/v1/auth/universal-auth/login"]
    assert await secrets.read(), "the next reading tries again"


async def test_a_refused_access_token_is_replaced_once_and_the_call_repeated(world):
    secrets = world.secrets()
    world.sim.faults.add("token_refused", action="list")
    assert "FLY_API_TOKEN" in await secrets.read()
    assert world.logins() == 2


async def test_an_access_token_refused_twice_is_an_error_and_no_loop(world):
    secrets = world.secrets()
    world.sim.faults.add("token_refused", times=5, action="list")
    with pytest.raises(UpstreamError) as refused:
        await secrets.read()
    assert (refused.value.status, refused.value.error_class) == (403, ErrorClass.REFUSED)
    assert "TokenError" in refused.value.why
    assert world.logins() == 2


async def test_readers_whose_token_was_refused_together_log_in_once_more(world):
    secrets = world.secrets()
    await secrets.read()
    world.sim.faults.add("token_refused", times=4, action="list")
    await asyncio.gather(*(secrets.read() for _ in range(4)))
    assert world.logins() == 2


async def test_an_ageing_token_carries_over_a_login_that_may_succeed_later(world, clock):
    secrets = world.secrets()
    await secrets.read()
    world.sim.faults.add("server_error", times=2, action="login")
    clock.at += 900
    assert await secrets.read()
    clock.at += 100
    with pytest.raises(UpstreamError) as failed:
        await secrets.read()
    assert (failed.value.status, failed.value.attempted) == (500, "log in to Infisical")
    assert world.sim.faults.unfired() == ()


async def test_a_refused_login_is_told_at_once_though_the_old_token_would_still_do(world, clock):
    secrets = world.secrets()
    await secrets.read()
    world.sim.logins.change_secret("id-dispatcher", "rotated-by-the-operator")
    clock.at += 900
    with pytest.raises(UpstreamError) as refused:
        await secrets.read()
    assert refused.value.error_class is ErrorClass.REFUSED


async def test_a_changed_client_secret_is_used_at_the_next_login_without_a_restart(world, clock):
    opener = world.opener()
    secrets = world.secrets(opener=opener)
    await secrets.read()
    world.sim.logins.change_secret("id-dispatcher", "rotated-by-the-operator")
    opener.values["INFISICAL_CLIENT_SECRET"] = "rotated-by-the-operator"
    clock.at += 900
    assert await secrets.read()
    assert not world.sim.journal.of("login_refused")


async def test_a_reader_who_gives_up_does_not_stop_the_others(world):
    secrets = world.secrets()
    impatient = asyncio.create_task(secrets.read())
    patient = asyncio.create_task(secrets.read())
    await asyncio.sleep(0)
    impatient.cancel()
    assert "FLY_API_TOKEN" in await patient
    with pytest.raises(asyncio.CancelledError):
        await impatient


@pytest.mark.parametrize("name", ["INFISICAL_CLIENT_ID", "INFISICAL_CLIENT_SECRET"])
async def test_a_missing_half_of_the_key_is_named_with_the_place_it_belongs(world, name):
    opener = world.opener()
    opener.values[name] = "  "
    with pytest.raises(CredentialMissing) as missing:
        await world.secrets(opener=opener).read()
    assert (missing.value.name, missing.value.where) == (name, opener.where)
    assert world.wire.sent == []


async def test_a_key_file_that_others_can_read_opens_nothing(world, tmp_path):
    path = tmp_path / "opener.env"
    path.write_text("INFISICAL_CLIENT_ID=id-dispatcher\nINFISICAL_CLIENT_SECRET=s3cret-dispatcher\n")
    path.chmod(0o640)
    with pytest.raises(SourceRefused):
        await world.secrets(opener=FileSecrets(path)).read()
    assert world.wire.sent == []
    path.chmod(0o600)
    assert await world.secrets(opener=FileSecrets(path)).read()


async def test_a_login_without_an_answer_may_be_tried_again(world):
    secrets = world.secrets()
    world.wire.cut = httpx.ConnectError
    with pytest.raises(UpstreamError) as lost:
        await secrets.read()
    assert lost.value.error_class is ErrorClass.TRY_LATER
    assert lost.value.upstream == "infisical"
    world.wire.cut = None
    assert await secrets.read()
