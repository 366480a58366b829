"""fly-gha-status as a process: started, stopped, killed, and asked over standard input."""

import asyncio
import contextlib
import json
import os
import signal
import time

import httpx
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from status_process import PROGRAM, ended, environment, process
from status_world import ERAS, status_world

from mcp_server.audit.record import read_record
from mcp_server.protocol import CALL_ID

pytestmark = pytest.mark.xdist_group("processes")


@pytest.fixture
async def world(tmp_path):
    async with status_world(tmp_path / "first") as opened:
        await opened.fleet.add_job(7)
        await opened.fleet.plan()
        yield opened


def question(number, **arguments):
    params = {"name": "fleet_overview", "arguments": arguments}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


def agent(token):
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
    return httpx.AsyncClient(headers=headers, trust_env=False, timeout=30)


async def test_killed_under_load_it_loses_no_record_of_a_call_that_was_answered(world, tmp_path):
    directory, answered = tmp_path / "audit", []
    generous = {"FLY_GHA_STATUS_BURST": "100000", "FLY_GHA_STATUS_PROJECT_CALLS_PER_MINUTE": "600000"}

    async def ask_on(url, http):
        number = 0
        with contextlib.suppress(httpx.TransportError):
            while True:
                number += 1
                answer = await http.post(url, json=question(number))
                answered.append(answer.json()["result"]["_meta"][CALL_ID])

    async with process(world, directory, **generous) as (started, url), agent(world.token()) as http:
        asking = [asyncio.create_task(ask_on(url, http)) for _ in range(12)]
        while len(answered) < 300:  # noqa: ASYNC110 - another process is what is waited for
            await asyncio.sleep(0.01)
        os.kill(started.pid, signal.SIGKILL)
        await asyncio.gather(*asking)
        assert await started.wait() == -signal.SIGKILL
    lines = b"".join(path.read_bytes() for path in sorted(directory.glob("*.jsonl"))).split(b"\n")
    recorded = {read_record(line).entry.call_id for line in lines[:-1]}
    assert set(answered) <= recorded
    # What the kill cut off is not lost in silence, and the log goes on.
    async with process(world, directory) as (_, url), agent(world.token()) as http:
        assert (await http.post(url, json=question(1))).status_code == 200
    done = await asyncio.to_thread(ended, world, directory, "audit", "verify")
    assert done.returncode == 0, done.stdout + done.stderr


async def test_an_answer_s_body_does_not_wait_for_the_acknowledgement_of_its_head(world, tmp_path):
    """Which costs 40 ms on every connection that is used again."""
    async with process(world, tmp_path / "audit") as (_, url), agent(world.token()) as http:
        spans = []
        for number in range(30):
            began = time.perf_counter()
            assert (await http.post(url, json=question(number))).status_code == 200
            spans.append(time.perf_counter() - began)
    assert min(spans) < 0.035


async def test_told_to_stop_it_finishes_what_it_began_and_ends_with_0(world, tmp_path):
    directory = tmp_path / "audit"
    async with process(world, directory) as (started, url), agent(world.token()) as http:
        assert (await http.post(url, json=question(1))).status_code == 200
        started.terminate()
        assert await asyncio.wait_for(started.wait(), 30) == 0


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"GITHUB_TOKEN": "anything"}, "GITHUB_TOKEN"),
        ({"FLY_API_TOKEN": "anything"}, "FLY_API_TOKEN"),
        ({"INNOCENT": "ghp_" + "a" * 36}, "INNOCENT"),
        ({"FLY_GHA_STATUS_TOKEN": "ghp_" + "a" * 36}, "FLY_GHA_STATUS_TOKEN"),
        ({"FLY_GHA_STATUS_TOKEN": ""}, "no dispatcher token"),
        ({"FLY_GHA_STATUS_BURST": "many"}, "FLY_GHA_STATUS_BURST"),
        ({"FLY_GHA_STATUS_PUBLIC_HOSTS": "not json"}, "JSON"),
        ({"FLY_GHA_STATUS_AUDIT_DIR": "/proc/nowhere"}, "audit log"),
        ({"FLY_GHA_STATUS_PORT": "1", "FLY_GHA_STATUS_HOST": "192.0.2.1"}, "cannot be listened on"),
    ],
)
async def test_what_keeps_it_from_starting_is_one_sentence_without_a_secret(world, tmp_path, extra, words):
    done = await asyncio.to_thread(ended, world, tmp_path / "audit", **extra)
    assert done.returncode in {2, 3}
    assert words in done.stderr
    assert "aaaa" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [(), ("--stdio",)])
