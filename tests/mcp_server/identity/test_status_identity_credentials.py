"""Credentials that this server must not hold: found by name and by value, refused or dropped, never shown."""

import base64
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mcp_server.credentials import (
    LISTED,
    OWN_TOKEN,
    SECRET_PREFIXES,
    CredentialsPresent,
    found,
    looks_secret,
    refuse_or_drop,
)
from runners.secrets.names import CREDENTIALS, installation_token_name, registration_token_name

ROOT = Path(__file__).resolve().parents[3]
OWN = "fgr_abcdefgh_" + "A" * 43
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJmbHkifQ.c2lnbmF0dXJl"
SERVICE_TOKEN = "st.6472f1e2a1b2c3d4e5f60718.0123456789abcdef.0123456789abcdef"
WHOLE = {
    "v1.": "v1." + "0123456789abcdef" * 2 + "01234567",
    "st.": SERVICE_TOKEN,
    "eyJ": JWT,
    "eyIu": base64.b64encode(b'{".runner": "eyJ", ".credentials": "eyJ"}').decode(),
    "-----BEGIN ": PEM,
}
TOKENS = [WHOLE.get(prefix, f"{prefix}Ab3{'x' * 30}") for prefix in SECRET_PREFIXES]
FLY_MACHINE = {
    "FLY_APP_NAME": "acme-status",
    "FLY_MACHINE_ID": "148e21ea7e9089",
    "FLY_REGION": "fra",
    "FLY_IMAGE_REF": "acme-status:deployment-01",
    "FLY_API_SOCKET": "/.fly/api",
    "FLY_GHA_STATUS_AUDIT_DIR": "/data/audit",
    "FLY_GHA_STATUS_TOKENS_FILE": "/data/tokens.json",
    "FLY_GHA_STATUS_TOKEN_FILE": "/run/token",
    "PRIMARY_REGION": "fra",
}
HARMLESS_TEXT = [
    "",
    "main",
    "st. petersburg",
    "st.patch-1",
    "v1.2.3",
    "eyJ",
    "eyJust-a-branch",
    "build/fm2_io",
    "the fgr_ form",
    "https://example.org/ghp_x",
    "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
    "d670460b4b4aece5915caf5c68d12f560a9fe3e4",
    "lights_on",
    "token",
]


@pytest.mark.parametrize("name", sorted(CREDENTIALS))
def test_every_credential_of_the_dispatcher_is_an_offence_by_its_name_alone(name):
    (offence,) = found({name: "x"})
    assert offence.name == name
    assert offence.why


@pytest.mark.parametrize(
    "name",
    [
        *(pattern.replace("*", "X") for pattern in LISTED),
        installation_token_name("acme"),
        registration_token_name("repos/acme/web"),
        "FLY_API_TOKEN",
        "FLY_ACCESS_TOKEN",
        "GITHUB_TOKEN",
        "GH_TOKEN",
        "GH_ENTERPRISE_TOKEN",
        "FLY_GHA_TOKEN",
        "FLY_GHA_TOKEN_FILE",
        "ACTIONS_RUNTIME_TOKEN",
        "ACTIONS_RUNNER_INPUT_JITCONFIG",
        "INFISICAL_TOKEN",
        "INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET",
        "github_token",
    ],
)
def test_a_listed_name_is_an_offence_whatever_its_value(name):
    assert [each.name for each in found({name: "anything"})] == [name]


@pytest.mark.parametrize("token", TOKENS, ids=SECRET_PREFIXES)
@pytest.mark.parametrize(
    "around",
    ["{}", "  {}\n", '"{}"', "Bearer {}", "token {}", '{{"token":"{}"}}', "https://x-access-token:{}@h/"],
)
def test_a_value_that_begins_like_a_credential_or_has_one_inside_is_an_offence(token, around):
    value = around.format(token)
    assert looks_secret(value)
    assert [each.name for each in found({"INNOCENT": value})] == ["INNOCENT"]


@pytest.mark.parametrize("prefix", [each for each in SECRET_PREFIXES if each not in WHOLE])
def test_a_prefix_that_speaks_for_itself_needs_nothing_after_it(prefix):
    assert looks_secret(prefix)


@pytest.mark.parametrize("text", HARMLESS_TEXT)
def test_ordinary_text_is_no_credential(text):
    assert not looks_secret(text)


def test_what_a_fly_machine_finds_in_its_environment_is_no_offence():
    assert found({**FLY_MACHINE, OWN_TOKEN: OWN, "INFISICAL_API_URL": "https://infisical.example.org"}) == ()


def test_an_empty_variable_holds_nothing():
    assert found({"FLY_API_TOKEN": "", "GITHUB_TOKEN": " \n"}) == ()


@pytest.mark.parametrize("value", [token for token in TOKENS if not token.startswith("fgr_")])
def test_another_credential_in_the_place_of_our_own_is_an_offence(value):
    assert [each.name for each in found({OWN_TOKEN: value})] == [OWN_TOKEN]


def test_a_second_token_of_the_dispatcher_under_another_name_is_an_offence():
    assert [each.name for each in found({OWN_TOKEN: OWN, "SPARE": OWN})] == ["SPARE"]


@pytest.mark.parametrize("token", TOKENS)
def test_over_http_a_credential_is_refused_and_never_shown(token):
    environ = {"INNOCENT": token, "FLY_API_TOKEN": token}
    said = []
    with pytest.raises(CredentialsPresent) as refused:
        refuse_or_drop(environ, "http", said.append)
    text = str(refused.value) + repr(refused.value) + repr(refused.value.offences)
    assert token not in text
    assert "FLY_API_TOKEN" in text
    assert "INNOCENT" in text
    assert environ == {"INNOCENT": token, "FLY_API_TOKEN": token}
    assert said == []


def test_on_standard_input_credentials_are_dropped_and_the_person_is_told_which():
    environ = {"INNOCENT": TOKENS[0], "FLY_API_TOKEN": "x", "PATH": "/bin", OWN_TOKEN: OWN}
    said = []
    dropped = refuse_or_drop(environ, "stdio", said.append)
    assert environ == {"PATH": "/bin", OWN_TOKEN: OWN}
    assert [each.name for each in dropped] == ["FLY_API_TOKEN", "INNOCENT"]
    assert len(said) == 1
    assert "FLY_API_TOKEN" in said[0]
    assert TOKENS[0] not in said[0]


@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_a_clean_environment_is_left_alone_in_silence(transport):
    said = []
    environ = {"PATH": "/bin", OWN_TOKEN: OWN}
    assert refuse_or_drop(environ, transport, said.append) == ()
    assert environ == {"PATH": "/bin", OWN_TOKEN: OWN}
    assert said == []


def test_what_was_dropped_reaches_no_child():
    script = (
        "import os, subprocess, sys\n"
        "from mcp_server.credentials import refuse_or_drop\n"
        "refuse_or_drop(os.environ, 'stdio', lambda line: print(line, file=sys.stderr))\n"
        "subprocess.run(['/usr/bin/env'], check=True)\n"
    )
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "GH_TOKEN": "ghp_" + "z" * 36}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    assert "GH_TOKEN" in done.stderr
    assert "ghp_" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "unit", ["-eyJ", "eyJa.", "ghp_", "-st.0", "-----BEGIN ", "FlyV1 ", " ", "LS0tLS1CRUdJTiB"]
)
def test_no_text_of_a_request_makes_the_search_slow(unit):
    text = unit * (64 * 1024 // len(unit))
    began = time.perf_counter()
    looks_secret(text)
    looks_secret("x" + text)
    assert time.perf_counter() - began < 2
