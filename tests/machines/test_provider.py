"""The provider over a Fly that answers, refuses, hangs and loses answers; only the network is faked."""

import asyncio
import inspect
import json

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from fly import errors
from machines.classes import load_classes
from machines.meanings import MEANINGS, as_upstream_error
from machines.provider import IdentityError, LaunchOrder, Provider, upstream_key
from runners.upstream.errors import ErrorClass, UpstreamError
from runners.upstream.transport import BreakerOpen, UpstreamTransport

NOW = 1_760_000_000.0
ISSUER = "https://oidc.fly.io/acme"
URL = "https://gha.acme.example"
TOKEN = "FlyV1 fm2_verysecret"

ORDER = LaunchOrder(
    name="fleet-1",
    app="runners-a",
    region="iad",
    pool="gha-small",
    machine_class="gha-xlarge",
    image="registry.fly.io/r@sha256:" + "a" * 64,
    fleet="fleet",
    url=URL,
    start=True,
    claim_deadline_s=600,
    clock_skew_max_s=300,
)


def machine(machine_id="148ed193f01189", **changes):
    full = {
        "id": machine_id,
        "name": "fleet-1",
        "state": "created",
        "region": "iad",
        "created_at": "2026-01-01T00:00:00Z",
        "host_status": "ok",
        "config": {"metadata": {"fly_gha_fleet": "fleet", "fly_gha_pool": "gha-small"}},
        "events": [],
    }
    full.update(changes)
    return full


def taken(machine_id="148ed193f01189"):
    text = f'unique machine name violation, machine ID {machine_id} already exists with name "fleet-1"'
    return httpx.Response(409, json={"error": text})


class StillClock:
    def now(self):
        return NOW

    async def sleep(self, seconds):
        raise AssertionError(seconds)


class Fly:
    """Routes "METHOD path" to canned answers or errors and keeps what was asked."""

    def __init__(self):
        self.routes = {}
        self.asked = []
        self.deadline = 5.0
        self.hang = False

    async def handle(self, request):
        line = f"{request.method} {request.url.path}"
        self.asked.append(line)
        if self.hang:
            await asyncio.Event().wait()
        answer = self.routes[line]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    def provider(self):
        transport = UpstreamTransport(
            "fly", httpx.MockTransport(self.handle), StillClock(), deadline=self.deadline, key=upstream_key
        )
        return Provider(
            httpx.AsyncClient(transport=transport),
            StillClock(),
            load_classes(),
            token=lambda: SecretStr(TOKEN),
            issuer=ISSUER,
            audience=URL,
            leeway=10,
            base_url="https://fly.test",
        )


APP = "/v1/apps/runners-a/machines"
ONE = f"{APP}/148ed193f01189"


@pytest.fixture
def fly():
    return Fly()


async def failure(call):
    with pytest.raises(UpstreamError) as caught:
        await call
    assert "verysecret" not in str(caught.value)
    assert caught.value.next_step
    assert caught.value.upstream == "fly"
    return caught.value


async def test_a_launch_returns_the_machine_as_fly_shows_it(fly):
    fly.routes[f"POST {APP}"] = machine()
    found = await fly.provider().launch(ORDER)
    assert (found.fly_id, found.name, found.app, found.region) == (
        "148ed193f01189",
        "fleet-1",
        "runners-a",
        "iad",
    )
    assert (found.state, found.host_ok, found.fleet, found.ended) == ("created", True, "fleet", False)
    assert fly.asked == [f"POST {APP}"]


async def test_a_taken_name_adopts_the_machine_that_has_it(fly):
    fly.routes[f"POST {APP}"] = taken()
    fly.routes[f"GET {ONE}"] = machine(state="started")
    found = await fly.provider().launch(ORDER)
    assert (found.fly_id, found.state) == ("148ed193f01189", "started")


async def test_a_taken_name_whose_id_cannot_be_read_is_looked_up_by_name(fly):
    fly.routes[f"POST {APP}"] = httpx.Response(409, json={"error": "unique machine name violation"})
    fly.routes[f"GET {APP}"] = [machine("m0", name="other"), machine("m1", state="destroyed"), machine("m2")]
    assert (await fly.provider().launch(ORDER)).fly_id == "m2"


async def test_a_name_taken_by_another_fleet_is_refused(fly):
    fly.routes[f"POST {APP}"] = taken()
    fly.routes[f"GET {ONE}"] = machine(config={"metadata": {"fly_gha_fleet": "theirs"}})
    error = await failure(fly.provider().launch(ORDER))
    assert (error.error_class, error.status, error.answered) == (ErrorClass.REFUSED, 409, True)


