"""The transport against upstreams that answer, refuse, hang and die. The network is faked, httpx is not."""

import asyncio
import gzip

import httpx
import pytest

from runners.upstream.breaker import Breaker
from runners.upstream.errors import ErrorClass
from runners.upstream.record import CallRecord, path_template
from runners.upstream.transport import AnswerTooLarge, BreakerOpen, DeadlineExceeded, UpstreamTransport
from runners.upstream.unanswered import unanswered


class Bench:
    """One transport, the client over it, and what it recorded."""

    def __init__(self, clock, inner, *, deadline=5.0, **more):
        self.records: list[CallRecord] = []
        self.transport = UpstreamTransport(
            "fly",
            inner,
            clock,
            deadline=deadline,
            breaker=Breaker,
            key=lambda request: f"fly:{request.url.host}",
            observer=self.records.append,
            **more,
        )
        self.client = httpx.AsyncClient(transport=self.transport)

    async def fail(self, times, url="http://a/x"):
        for _ in range(times):
            assert (await self.client.get(url)).status_code >= 500


def answering(status, **more):
    return httpx.MockTransport(lambda _request: httpx.Response(status, **more))


def raising(error_type):
    def handler(request):
        raise error_type("token=hunter2", request=request)

    return httpx.MockTransport(handler)


class Never(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request):
        await asyncio.Event().wait()
        raise AssertionError


class HalfAnswer(httpx.AsyncBaseTransport):
    """Sends headers and a first chunk, then nothing more."""

    closed = False

    async def handle_async_request(self, request):
        outer = self

        class Body(httpx.AsyncByteStream):
            async def __aiter__(self):
                yield b"half"
                await asyncio.Event().wait()

            async def aclose(self):
                outer.closed = True

        return httpx.Response(200, stream=Body())


async def test_an_answer_passes_unchanged_and_is_recorded_without_names(clock):
    bench = Bench(clock, answering(200, json={"ok": True}))
    answer = await bench.client.post("http://a/v1/apps/secret-app/machines/148ed193f01189/start")
    assert answer.json() == {"ok": True}
    assert answer.elapsed.total_seconds() >= 0
    (record,) = bench.records
    assert record == CallRecord(
        "fly", "fly:a", "POST", "/v1/apps/{app}/machines/{id}/start", 200, None, clock.now(), 0.0
    )


async def test_a_compressed_answer_is_decoded_by_the_client_as_ever(clock):
    body = gzip.compress(b'{"ok": true}')
    bench = Bench(clock, answering(200, content=body, headers={"content-encoding": "gzip"}))
    assert (await bench.client.get("http://a/x")).json() == {"ok": True}


async def test_an_upstream_that_never_answers_is_left_at_the_deadline(clock):
    bench = Bench(clock, Never(), deadline=0.02)
    with pytest.raises(DeadlineExceeded, match=r"within 0.02 s") as caught:
        await bench.client.post("http://a/x")
    assert caught.value.deadline == 0.02
    assert bench.records[0].status is None
    assert bench.records[0].error_class is ErrorClass.TRY_LATER


async def test_the_deadline_covers_the_body_and_the_connection_is_closed(clock):
    inner = HalfAnswer()
    with pytest.raises(DeadlineExceeded):
        await Bench(clock, inner, deadline=0.02).client.get("http://a/x")
    assert inner.closed


async def test_a_call_is_sent_once_whatever_comes_back(clock):
    sent = []

    def handler(request):
        sent.append(request.method)
        return httpx.Response(503)

    bench = Bench(clock, httpx.MockTransport(handler))
    await bench.client.post("http://a/x")
    await bench.client.get("http://a/x")
    assert sent == ["POST", "GET"]


async def test_five_server_errors_open_the_breaker_and_the_sixth_call_is_not_sent(clock):
    bench = Bench(clock, answering(502))
    await bench.fail(5)
    assert bench.transport.blocked_until() == {"fly:a": clock.now() + 900}
    with pytest.raises(BreakerOpen) as caught:
        await bench.client.get("http://a/x")
    assert caught.value.until == clock.now() + 900
    assert len(bench.records) == 5