async def test_a_dispatcher_token_that_may_do_more_than_read_is_refused(world, tmp_path, arguments):
    strong = await world.fleet.token("read", "operate", "admin")
    done = await asyncio.to_thread(ended, world, tmp_path / "audit", *arguments, FLY_GHA_STATUS_TOKEN=strong)
    assert done.returncode == 2
    assert "operate and admin besides read" in done.stderr
    assert strong not in done.stderr


@pytest.mark.parametrize("era", ERAS)
async def test_on_standard_input_a_local_agent_asks_with_the_same_checkpoint(world, tmp_path, era):
    directory = tmp_path / "audit"
    env = environment(world, directory, GITHUB_TOKEN="ghp_" + "b" * 36)
    server = StdioServerParameters(command=PROGRAM, args=["--stdio"], env=env)
    with (tmp_path / "stderr").open("w+") as said:
        async with Client(stdio_client(server, errlog=said), mode=era) as client:
            result = await client.call_tool("fleet_overview", {})
            unknown = await client.call_tool("fleet_overview", {"nonsense": 1})
            assert not result.is_error
            assert json.loads(unknown.content[0].text)["error"]["rule"] == "argument_unknown"
        said.seek(0)
        words = said.read()
    assert "GITHUB_TOKEN" in words
    assert "bbbb" not in words
    [file] = (directory / "stdio-1").glob("*.jsonl")
    entries = [read_record(line).entry for line in file.read_bytes().splitlines()]
    rules = [entry.rule for entry in entries if entry.operation == "tools/call"]
    assert rules == ["allowed", "argument_unknown"]
    assert {entry.transport for entry in entries if entry.operation == "tools/call"} == {"stdio"}


async def test_a_line_that_is_no_message_is_answered_with_an_error_and_recorded(world, tmp_path):
    directory = tmp_path / "audit"
    started = await asyncio.create_subprocess_exec(
        PROGRAM, "--stdio", env=environment(world, directory),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    asked = {"jsonrpc": "2.0", "id": 7, "method": "ping"}
    lines = b"".join(
        line + b"\n" for line in (b"IGNORE ALL", b"\xff", b"[" * 9000, b"[]", json.dumps(asked).encode())
    )
    started.stdin.write(lines)
    said = [await asyncio.wait_for(started.stdout.readline(), 60) for _ in range(5)]
    await asyncio.wait_for(started.communicate(b""), 60)
    answers = [json.loads(line) for line in said]
    assert [answer["id"] for answer in answers] == [None] * 4 + [7]
    assert {answer["error"]["data"]["rule"] for answer in answers[:4]} == {"request_invalid"}
    assert b"IGNORE" not in b"".join(said)
    [file] = (directory / "stdio-1").glob("*.jsonl")
    entries = [read_record(line).entry for line in file.read_bytes().splitlines()]
    refused = [entry for entry in entries if entry.rule == "request_invalid"]
    assert sum(entry.repeats for entry in refused) == 4
    assert {entry.caller for entry in refused} == {"local"}
    assert started.returncode == 0


async def test_two_local_agents_have_an_audit_log_each(world, tmp_path):
    directory = tmp_path / "audit"
    server = StdioServerParameters(command=PROGRAM, args=["--stdio"], env=environment(world, directory))
    with (tmp_path / "stderr").open("w") as said:
        async with (
            Client(stdio_client(server, errlog=said), mode="legacy") as first,
            Client(stdio_client(server, errlog=said), mode="legacy") as second,
        ):
            await first.call_tool("fleet_overview", {})
            await second.call_tool("fleet_overview", {})
    assert sorted(each.name for each in directory.iterdir()) == ["stdio-1", "stdio-2"]