async def test_a_taken_name_on_a_silent_host_is_adopted_since_its_tags_cannot_be_read(fly):
    fly.routes[f"POST {APP}"] = taken()
    fly.routes[f"GET {ONE}"] = machine(config=None, incomplete_config=None, host_status="unreachable")
    found = await fly.provider().launch(ORDER)
    assert (found.fly_id, found.host_ok, found.fleet) == ("148ed193f01189", False, None)


async def test_when_the_holder_of_a_taken_name_cannot_be_read_the_launch_is_in_doubt(fly):
    fly.routes[f"POST {APP}"] = taken()
    fly.routes[f"GET {ONE}"] = httpx.Response(503)
    error = await failure(fly.provider().launch(ORDER))
    assert (error.error_class, error.answered) == (ErrorClass.TRY_LATER, False)


async def test_a_taken_name_that_nobody_has_is_refused(fly):
    fly.routes[f"POST {APP}"] = httpx.Response(409, json={"error": "unique machine name violation"})
    fly.routes[f"GET {APP}"] = []
    assert (await failure(fly.provider().launch(ORDER))).error_class is ErrorClass.REFUSED


async def test_an_unknown_class_is_our_fault_and_nothing_is_sent(fly):
    order = LaunchOrder(
        **{name: getattr(ORDER, name) for name in ORDER.__slots__} | {"machine_class": "gha-huge"}
    )
    error = await failure(fly.provider().launch(order))
    assert error.error_class is ErrorClass.OUR_FAULT
    assert "gha-huge" in error.why
    assert "gha-small" in error.why
    assert fly.asked == []


async def test_a_create_that_never_answers_is_in_doubt_at_the_deadline(fly):
    fly.hang = True
    fly.deadline = 0.02
    error = await failure(fly.provider().launch(ORDER))
    assert (error.error_class, error.answered, error.status) == (ErrorClass.TRY_LATER, False, None)
    assert fly.asked == [f"POST {APP}"]


async def test_a_create_whose_connection_was_never_made_did_not_happen(fly):
    fly.routes[f"POST {APP}"] = httpx.ConnectError("refused")
    error = await failure(fly.provider().launch(ORDER))
    assert (error.error_class, error.answered) == (ErrorClass.TRY_LATER, True)


async def test_an_open_breaker_tells_until_when(fly):
    fly.routes[f"POST {APP}"] = httpx.Response(500)
    provider = fly.provider()
    for _ in range(5):
        assert not (await failure(provider.launch(ORDER))).answered
    error = await failure(provider.launch(ORDER))
    assert error.retry_at == NOW + 900
    assert error.answered
    assert len(fly.asked) == 5


@pytest.mark.parametrize(
    ("status", "body", "error_class", "answered"),
    [
        (
            422,
            {"error": "could not find a candidate host", "status": "insufficient_capacity"},
            "no_capacity",
            True,
        ),
        (409, {"error": "aborted: no capacity"}, "no_capacity", True),
        (409, {"error": "aborted: could not reserve resource for machine: …"}, "no_capacity", True),
        (412, {"error": "x", "status": "volume_placement_capacity"}, "no_capacity", True),
        (400, {"error": "deploys to this host are temporarily disabled"}, "no_capacity", True),
        (429, {"error": "rate limit exceeded"}, "try_later", True),
        (408, {}, "try_later", False),
        (500, {}, "try_later", False),
        (503, {"error": "could not find a candidate host"}, "no_capacity", True),
        (401, {"error": "Authenticate: token validation error"}, "refused", True),
        (403, {"error": "unauthorized"}, "refused", True),
        (422, {"error": "Your organization has reached its machine limit."}, "refused", True),
        (404, {"error": "app not found"}, "not_found", True),
        (400, {"error": "invalid_argument: bad"}, "our_fault", True),
        (422, {"error": "unsupported guest cpu kind"}, "our_fault", True),
        (200, {"no": "id"}, "try_later", False),
        (302, {}, "our_fault", True),
    ],
)
async def test_each_answer_to_a_create_has_its_class_and_says_whether_it_may_have_happened(
    fly, status, body, error_class, answered
):
    fly.routes[f"POST {APP}"] = httpx.Response(status, json=body, headers={"fly-request-id": "01R"})
    error = await failure(fly.provider().launch(ORDER))
    assert (error.error_class, error.answered, error.status) == (error_class, answered, status)
    assert error.request_id == "01R"
    assert error.attempted == "create Machine fleet-1 in app runners-a (iad)"
    assert len(fly.asked) == 1