async def test_one_keys_open_breaker_leaves_the_others_alone(clock):
    bench = Bench(clock, answering(502))
    await bench.fail(5)
    await bench.fail(1, "http://b/x")
    assert set(bench.transport.blocked_until()) == {"fly:a"}


async def test_three_good_trials_after_the_pause_close_the_breaker(clock):
    status = [500]
    bench = Bench(clock, httpx.MockTransport(lambda _request: httpx.Response(status[0])))
    await bench.fail(5)
    clock.at += 900
    assert bench.transport.blocked_until() == {}
    status[0] = 200
    for _ in range(3):
        await bench.client.get("http://a/x")
    status[0] = 500
    await bench.fail(4)
    assert bench.transport.blocked_until() == {}


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadError, httpx.ReadTimeout])
async def test_lost_connections_and_timeouts_count_as_errors(clock, error):
    bench = Bench(clock, raising(error))
    for _ in range(5):
        with pytest.raises(error):
            await bench.client.get("http://a/x")
    assert "fly:a" in bench.transport.blocked_until()


async def test_deadlines_count_as_errors(clock):
    bench = Bench(clock, Never(), deadline=0.005)
    for _ in range(5):
        with pytest.raises(DeadlineExceeded):
            await bench.client.get("http://a/x")
    assert "fly:a" in bench.transport.blocked_until()


@pytest.mark.parametrize("error", [httpx.PoolTimeout, httpx.LocalProtocolError])
async def test_failures_of_our_own_do_not_count(clock, error):
    bench = Bench(clock, raising(error))
    for _ in range(9):
        with pytest.raises(error):
            await bench.client.get("http://a/x")
    assert bench.transport.blocked_until() == {}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 412, 422])
async def test_refusals_are_answers_and_do_not_open_the_breaker(clock, status):
    bench = Bench(clock, answering(status, json={"error": "no"}))
    for _ in range(9):
        await bench.client.get("http://a/x")
    assert bench.transport.blocked_until() == {}


async def test_a_rate_limit_blocks_the_key_but_calls_still_go_out(clock):
    bench = Bench(clock, answering(429, headers={"retry-after": "17"}))
    for _ in range(9):
        assert (await bench.client.delete("http://a/x")).status_code == 429
    assert bench.transport.blocked_until() == {"fly:a": clock.now() + 17}
    assert bench.records[0].error_class is ErrorClass.TRY_LATER
    assert bench.records[0].limited_until == clock.now() + 17
    clock.at += 17
    assert bench.transport.blocked_until() == {}


async def test_a_shorter_limit_does_not_cut_a_longer_one(clock):
    waits = iter(["50", "5"])
    inner = httpx.MockTransport(lambda _request: httpx.Response(429, headers={"retry-after": next(waits)}))
    bench = Bench(clock, inner)
    await bench.client.get("http://a/x")
    await bench.client.get("http://a/x")
    assert bench.transport.blocked_until() == {"fly:a": clock.now() + 50}


async def test_the_pause_without_a_named_time_is_an_argument(clock):
    bench = Bench(clock, answering(429), pause=2.0)
    await bench.client.get("http://a/x")
    assert bench.transport.blocked_until() == {"fly:a": clock.now() + 2}


async def test_a_cancelled_trial_gives_its_place_back(clock):
    hang = asyncio.Event()
    arrived = asyncio.Semaphore(0)
    mode = ["fail"]

    async def handler(_request):
        if mode[0] == "hang":
            arrived.release()
            await hang.wait()
        return httpx.Response(500 if mode[0] == "fail" else 200)

    bench = Bench(clock, httpx.MockTransport(handler))
    await bench.fail(5)
    clock.at += 900
    mode[0] = "hang"
    tasks = [asyncio.create_task(bench.client.get("http://a/x")) for _ in range(3)]
    for _ in tasks:
        await arrived.acquire()
    with pytest.raises(BreakerOpen) as caught:
        await bench.client.get("http://a/x")
    assert caught.value.until is None
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    mode[0] = "good"
    for _ in range(3):
        assert (await bench.client.get("http://a/x")).status_code == 200


