"""Infisical: the fleet's folder is read; one secret in a folder of its own is written."""

import os
import secrets

import httpx
import pytest
from live_settings import BLIND_FILE, WRITER_FILE, WRITER_PATH, told
from pydantic import SecretStr

from runners.connections import ALWAYS_NEEDED, connect
from runners.secrets.infisical import LIST_PATH
from runners.upstream.clock import SystemClock
from runners.upstream.errors import UpstreamError

PROBE = "FLY_GHA_LIVE_PROBE"


def settings_as(settings, secrets_file, path=None):
    """The fleet's settings for another identity, and perhaps another folder."""
    fleet = settings.fleet.model_copy(update={"secrets_file": secrets_file})
    folder = settings.infisical.model_copy(update={"path": path or settings.infisical.path})
    return settings.model_copy(update={"fleet": fleet, "infisical": folder})


@pytest.fixture
def keeps_secrets_there(live):
    if live.settings.fleet.secrets != "infisical":
        pytest.skip('fleet.secrets is not "infisical" in FLY_GHA_LIVE_CONFIG')


@pytest.mark.usefixtures("keeps_secrets_there")
@pytest.mark.only_reality("whether Infisical answers an unchanged folder with 304")
async def test_the_fleets_folder_is_read_with_its_values_and_again(live):
    source = live.connections.source
    first = await source.read()
    assert set(ALWAYS_NEEDED.values()) <= set(first)
    assert all(first[name].get_secret_value().strip() for name in ALWAYS_NEEDED.values())
    tagged = reads(live)[-1].headers.get("etag")
    again = await source.read()
    assert {name: value.get_secret_value() for name, value in again.items()} == {
        name: value.get_secret_value() for name, value in first.items()
    }
    live.say(f"a folder read again was answered {reads(live)[-1].status}; it had an ETag: {bool(tagged)}")


@pytest.mark.needs(WRITER_FILE, WRITER_PATH)
@pytest.mark.usefixtures("keeps_secrets_there")
async def test_what_the_writer_writes_is_read_back_and_a_change_is_noticed(live):
    settings = settings_as(live.settings, told(WRITER_FILE), told(WRITER_PATH))
    assert settings.infisical.path != live.settings.infisical.path, f"{WRITER_PATH} is the fleet's own folder"
    connections = connect(settings, SystemClock(), os.environ)
    try:
        for _ in range(2):
            value = secrets.token_urlsafe(24)
            await connections.source.write(PROBE, SecretStr(value))
            assert (await connections.source.read())[PROBE].get_secret_value() == value
    finally:
        await connections.close()


@pytest.mark.needs(BLIND_FILE)
@pytest.mark.usefixtures("keeps_secrets_there")
@pytest.mark.only_reality("that a value one may not see comes with status 200")
async def test_a_value_that_is_hidden_is_an_error_and_no_credential(live):
    connections = connect(settings_as(live.settings, told(BLIND_FILE)), SystemClock(), os.environ)
    try:
        with pytest.raises(UpstreamError, match="hidden"):
            await connections.source.read()
    finally:
        await connections.close()


def reads(live):
    """Every reading of the folder."""
    return [each for each in live.exchanges if httpx.URL(str(each.request.url)).path == LIST_PATH]