async def test_a_named_wait_becomes_a_time(fly):
    fly.routes[f"POST {APP}"] = httpx.Response(429, headers={"retry-after": "7"})
    assert (await failure(fly.provider().launch(ORDER))).retry_at == NOW + 7


async def test_a_full_host_refuses_a_start_for_lack_of_capacity(fly):
    text = "aborted: could not reserve resource for machine: insufficient memory available"
    fly.routes[f"POST {ONE}/start"] = httpx.Response(409, json={"error": text})
    assert (await failure(fly.provider().start("runners-a", "148ed193f01189"))).error_class == "no_capacity"


async def test_a_start_that_comes_too_early_is_to_be_tried_later(fly):
    text = "failed_precondition: machine still active, refusing to start"
    fly.routes[f"POST {ONE}/start"] = httpx.Response(412, json={"error": text})
    error = await failure(fly.provider().start("runners-a", "148ed193f01189"))
    assert (error.error_class, error.answered) == (ErrorClass.TRY_LATER, True)


async def test_a_start_is_sent_to_the_machine(fly):
    fly.routes[f"POST {ONE}/start"] = {"previous_state": "stopped"}
    await fly.provider().start("runners-a", "148ed193f01189")
    assert fly.asked == [f"POST {ONE}/start"]


@pytest.mark.parametrize("answer", [httpx.Response(200, json={"ok": True}), httpx.Response(404, json={})])
async def test_destroying_what_is_there_or_not_there_is_done(fly, answer):
    fly.routes[f"DELETE {ONE}"] = answer
    await fly.provider().destroy("runners-a", "148ed193f01189")


async def test_a_failed_destroy_is_told(fly):
    fly.routes[f"DELETE {ONE}"] = httpx.Response(503)
    assert not (await failure(fly.provider().destroy("runners-a", "148ed193f01189"))).answered


async def test_a_list_shows_everybodys_machines_with_their_owner_tag(fly):
    fly.routes[f"GET {APP}"] = [
        machine("m1"),
        machine("m2", config={"metadata": None}),
        machine("m3", config=None, host_status="unreachable", incomplete_config={"metadata": {}}),
        machine("m4", config=None),
    ]
    found = await fly.provider().list("runners-a")
    assert [(one.fly_id, one.fleet, one.host_ok) for one in found] == [
        ("m1", "fleet", True),
        ("m2", None, True),
        ("m3", None, False),
        ("m4", None, False),
    ]


async def test_a_failed_list_leaves_nothing_in_doubt_but_is_an_error(fly):
    fly.routes[f"GET {APP}"] = httpx.Response(500)
    error = await failure(fly.provider().list("runners-a"))
    assert (error.error_class, error.answered) == (ErrorClass.TRY_LATER, True)
    fly.routes[f"GET {APP}"] = httpx.ReadTimeout("slow")
    assert (await failure(fly.provider().list("runners-a"))).answered


async def test_a_machine_that_fly_does_not_know_has_ended(fly):
    fly.routes[f"GET {ONE}"] = httpx.Response(404, json={"error": "machine not found"})
    found = await fly.provider().look("runners-a", "148ed193f01189")
    assert (found.ended, found.state, found.fly_id) == (True, "", "148ed193f01189")


async def test_a_destroyed_machine_has_ended_and_its_exit_is_told(fly):
    exit_event = {"exit_code": 137, "oom_killed": True}
    events = [{"type": "exit", "timestamp": 5, "request": {"exit_event": exit_event}}]
    fly.routes[f"GET {ONE}"] = machine(state="destroyed", events=events)
    found = await fly.provider().look("runners-a", "148ed193f01189")
    assert (found.ended, found.exit_code, found.oom) == (True, 137, True)


async def test_a_name_is_found_alive_before_destroyed_and_the_latest_destroyed_before_older_ones(fly):
    old = machine("m1", state="destroyed", created_at="2026-01-01T00:00:00Z")
    late = machine("m2", state="destroyed", created_at="2026-01-02T00:00:00Z")
    alive = machine("m3", state="started", created_at="2025-01-01T00:00:00Z")
    for listed, expected in (([late, old], "m2"), ([old, alive, late], "m3")):
        fly.routes[f"GET {APP}"] = listed
        found = await fly.provider().find("runners-a", "fleet-1")
        assert found is not None
        assert found.fly_id == expected
    fly.routes[f"GET {APP}"] = []
    assert await fly.provider().find("runners-a", "fleet-1") is None


