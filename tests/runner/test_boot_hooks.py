"""The job hooks: what they tell, and that no job ever suffers from them."""

import json
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

from boot_world import BOOT, HOOK_TOKEN, JIT_CLAIM

HOOK = BOOT.with_name("hook.py")


def test_hooks_tell_what_the_listener_saw_in_order(world):
    world.dispatch((200, JIT_CLAIM))

    ended = world.run()

    hooks = [request for request in world.dispatcher.seen if "/hooks/" in request.path]
    assert [(hook.path.rpartition("/")[2], hook.body) for hook in hooks] == [
        ("online", {}),
        ("started", {"run_id": 4711, "job": "build", "repository": "acme/site", "workflow": "CI"}),
        ("completed", {}),
    ]
    assert {hook.bearer for hook in hooks} == {HOOK_TOKEN}
    assert ended.details("hook_started") == ["204"]


def test_the_scripts_lie_outside_the_runner_folder_and_only_the_agent_may_change_them(world):
    world.dispatch((200, JIT_CLAIM))
    world.listener(
        "online()\n"
        "paths = [os.environ['ACTIONS_RUNNER_HOOK_JOB_' + name] for name in ('STARTED', 'COMPLETED')]\n"
        "note('scripts', {path: [os.stat(path).st_mode, os.stat(os.path.dirname(path)).st_mode]"
        " for path in paths})\n"
    )

    assert world.run().code == 0

    for path, modes in world.note("scripts").items():
        assert path.endswith(".sh")
        assert not path.startswith(str(world.runner_dir))
        assert [stat.S_IMODE(mode) for mode in modes] == [0o755, 0o755]
        assert not Path(path).parent.exists()  # nothing is left behind


def test_the_job_begins_when_the_started_hook_is_answered_so_that_its_veto_is_known(world):
    world.dispatch((200, JIT_CLAIM)).hang.add("started")
    world.begin(small_call=5.0)
    world.until(lambda: "/v1/hooks/started" in world.dispatcher.paths())
    assert not (world.notes / "job_env").exists()
    world.dispatcher.released.set()
    assert world.end().code == 0
    assert world.note("hooks")["STARTED"][1] < 2.0


def test_a_hanging_dispatcher_delays_a_job_by_two_seconds_per_hook_at_most(world):
    world.dispatch((200, JIT_CLAIM)).hang |= {"started", "completed"}

    ended = world.run()

    assert ended.code == 0
    for code, seconds in world.note("hooks").values():
        assert code == 0
        assert seconds < 2.0


WAITING_JOB = (
    "online()\n"
    "deadline = time.monotonic() + 8\n"
    "while not noted('go') and time.monotonic() < deadline: time.sleep(0.01)\n"
    "job()\n"
)


def test_a_dispatcher_gone_during_the_job_leaves_the_job_unharmed(world):
    world.dispatch((200, JIT_CLAIM))
    world.listener(WAITING_JOB)
    world.begin()
    world.until(lambda: "hook_online" in (world.folder / "err").read_text())
    world.dispatcher.close()
    (world.notes / "go").write_text("")

    ended = world.end()

    assert ended.code == 0
    assert [code for code, _ in world.note("hooks").values()] == [0, 0]
    assert "ConnectionRefusedError" in ended.details("hook_started")[0]


def test_hooks_get_through_when_connections_were_cut_during_the_job(world):
    """A proxy forgets an idle connection long before a job ends."""
    world.dispatch((200, JIT_CLAIM))
    world.listener(WAITING_JOB)
    world.begin()
    world.until(lambda: "hook_online" in (world.folder / "err").read_text())
    world.dispatcher.cut()
    (world.notes / "go").write_text("")

    ended = world.end()

    assert ended.details("hook_started") == ended.details("hook_completed") == ["204"]


def test_a_hook_that_the_dispatcher_refuses_changes_nothing(world):
    world.dispatch((200, JIT_CLAIM))
    world.dispatcher.statuses = {f"/v1/hooks/{verb}": 401 for verb in ("online", "started", "completed")}
    assert world.run().code == 0


def test_a_hook_without_an_agent_succeeds_at_once(tmp_path):
    began = time.monotonic()
    call = [sys.executable, "-I", "-S", str(HOOK), "started", str(tmp_path / "none.sock")]
    done = subprocess.run(call, env={}, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert time.monotonic() - began < 2


def test_a_hook_whose_agent_hangs_succeeds_within_two_seconds(tmp_path):
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "hang.sock"))
        agent.listen(1)
        began = time.monotonic()
        call = [sys.executable, "-I", "-S", str(HOOK), "started", str(tmp_path / "hang.sock")]
        assert subprocess.run(call, env={}, check=False).returncode == 0
    assert time.monotonic() - began < 2


def test_what_a_job_forges_is_bounded_and_passes_once(world):
    """Job code reaches the agent's socket: it can say "started" once, in the agreed shape, no more."""
    world.dispatch((200, JIT_CLAIM))
    world.listener(
        "import socket\n"
        "online()\n"
        "address = os.path.dirname(os.environ['ACTIONS_RUNNER_HOOK_JOB_STARTED']) + '/agent.sock'\n"
        "def tell(text):\n"
        "    with socket.socket(socket.AF_UNIX) as agent:\n"
        "        agent.connect(address)\n"
        "        agent.sendall(text + b'\\n')\n"
        "        agent.shutdown(socket.SHUT_WR)\n"
        "        agent.recv(10)\n"
        "for text in (b'', b'{}', b'[]', b'5', b'[' * 5000, b'\\xff'): tell(text)\n"
        "for verb in ([1], 1, '../claim', 'bye'): tell(json.dumps({'hook': verb}).encode())\n"
        "forged = {'hook': 'started', 'run_id': '1; x', 'job': 'x' * 999, 'repository': ['a']}\n"
        "tell(json.dumps(forged).encode())\n"
        "tell(json.dumps(forged).encode())\n"
        "job()\n"
    )

    assert world.run().code == 0

    verbs = [path.removeprefix("/v1/hooks/") for path in world.dispatcher.paths()[2:]]
    assert sorted(verbs) == ["completed", "online", "started"]
    (started,) = world.dispatcher.of("/v1/hooks/started")
    expected = {"run_id": None, "job": "x" * 256, "repository": "['a']", "workflow": ""}
    assert started.body == expected


def test_a_long_temporary_folder_does_not_break_the_socket(world):
    world.dispatch((200, JIT_CLAIM))
    deep = world.folder / ("d" * 80)
    deep.mkdir()
    assert world.run({"TMPDIR": str(deep)}).code == 0
    assert "/v1/hooks/started" in world.dispatcher.paths()


def test_every_step_is_one_line_of_json_with_time_step_and_detail(world):
    world.dispatch((204, None), (200, JIT_CLAIM))
    ended = world.run()
    lines = [json.loads(line) for line in ended.err.splitlines()]
    assert all(set(line) == {"at", "step", "detail"} and abs(line["at"] - time.time()) < 60 for line in lines)
    steps = [line["step"] for line in lines]
    assert steps[:5] == ["boot", "claim", "claimed", "acknowledged", "start"]
    assert steps[-1] == "exit"
