"""No secret value, plain or in base64, reaches a log, an error, a repr, a journal or a traceback."""

import base64
import json
import logging
import traceback

import httpx
import pytest
from pydantic import SecretStr

from runners.model.settings import PoolSettings
from runners.secrets.github_tokens import PublishedTokens
from runners.secrets.interface import CredentialMissing, SourceRefused, Vault
from runners.secrets.local import FileSecrets
from runners.secrets.publisher import publish_once
from runners.upstream.errors import UpstreamError

MARKER = "mark3r-that-must-not-show"
# Base64 of a text depends on where it begins in a group of three: each of the three inner forms is sought.
ENCODED = [base64.b64encode(b"x" * shift + MARKER.encode()).decode()[4:-4] for shift in range(3)]

ARMED = [
    ("server_error", "login"),
    ("rate_limited", "login"),
    ("server_error", "list"),
    ("rate_limited", "list"),
    ("token_refused", "list"),
    ("server_error", "update"),
    ("token_refused", "update"),
    ("change_policy", "update"),
]


class App:
    async def refuses(self, token):
        return False

    async def installation_token(self, owner, permissions):
        return SecretStr(f"ghs_{MARKER}"), 0.0

    async def registration_token(self, scope):
        return SecretStr(f"A{MARKER}"), 0.0


def _assert_clean(text: str) -> None:
    for form in (MARKER, *ENCODED):
        assert form not in text


@pytest.fixture
def shown(caplog) -> list[str]:
    """Collects everything that is shown; looked through at the end, with every log line of every library."""
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []
    yield texts
    assert texts
    _assert_clean("\n".join([*texts, caplog.text]))


async def _show(shown: list[str], call) -> None:
    try:
        shown.append(repr(await call))
    except (UpstreamError, CredentialMissing, SourceRefused) as failed:
        shown += [str(failed), repr(failed), repr(failed.args), repr(vars(failed))]
        shown.append("".join(traceback.format_exception(failed)))


@pytest.mark.parametrize(("kind", "action"), ARMED)
async def test_whatever_infisical_answers_no_value_is_shown(world, clock, shown, kind, action):
    world.sim.logins.change_secret("id-publisher", f"client-{MARKER}")
    world.sim.rotate("FLY_API_TOKEN", f"fly-{MARKER}")
    world.sim.rotate(
        "GITHUB_INSTALLATION_TOKEN_ACME", json.dumps({"token": f"ghs_{MARKER}", "expires_at": 0})
    )
    world.sim.faults.add(kind, times=9, action=action)
    opener = world.opener("publisher", client_secret=f"client-{MARKER}")
    secrets = world.secrets(opener=opener)
    vault = Vault(secrets, clock, period=30)
    pool = PoolSettings(name="a", scope="orgs/acme", registration="token", apps=("app-a",))
    tokens = PublishedTokens(vault, clock)

    await _show(shown, vault.refresh())
    await _show(shown, secrets.read())
    await _show(shown, secrets.write("FLY_API_TOKEN", SecretStr(f"new-{MARKER}")))
    await _show(shown, publish_once([pool], app=App(), secrets=secrets, clock=clock, margin=600))
    await _show(shown, tokens.token("acme"))
    shown += [repr(vault), repr(vars(vault)), repr(vars(secrets)), repr(vars(secrets._calls)), repr(tokens)]
    shown.append(repr(vars(secrets._calls._login)))
    shown += [
        json.dumps(list(world.sim.journal)),
        json.dumps(world.sim.state()),
        repr(world.sim.faults.all()),
    ]


@pytest.mark.parametrize("cut", [httpx.ConnectError, httpx.ReadTimeout, httpx.DecodingError])
async def test_a_cut_connection_shows_no_value(world, clock, shown, cut):
    secrets = world.secrets(opener=world.opener("publisher", client_secret=MARKER))
    world.sim.logins.change_secret("id-publisher", MARKER)
    await _show(shown, secrets.read())
    world.wire.cut = cut
    await _show(shown, secrets.write("FLY_API_TOKEN", SecretStr(MARKER)))
    clock.at += 10_000
    await _show(shown, secrets.read())


async def test_a_refused_client_secret_is_not_shown(world, shown):
    secrets = world.secrets(opener=world.opener(client_secret=MARKER))
    for _ in range(4):
        await _show(shown, secrets.read())
    shown.append(json.dumps(list(world.sim.journal)))


async def test_an_answer_of_the_wrong_shape_is_not_shown(world, shown):
    secrets = world.secrets()
    world.wire.inner = httpx.MockTransport(
        lambda _: httpx.Response(
            200,
            json={"accessToken": {"oops": MARKER}, "expiresIn": MARKER, MARKER: MARKER, "secrets": MARKER},
        )
    )
    await _show(shown, secrets.read())


async def test_a_secrets_file_is_not_shown_whatever_is_wrong_with_it(tmp_path, shown):
    path = tmp_path / "secrets.env"
    for text, mode in (
        (f"A={MARKER}", 0o644),
        (f"{MARKER}", 0o600),
        (f'A="{MARKER}', 0o600),
        (f"A={MARKER}", 0o600),
    ):
        path.write_text(text)
        path.chmod(mode)
        await _show(shown, FileSecrets(path).read())