def every_kind(root):
    for kind in root.__subclasses__():
        yield kind
        yield from every_kind(kind)


def test_the_table_gives_every_error_of_fly_its_meaning_and_nothing_else():
    kinds = {
        kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.FlyError)
    }
    assert kinds - {errors.FlyError} == set(every_kind(errors.FlyError))
    assert set(MEANINGS) == set(every_kind(errors.FlyError))
    for kind, meaning in MEANINGS.items():
        error = as_upstream_error(kind("do it", status=400, text="words"), now=NOW, mutating=True)
        assert error.error_class is meaning.error_class
        assert error.answered is not kind.ambiguous
        assert meaning.next_step
        assert "words" in str(error)


def test_calls_about_an_app_share_its_breaker_and_others_share_one():
    def key(url):
        return upstream_key(httpx.Request("GET", url))

    assert key("https://api.machines.dev/v1/apps/runners-a/machines/m1/start") == "fly:runners-a"
    assert key("http://127.0.0.1:1/v1/apps/b") == "fly:b"
    assert key(ISSUER + "/.well-known/openid-configuration") == "fly"


# Who is calling.


@pytest.fixture(scope="module")
def private():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def serve_keys(fly, private):
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    fly.routes["GET /acme/.well-known/openid-configuration"] = {
        "issuer": ISSUER,
        "jwks_uri": ISSUER + "/jwks",
    }
    fly.routes["GET /acme/jwks"] = {"keys": [{**jwk, "kid": "k1"}]}


def token(private, **changes):
    claims = {
        "iss": ISSUER,
        "aud": URL,
        "sub": "acme:runners-a:fleet-1",
        "iat": int(NOW),
        "nbf": int(NOW),
        "exp": int(NOW) + 600,
        "jti": "01J",
        "app_name": "runners-a",
        "machine_id": "148ed193f01189",
        "machine_name": "fleet-1",
        "region": "iad",
        "image_digest": "sha256:" + "a" * 64,
        **changes,
    }
    return jwt.PyJWS().encode(json.dumps(claims).encode(), private, algorithm="RS256", headers={"kid": "k1"})


async def test_a_token_identifies_its_machine(fly, private):
    serve_keys(fly, private)
    who = await fly.provider().identify(token(private), NOW)
    assert (who.app, who.machine_name, who.machine_id, who.region) == (
        "runners-a",
        "fleet-1",
        "148ed193f01189",
        "iad",
    )
    assert (who.image_digest, who.jti) == ("sha256:" + "a" * 64, "01J")
    assert (who.issued_at, who.expires_at) == (NOW, NOW + 600)


@pytest.mark.parametrize(
    ("changes", "now", "kind"),
    [
        ({"aud": "https://other"}, NOW, "forged"),
        ({}, NOW + 611, "expired"),
        ({}, NOW - 11, "early"),
        ({"jti": 7}, NOW, "malformed"),
    ],
)
async def test_a_token_that_proves_nothing_is_an_identity_error_of_its_kind(fly, private, changes, now, kind):
    serve_keys(fly, private)
    with pytest.raises(IdentityError) as caught:
        await fly.provider().identify(token(private, **changes), now)
    assert caught.value.kind == kind
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "answer", [httpx.Response(503), httpx.Response(401), httpx.Response(404), httpx.ConnectError("down")]
)
async def test_when_the_issuer_cannot_be_read_nobody_is_refused(fly, private, answer):
    fly.routes["GET /acme/.well-known/openid-configuration"] = answer
    error = await failure(fly.provider().identify(token(private), NOW))
    assert (error.error_class, error.answered) == (ErrorClass.TRY_LATER, True)


async def test_a_breaker_that_opened_for_the_issuer_keeps_its_cause(fly, private):
    fly.routes["GET /acme/.well-known/openid-configuration"] = httpx.Response(503)
    provider = fly.provider()
    for second in range(0, 30, 6):
        await failure(provider.identify(token(private), NOW + second))
    error = await failure(provider.identify(token(private), NOW + 36))
    assert error.retry_at == NOW + 900
    assert isinstance(error.__cause__.__cause__, BreakerOpen)