async def test_an_endless_answer_is_refused(clock, monkeypatch):
    monkeypatch.setattr("runners.upstream.transport.LONGEST_BODY", 10)
    with pytest.raises(AnswerTooLarge):
        await Bench(clock, answering(200, content=b"x" * 11)).client.get("http://a/x")


async def test_closing_the_client_closes_the_inner_transport(clock):
    class Inner(httpx.MockTransport):
        closed = False

        async def aclose(self):
            self.closed = True

    inner = Inner(lambda _request: httpx.Response(200))
    async with Bench(clock, inner).client as client:
        await client.get("http://a/x")
    assert inner.closed


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/v1/apps/my-app/machines", "/v1/apps/{app}/machines"),
        ("/v1/apps/my-app/machines/148ed193f01189", "/v1/apps/{app}/machines/{id}"),
        ("/orgs/acme/actions/runners/generate-jitconfig", "/orgs/{org}/actions/runners/generate-jitconfig"),
        ("/orgs/acme/actions/runners/77", "/orgs/{org}/actions/runners/{id}"),
        ("/repos/acme/web/actions/jobs/12", "/repos/{owner}/{repo}/actions/jobs/{id}"),
        ("/app/installations/9/access_tokens", "/app/installations/{id}/access_tokens"),
        ("/api/v4/secrets/TOKEN", "/api/v4/secrets/{name}"),
        ("/", "/"),
    ],
)
def test_a_recorded_path_has_no_names_in_it(path, shown):
    assert path_template(path) == shown


def test_a_lost_answer_may_have_happened_and_a_call_never_sent_did_not():
    request = httpx.Request("POST", "http://a/x", headers={"authorization": "Bearer hunter2"})
    lost = unanswered("fly", "create Machine x in app y", DeadlineExceeded(10, request=request))
    assert not lost.answered
    assert "within 10 s" in str(lost)
    for error in (
        BreakerOpen("fly:y", 2000.0, request=request),
        httpx.ConnectError("hunter2", request=request),
        httpx.PoolTimeout("hunter2", request=request),
    ):
        mapped = unanswered("fly", "create Machine x in app y", error)
        assert mapped.answered
        assert mapped.error_class is ErrorClass.TRY_LATER
        assert "hunter2" not in str(mapped)
    assert unanswered("fly", "x", BreakerOpen("k", 2000.0, request=request)).retry_at == 2000.0


def test_a_lost_reading_leaves_nothing_in_doubt():
    assert unanswered("fly", "list", httpx.ReadTimeout("slow"), mutating=False).answered


@pytest.mark.parametrize(
    ("error", "answered", "error_class"),
    [
        (httpx.ReadError, False, ErrorClass.TRY_LATER),
        (httpx.WriteError, False, ErrorClass.TRY_LATER),
        (httpx.ReadTimeout, False, ErrorClass.TRY_LATER),
        (httpx.RemoteProtocolError, False, ErrorClass.TRY_LATER),
        (httpx.ConnectTimeout, True, ErrorClass.TRY_LATER),
        (httpx.UnsupportedProtocol, True, ErrorClass.OUR_FAULT),
        (httpx.LocalProtocolError, True, ErrorClass.OUR_FAULT),
    ],
)
def test_every_way_to_get_no_answer_has_its_meaning(error, answered, error_class):
    mapped = unanswered("github", "mint runner r", error("Bearer hunter2"))
    assert (mapped.answered, mapped.error_class) == (answered, error_class)
    assert "hunter2" not in str(mapped)
    assert mapped.next_step
