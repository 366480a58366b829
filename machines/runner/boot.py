"""The boot agent: main process of a runner Machine, from its first instruction to the end of its one job.

The Machine lives exactly as long as this process. It proves which Machine it is with an OIDC token from
Fly's socket, asks the dispatcher for one registration, runs GitHub's listener with it, tells the dispatcher
what the listener saw, and exits. Every dead end is an exit whose code says why (EXITS): a Machine whose agent
hangs costs money and tells nobody, so every step has a deadline. No secret reaches an argument list, the
job's environment or a file written here. And the job cannot be harmed by us: an unanswered hook succeeds.

The standard library only, so that an image needs a Python and nothing else: this file, hook.py for the job's
hooks beside it, and entry.py, which prepares the Machine before. In order: what is fixed, what is decided
(pure functions), HTTP, the hooks, the Agent that acts.
"""
# A claim is waited for: what is needed later (subprocess, threading) or not at all (pathlib) is not imported.
# ruff: noqa: PLC0415, PTH100, PTH101, PTH102, PTH106, PTH108, PTH110, PTH120, PTH123, PTH208
# HTTP statuses and the listener's return codes are the words of this trade.
# ruff: noqa: PLR2004

import json
import os
import re
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    import subprocess

# Exit code → the Reason the fleet shows (runners/model/exits.py). Fly keeps the code in its exit event.
EXITS: Mapping[int, str] = {
    0: "job_completed",
    20: "exit_no_oidc",
    21: "exit_claim_refused",
    22: "exit_claim_timeout",
    23: "exit_clock_wrong",
    24: "exit_retired",
    25: "exit_config_failed",
    26: "exit_never_online",
    27: "exit_runner_outdated",
    28: "exit_runner_failed",
    29: "exit_agent_error",
    30: "exit_disk_failed",
}
DONE, NO_OIDC, REFUSED, TIMEOUT, CLOCK, RETIRED, CONFIG, OFFLINE, OUTDATED, FAILED, BROKEN, _DISK = EXITS

AGENT = "fly-gha-boot/1"
ONLINE_TEXT = b"Listening for Jobs"  # the listener prints it once its session with GitHub is up
HOOKS = {"started": "ACTIONS_RUNNER_HOOK_JOB_STARTED", "completed": "ACTIONS_RUNNER_HOOK_JOB_COMPLETED"}
# Run by bash -e. Of hook.py's ends only 77, a refusal, is said in the job's log and fails the job.
HOOK_SCRIPT = """#!/bin/sh
code=0
said=$({call} </dev/null 2>/dev/null) || code=$?
[ "$code" = 77 ] || exit 0
printf '%s\\n' "$said"
exit 1
"""

# The listener's environment, and so the job's, is built from these names, never by removing some from ours.
KEPT = (
    "AGENT_TOOLSDIRECTORY|DOCKER_HOST|Image(OS|Version)|LC_ALL|SSL_CERT_(DIR|FILE)|TMPDIR|TZ|(DOTNET|RUNNER)_.+"
    "|ACTIONS_RUNNER_(HOOK_.+|ACTION_ARCHIVE_CACHE|CONTAINER_HOOKS|PRINT_LOG_TO_STDOUT)"
)
PRIVATE_NAME = "TOKEN|SECRET|PASSWORD|CREDENTIAL|KEY|_PAT$"
# What looks like a credential of GitHub, Fly or an OIDC issuer, or is long enough to be a key.
LAST_LINES = 40  # so many lines are kept for a bad end, each cut to LAST_LINE characters
LAST_LINE = 300
LAST_BYTES = 7000  # the dispatcher takes no larger hook than 8 KiB
MASKED = (
    r"eyJ[\w-]{8,}(\.[\w-]*){0,2}|gh[a-z]_\w{16,}|github_pat_\w{16,}|fm[12][ar]?_\S{8,}|(?i:bearer|flyv1)\s+\S+"
    r"|\bA[A-Z0-9]{24,}\b|[A-Za-z0-9+/_-]{72,}={0,2}"
)


class Pace(NamedTuple):
    """Seconds and tries. Production uses these figures; tests pass shorter ones."""

    claim_gap: float = 1.0  # two claims start at least this far apart, however soon the server answers
    claim_read: float = 40.0  # above the 25 s for which the server holds a claim
    backoff_first: float = 0.5
    backoff_max: float = 10.0
    doubts: int = 5  # answers that a fresh token or a second look may cure
    oidc_tries: int = 4
    oidc_read: float = 5.0
    small_call: float = 1.5  # acknowledgement and hooks
    retry_wait: float = 5.0  # what GitHub's run-helper.sh waits before it starts the listener again
    update_wait: float = 30.0  # likewise, for update.finished
    restarts: int = 3
    gentle: float = 30.0  # the listener's own limit for cancelling a job when it is told to end
    kill_offline: float = 5.0


class World(NamedTuple):
    """Time and chance, given by ``main`` alone."""

    wall: Callable[[], float]
    ticks: Callable[[], float]
    entropy: Callable[[int], bytes]


class Settings(NamedTuple):
    """What the Machine's configuration says. Nothing in it is secret."""

    url: str
    claim_deadline: float
    skew_max: float
    fly_socket: str
    runner_dir: str
    docker: "Docker"


class Docker(NamedTuple):
    """The Docker engine, which entry.py started as a child of this process; ``pid`` 0: it did not."""

    pid: int
    log: str
    socket: str
    wait: float


class Answer(NamedTuple):
    """One HTTP exchange. Status 0: no whole answer, see ``problem``. ``skew``: how far our clock is off."""

    status: int
    body: bytes = b""
    skew: float = 0.0
    problem: str = ""


class Claim(NamedTuple):
    """One registration: a JIT config, or a registration token with the other arguments of config.sh."""

    runner: str
    jit: str
    token: str
    config: tuple[str, ...]
    hook_token: str
    online_deadline: float
    gate: Mapping[str, Any]


class Next(NamedTuple):
    """A decision: what to do, after how long; the exit code and its particulars when it is to end."""

    act: str
    wait: float = 0.0
    code: int = BROKEN
    detail: str = ""


class DeadEnd(Exception):
    """The agent is done: exit with ``code``."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


# ---- What is decided ----


def read_settings(env: Mapping[str, str]) -> Settings:
    """The settings in the environment; DeadEnd when one is missing or cannot be read."""
    from urllib.parse import urlsplit

    try:
        url = urlsplit(env.get("FLY_GHA_URL", ""))
        if url.scheme not in {"http", "https"} or not url.hostname or url.port == 0:
            raise DeadEnd(BROKEN, "FLY_GHA_URL must be the dispatcher's http or https URL")
        return Settings(
            url=env["FLY_GHA_URL"],
            claim_deadline=float(env.get("FLY_GHA_CLAIM_DEADLINE_S", "600")),
            skew_max=float(env.get("FLY_GHA_CLOCK_SKEW_MAX_S", "300")),
            fly_socket=env.get("FLY_API_SOCKET", "/.fly/api"),
            runner_dir=os.path.abspath(env.get("FLY_GHA_RUNNER_DIR", "/home/runner/actions-runner")),
            docker=Docker(
                pid=int(env.get("FLY_GHA_DOCKER_PID", "0")),
                log=env.get("FLY_GHA_DOCKER_LOG", "/var/log/dockerd.log"),
                socket=env.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"),
                wait=float(env.get("RUNNER_WAIT_FOR_DOCKER_IN_SECONDS", "0")),
            ),
        )
    except ValueError as error:
        raise DeadEnd(BROKEN, f"a setting cannot be read: {error}") from error


def after_claim(status: int, usable: bool, seen: Mapping[str, int], jitter: float, pace: Pace) -> Next:
    """What to do with the answer to a claim: take, ask again, back off, doubt (and try anew), or end.

    Args:
        status: HTTP status, 0 for none.
        usable: a 200 carried a registration that could be read.
        seen: how often each act was chosen since the dispatcher last said "nothing yet".
        jitter: 0 to 1.
        pace: figures.
    """
    if status == 200 and usable:
        return Next("take")
    if status == 204:
        return Next("ask")
    if status in {403, 409}:
        return Next("end", code=REFUSED, detail="the dispatcher refused this Machine's claim")
    if status == 410:
        return Next("end", code=RETIRED, detail="the dispatcher retired this Machine")
    act = "back_off" if status in {0, 408, 425, 429} or status >= 500 else "doubt"
    times = seen.get(act, 0) + 1
    if act == "back_off" or times < pace.doubts:
        return Next(act, wait=backoff(times, jitter, pace))
    detail = f"{times} answers that cannot be used, the last with status {status}"
    return Next("end", code=REFUSED if status == 401 else BROKEN, detail=detail)


def backoff(times: int, jitter: float, pace: Pace) -> float:
    """Seconds to wait: doubling up to a limit, the upper half of it by chance."""
    return min(pace.backoff_max, pace.backoff_first * 2.0 ** min(times - 1, 30)) * (0.5 + jitter / 2)


def clock_skew(stamp: str, sent: float, received: float) -> float:
    """Seconds between the server's time and our clock; a time within the exchange, or none, is no error."""
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]*)?", stamp):
        return 0.0
    return max(sent - float(stamp), float(stamp) - received, 0.0)


def read_claim(body: bytes) -> Claim | None:
    """The registration in a claim's answer, or None when it is not one."""
    try:
        answer = json.loads(body)
        given = answer["registration"]
        by_jit = {"jit": True, "token": False}[given["kind"]]
        claim = Claim(
            runner=answer["runner"],
            jit=given["jit_config"] if by_jit else "",
            token="" if by_jit else given["token"],
            config=() if by_jit else config_arguments(given),
            hook_token=answer["hook_token"],
            online_deadline=float(answer["online_deadline_s"]),
            gate=read_gate({} if answer.get("gate") is None else answer["gate"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    texts: list[Any] = [claim.runner, claim.hook_token, claim.jit or claim.token, *claim.config]
    sound = all(isinstance(text, str) and text and text.isprintable() for text in texts)
    return claim if sound and claim.online_deadline > 0 else None


def read_gate(given: Mapping[str, Any]) -> dict[str, Any]:
    """The gate in a claim's answer, as hook.py reads it. TypeError when it is none: nothing is guessed."""
    lists = {name: given.get(name, []) for name in ("repositories", "workflows", "events")}
    flags = {"private_only": given.get("private_only", False), "forks": given.get("forks", True)}
    texts = [text for names in lists.values() for text in (names if isinstance(names, list) else [None])]
    if not all(isinstance(text, str) for text in texts) or {*map(type, flags.values())} != {bool}:
        raise TypeError("a gate has three lists of text and two booleans")
    return {**lists, **flags}


def config_arguments(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The arguments of config.sh, without the token. A repository has no runner group to name."""
    group = ("--runnergroup", given["runner_group"]) if given.get("runner_group") else ()
    where = ("--name", given["name"], "--work", given.get("work_folder", "_work"), "--url", given["url"])
    fixed = ("--unattended", "--ephemeral", "--no-default-labels", "--disableupdate")
    return (*fixed, *group, "--labels", ",".join(given["labels"]), *where)


def read_reason(body: bytes) -> str:
    """The dispatcher's typed reason in an error body, or nothing: only such a word is ever logged."""
    with suppress(ValueError, TypeError, KeyError):
        reason = json.loads(body)["reason"]
        return str(reason) if re.fullmatch("[a-z_]{1,48}", reason) else ""
    return ""


def after_listener(code: int, online: bool, restarts: int, pace: Pace) -> Next:
    """What the listener's return code (negative: a signal) means: restart, update (and restart), or end.

    GitHub's run.sh flattens these to 0, which is why the listener is run without it. Zero alone does not
    say that a job ran, or even that the listener ever reached GitHub: hence ``online``.
    """
    if code == 0 and not online:
        return Next("end", code=OFFLINE, detail="the listener ended before it was online")
    if code == 0:
        return Next("end", code=DONE, detail="the listener ended well")
    if code == 7:
        return Next("end", code=OUTDATED, detail="GitHub no longer accepts this runner version")
    if code in {2, 3, 4, 6} and restarts < pace.restarts:
        act, wait = ("update", pace.update_wait) if code in {3, 4} else ("restart", pace.retry_wait)
        return Next(act, 0.0 if code == 6 else wait, detail=f"the listener returned {code}")
    meaning = {1: "terminated", 2: "retried in vain", 5: "session conflict"}.get(code, "unexpected")
    return Next("end", code=FAILED, detail=f"the listener returned {code} ({meaning})")


def clean_environment(own: Mapping[str, str], name: str, home: str, root: bool) -> dict[str, str]:
    """The environment of config.sh and the listener, without what only they may know."""
    env = {key: own[key] for key in own if re.fullmatch(KEPT, key) and not re.search(PRIVATE_NAME, key)}
    path = own.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    env |= {"PATH": path, "LANG": own.get("LANG", "C.UTF-8"), "HOME": home, "USER": name}
    env["ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE"] = "1"  # else an outdated runner returns 1
    return env | ({"RUNNER_ALLOW_RUNASROOT": "1"} if root else {})


def hook_folder(temporary: str, unguessable: str) -> str:
    """Where the hooks' scripts and socket lie. A unix socket's address has room for 107 bytes."""
    folder = f"{temporary}/fly-gha-{unguessable}"
    return folder if len(os.fsencode(folder)) <= 96 else f"/tmp/fly-gha-{unguessable}"  # noqa: S108 - unguessable


def hook_body(verb: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """What is forwarded of a hook's words. Job code may have written them: only the agreed shape passes."""
    if verb != "started":
        return {}
    run_id = str(said.get("run_id", ""))
    body = {key: str(said.get(key, ""))[:256] for key in ("job", "repository", "workflow")}
    if re.fullmatch("[a-z_]{1,32}", str(said.get("refused"))):
        body["refused"] = said["refused"]
    return {"run_id": int(run_id) if re.fullmatch("[0-9]{1,18}", run_id) else None, **body}


def mask(text: str, secrets: Iterable[str]) -> str:
    """The text without known secrets and without anything that looks like one."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return re.sub(MASKED, "***", text)


# ---- HTTP ----


class Dispatcher:
    """POSTs to the dispatcher over one kept connection; every failure is an Answer with status 0."""

    def __init__(self, url: str, wall: Callable[[], float]) -> None:
        import http.client
        from urllib.parse import urlsplit

        parts = urlsplit(url)
        host, self._wall = str(parts.hostname), wall
        self._base, self._failures = parts.path.rstrip("/"), (OSError, http.client.HTTPException)
        self._connection = http.client.HTTPConnection(host, parts.port)
        if parts.scheme == "https":
            self._connection = http.client.HTTPSConnection(host, parts.port)

    def post(self, path: str, bearer: str, body: Mapping[str, Any], timeout: float) -> Answer:
        """One exchange; ``timeout`` bounds each wait on the network, in seconds."""
        headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
        self._connection.timeout = timeout
        if self._connection.sock is not None:
            self._connection.sock.settimeout(timeout)
        sent = self._wall()
        try:
            self._connection.request("POST", self._base + path, json.dumps(body), headers)
            response = self._connection.getresponse()
            content = response.read()
        except self._failures as error:
            self.close()
            problem = f"{type(error).__name__} {getattr(error, 'strerror', None) or ''}"
            return Answer(0, problem=problem.strip())
        skew = clock_skew(response.getheader("X-Fly-Gha-Now", ""), sent, self._wall())
        return Answer(response.status, content, skew)

    def close(self) -> None:
        """End the connection; the next exchange opens another."""
        self._connection.close()


def mint_identity(fly_socket: str, audience: str, timeout: float) -> str:
    """An OIDC token that says which Machine this is. OSError or ValueError when Fly's socket has none."""
    status, body = ask_socket(fly_socket, "POST", "/v1/tokens/oidc", json.dumps({"aud": audience}), timeout)
    token = body.decode("ascii").strip()
    if status != 200 or not re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", token):
        raise ValueError(f"status {status}")
    return token


def ask_socket(path: str, method: str, target: str, body: str, timeout: float) -> tuple[int, bytes]:
    """One HTTP exchange over a unix socket: status and body. OSError or ValueError when there is none."""
    import http.client

    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.settimeout(timeout)
        connection.sock.connect(path)
        connection.request(method, target, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    except http.client.HTTPException as error:
        raise ValueError(type(error).__name__) from error
    finally:
        connection.close()


# ---- The hooks ----


class Hooks:
    """Forwards hooks one after the other, so that the hook token never leaves this process.

    The job's hook scripts reach us over a unix socket, and so can the job: each verb passes once.
    """

    def __init__(
        self, dispatcher: Dispatcher, claim: Claim, folder: str, patience: float, say: "Say"
    ) -> None:
        self._dispatcher, self._token, self._gate = dispatcher, claim.hook_token, claim.gate
        self._folder, self._say = folder, say
        self.address, self._patience, self._closing = f"{folder}/agent.sock", patience, False
        self.passed: set[str] = set()
        self.refused = False

    def open(self) -> dict[str, str]:
        """Write the scripts and start to listen. Returns the variables that make the runner call them."""
        import shlex
        import threading

        os.mkdir(self._folder)
        os.chmod(self._folder, 0o755)  # noqa: S103 - the runner's user must get in, and may change nothing
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(self.address)
        os.chmod(self.address, 0o666)  # noqa: S103 - likewise
        self._listening.listen(16)
        threading.Thread(target=self._serve, daemon=True).start()
        with open(f"{self._folder}/gate.json", "w", encoding="utf-8") as file:
            json.dump(self._gate, file)
        os.chmod(file.name, 0o644)
        program = f"{os.path.dirname(os.path.abspath(__file__))}/hook.py"
        scripts = {verb: f"{self._folder}/{verb}.sh" for verb in HOOKS}
        for verb, script in scripts.items():
            call = (sys.executable, "-I", "-S", program, verb, self.address)
            with open(script, "w", encoding="utf-8") as file:
                file.write(HOOK_SCRIPT.format(call=shlex.join(call)))
            os.chmod(script, 0o755)  # noqa: S103 - likewise
        return {HOOKS[verb]: script for verb, script in scripts.items()}

    def close(self) -> None:
        """Let what was said before be delivered, within two hooks' time, and remove the scripts."""
        self._closing = True
        knock(self.address, {}, 2 * self._patience)
        for name in os.listdir(self._folder):
            os.unlink(f"{self._folder}/{name}")
        os.rmdir(self._folder)

    def _serve(self) -> None:
        said: Any = None
        while not (self._closing and said == {}):
            caller, _ = self._listening.accept()
            with caller, suppress(OSError, ValueError, AttributeError, RecursionError):
                caller.settimeout(self._patience)
                said = json.loads(caller.makefile("rb").readline(8192))
                verb = str(said.get("hook"))
                if verb in {"online", *HOOKS} - self.passed:
                    self.passed.add(verb)
                    path, body = f"/v1/hooks/{verb}", hook_body(verb, said)
                    if "refused" in body:
                        self.refused = True
                        self._say("refused", f"the job, by the pool's gate: {body['refused']}")
                    answer = self._dispatcher.post(path, self._token, body, self._patience)
                    self._dispatcher.close()  # a job is longer than any proxy keeps an idle connection
                    self._say(f"hook_{verb}", answer.problem or str(answer.status))
                caller.sendall(b"ok\n")


def knock(address: str, message: Mapping[str, Any], wait: float) -> None:
    """Say one thing to the agent and wait at most so many seconds until it was passed on. Never raises."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as agent:
        agent.settimeout(wait or 0.5)
        agent.connect(address)
        agent.sendall(json.dumps(message).encode() + b"\n")
        if wait:
            agent.recv(16)


# ---- What is done ----


class Say:
    """One line of JSON per step on stderr; secrets are masked."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self.secrets: tuple[str, ...] = ()
        self.last: list[str] = []

    def __call__(self, step: str, detail: str = "") -> None:
        """Print one step."""
        masked = mask(detail, self.secrets)
        self._keep(f"{step}: {masked}")
        write_line(2, json.dumps({"at": round(self._wall(), 3), "step": step, "detail": masked}))

    def quote(self, line: str) -> None:
        """Pass on a line of the runner's on stdout."""
        masked = mask(line, self.secrets)
        self._keep(masked)
        write_line(1, masked)

    def _keep(self, masked: str) -> None:
        self.last = [*self.last[1 - LAST_LINES :], masked[:LAST_LINE]]


def write_line(descriptor: int, text: str) -> None:
    """Write all of it. A log that nobody reads any more is no reason to end a job."""
    data = text.encode("utf-8", "replace") + b"\n"
    with suppress(OSError):
        while data:
            data = data[os.write(descriptor, data) :]


class Agent:
    """Lives the story once: claim, acknowledge, prepare, listen; then it has an exit code."""

    def __init__(self, env: Mapping[str, str], world: World, pace: Pace, user: str = "runner") -> None:
        self._env, self._world, self._pace, self._user = env, world, pace, user
        self._say, self._born = Say(world.wall), world.ticks()
        self._claiming, self._told_to_end, self._seen_online = False, False, False
        self._hooks: Hooks | None = None
        self._hook_token = ""
        self._docker_pid, self._unfinished = 0, False

    def run(self) -> int:
        """The exit code; whatever happens, it returns."""
        try:
            self._watch_signals()
            self._settings = settings = read_settings(self._env)
            self._docker_pid = settings.docker.pid
            self._say("boot", f"{AGENT} for {settings.url}")
            dispatcher = Dispatcher(settings.url, self._world.wall)
            claim = self._claim(dispatcher)
            env = self._prepare(claim, dispatcher)
            self._wait_for_docker()
            end = self._listen(env)
        except DeadEnd as dead_end:
            end = dead_end
        except Exception as error:  # noqa: BLE001 - the last defence against a Machine that hangs
            trace = error.__traceback__
            while trace and trace.tb_next and trace.tb_next.tb_frame.f_code.co_filename == __file__:
                trace = trace.tb_next
            line = trace.tb_lineno if trace else 0  # its words may hold a secret, where it happened cannot
            end = DeadEnd(BROKEN, f"unexpected {type(error).__name__} in line {line}")
        for number in (
            signal.SIGTERM,
            signal.SIGINT,
        ):  # it is ending; a second signal must not spoil the code
            signal.signal(number, signal.SIG_IGN)
        if self._hooks:
            with suppress(OSError):
                self._hooks.close()
        self._say("exit", f"{end.code} {EXITS[end.code]}: {end.detail}")
        if self._hook_token and (end.code != DONE or self._unfinished):
            self._leave_last_lines()
        return end.code

    def _leave_last_lines(self) -> None:
        """The disk ends with the Machine, so what led to a bad end goes to the dispatcher, once."""
        lines = self._say.last
        while len(json.dumps(lines)) > LAST_BYTES:
            lines = lines[1:]
        with suppress(Exception):
            dispatcher = Dispatcher(self._settings.url, self._world.wall)
            dispatcher.post("/v1/hooks/ended", self._hook_token, {"lines": lines}, self._pace.small_call)

    # -- signals and time

    def _watch_signals(self) -> None:
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        self._waker.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler of any kind lets the wake-up through
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGALRM:
            raise DeadEnd(TIMEOUT, "no registration until the claim deadline")
        self._told_to_end = True
        if self._claiming:
            self._end_if_told()

    def _end_if_told(self) -> None:
        if self._told_to_end:
            raise DeadEnd(RETIRED, "told to end by a signal")

    def _wait(self, seconds: float) -> None:
        """Until a signal came or a child ended; seconds at most."""
        if select.select([self._wake], [], [], max(0.0, seconds))[0]:
            self._wake.recv(4096)

    def _pause(self, seconds: float, unless: str = "") -> None:
        """Let time pass, until such a file appears, but not past a request to end."""
        end = self._world.ticks() + seconds
        while (left := end - self._world.ticks()) > 0 and not (unless and os.path.exists(unless)):
            self._wait(min(left, 0.2))
            self._end_if_told()

    # -- the claim

    def _claim(self, dispatcher: Dispatcher) -> Claim:
        import base64

        body = {
            "nonce": base64.urlsafe_b64encode(self._world.entropy(32)).decode().rstrip("="),
            "agent": AGENT,
        }
        due = self._born + self._settings.claim_deadline - self._world.ticks()
        try:
            # Both the alarm (again each second in case a destructor swallowed it) and a request to end raise
            # in whatever is being waited for.
            self._claiming = True
            self._end_if_told()
            signal.setitimer(signal.ITIMER_REAL, max(0.001, due), 1.0)
            claim = self._ask(dispatcher, body)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self._claiming = False
        self._say.secrets = tuple(text for text in (claim.jit, claim.token, claim.hook_token) if text)
        self._hook_token = claim.hook_token
        self._online_by = self._world.ticks() + claim.online_deadline
        self._say("claimed", f"{claim.runner} by {'jit' if claim.jit else 'token'}")
        path, told = "/v1/claim/ack", {"nonce": body["nonce"]}
        answer = dispatcher.post(path, claim.hook_token, told, self._pace.small_call)
        if not answer.status:  # a lost acknowledgement is harmless: what was handed out expires
            answer = dispatcher.post(path, claim.hook_token, told, self._pace.small_call)
        dispatcher.close()
        self._say("acknowledged", answer.problem or str(answer.status))
        if answer.status == 410:
            raise DeadEnd(RETIRED, "the dispatcher retired this runner before it began")
        return claim

    def _ask(self, dispatcher: Dispatcher, body: Mapping[str, str]) -> Claim:
        seen: dict[str, int] = {}
        while True:
            began = self._world.ticks()
            answer = dispatcher.post("/v1/claim", self._identity(), body, self._pace.claim_read)
            if answer.skew > self._settings.skew_max:
                raise DeadEnd(CLOCK, f"this clock is {answer.skew:.0f} s off the dispatcher's")
            claim = read_claim(answer.body) if answer.status == 200 else None
            jitter = self._world.entropy(1)[0] / 255
            decision = after_claim(answer.status, claim is not None, seen, jitter, self._pace)
            if claim:
                return claim
            reason = answer.problem or read_reason(answer.body)
            self._say("claim", f"{answer.status or 'no answer'} {reason}".strip())
            if decision.act == "end":
                raise DeadEnd(decision.code, f"{decision.detail} {reason}".strip())
            seen = {**seen, decision.act: seen.get(decision.act, 0) + 1} if decision.act != "ask" else {}
            self._pause(max(decision.wait, began + self._pace.claim_gap - self._world.ticks()))

    def _identity(self) -> str:
        problem = ""
        for times in range(1, self._pace.oidc_tries + 1):
            try:
                return mint_identity(self._settings.fly_socket, self._settings.url, self._pace.oidc_read)
            except (OSError, ValueError) as error:
                problem = f"{type(error).__name__} {error}"
            self._say("oidc", problem)
            self._pause(backoff(times, 1.0, self._pace))
        raise DeadEnd(NO_OIDC, f"no OIDC token from {self._settings.fly_socket}: {problem}")

    # -- the runner

    def _prepare(self, claim: Claim, dispatcher: Dispatcher) -> dict[str, str]:
        """Configure the runner and put the hooks in place. Returns the listener's environment."""
        import pwd

        self._account = None
        if os.geteuid() == 0:
            with suppress(KeyError):
                self._account = pwd.getpwnam(self._user)
        name, home = self._env.get("USER") or str(os.geteuid()), self._env.get("HOME") or "/"
        if self._account:
            name, home = self._account.pw_name, self._account.pw_dir
        env = clean_environment(self._env, name, home, os.geteuid() == 0 and not self._account)
        if claim.token:
            only_now = {**env, "ACTIONS_RUNNER_INPUT_TOKEN": claim.token}
            code = self._run_child(["./config.sh", *claim.config], only_now, CONFIG)
            self._say("configured", f"config.sh returned {code}")
            if code:
                self._print_diagnostics()
                raise DeadEnd(CONFIG, f"config.sh returned {code}")
        folder = hook_folder(self._env.get("TMPDIR", "/tmp"), self._world.entropy(8).hex())  # noqa: S108 - likewise
        self._hooks = Hooks(dispatcher, claim, folder, self._pace.small_call, self._say)
        env |= self._hooks.open()
        return env | ({"ACTIONS_RUNNER_INPUT_JITCONFIG": claim.jit} if claim.jit else {})

    def _wait_for_docker(self) -> None:
        """Let the engine come up, as GitHub's run-helper.sh does; a job that needs none runs without it."""
        docker, began = self._settings.docker, self._world.ticks()
        end = min(began + docker.wait, self._online_by)
        while self._docker_pid and (left := end - self._world.ticks()) > 0:
            with suppress(OSError, ValueError):
                if ask_socket(docker.socket, "GET", "/_ping", "", min(left, 1.0))[0] == 200:
                    self._say("docker", f"ready {self._world.ticks() - began:.1f} s after the claim")
                    return
            self._pause(0.1)
            self._reap()
        if self._docker_pid and docker.wait:
            self._say("docker", f"not ready {docker.wait:g} s after the claim: the job starts without")

    def _listen(self, env: Mapping[str, str]) -> DeadEnd:
        restarts, updated = 0, f"{self._settings.runner_dir}/update.finished"
        while True:
            code = self._run_child(["./bin/Runner.Listener", "run"], env, FAILED)
            decision = after_listener(code, self._is_online(), restarts, self._pace)
            if decision.act == "end":
                passed = set() if not self._hooks or self._hooks.refused else self._hooks.passed
                if decision.code == DONE and "started" in passed and "completed" not in passed:
                    self._unfinished = True
                    self._say(
                        "unfinished", "its job began and no completed hook came: was its worker killed?"
                    )
                if decision.code != DONE or self._unfinished:
                    self._print_diagnostics()
                return DeadEnd(decision.code, decision.detail)
            restarts += 1
            self._say(decision.act, decision.detail)
            self._pause(decision.wait, unless=updated if decision.act == "update" else "")
            with suppress(FileNotFoundError):
                os.unlink(updated)

    def _is_online(self) -> bool:
        """The listener said so, or a job called already: GitHub may change the words it prints."""
        return self._seen_online or bool(self._hooks and "started" in self._hooks.passed)

    def _run_child(self, call: list[str], env: Mapping[str, str], code: int) -> int:
        """Run to its end, passing its output on; its return code.

        Raises:
            DeadEnd: it cannot be started (then with ``code``), was not ready in time, or we are told to end.
        """
        import threading

        self._end_if_told()
        self._say("start", call[0])
        child = self._start(call, env, code)
        reader = threading.Thread(target=self._pass_on, args=(child,), daemon=True)
        reader.start()
        end, kill_at = None, 0.0
        while child.returncode is None:
            now, online = self._world.ticks(), self._is_online()
            if end is None and (self._told_to_end or (not online and now >= self._online_by)):
                late = OFFLINE if code == FAILED else code
                end = DeadEnd(late, "the runner was not ready before the online deadline")
                if self._told_to_end:
                    end = DeadEnd(RETIRED, "told to end by a signal")
                self._say("stop", end.detail)
                os.kill(
                    child.pid, signal.SIGINT
                )  # what run.sh sends: the listener cancels its job, signs off
                kill_at = now + (self._pace.gentle if self._told_to_end else self._pace.kill_offline)
            elif end and now >= kill_at:
                os.kill(child.pid, signal.SIGKILL)
                kill_at = now + 1.0
            due = kill_at if end else now + 60 if online else self._online_by
            self._wait(min(due - now, 60))
            self._reap(child)
        reader.join(1.0)  # its last words; a process left behind may hold the pipe longer
        if end:
            if not self._told_to_end:
                self._print_diagnostics()
            raise end
        return child.returncode

    def _start(self, call: list[str], env: Mapping[str, str], code: int) -> "subprocess.Popen[bytes]":
        import subprocess

        account, pipe = self._account, subprocess.PIPE
        try:
            return subprocess.Popen(  # noqa: S603 - the image's own files
                call,
                cwd=self._settings.runner_dir,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=pipe,
                stderr=subprocess.STDOUT,
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=os.getgrouplist(account.pw_name, account.pw_gid) if account else None,
            )
        except OSError as error:
            raise DeadEnd(code, f"{call[0]} cannot be started: {error.strerror}") from error

    def _pass_on(self, child: "subprocess.Popen[bytes]") -> None:
        """The child's output to ours, line by line and masked, so that Fly keeps it as logs."""
        while child.stdout and (line := child.stdout.readline(65_536)):
            self._say.quote(line.decode("utf-8", "replace").rstrip("\n"))
            if ONLINE_TEXT in line and self._hooks and not self._seen_online:
                self._seen_online = True
                self._say("online", "the listener waits for its job")
                knock(self._hooks.address, {"hook": "online"}, 0)

    def _reap(self, child: "subprocess.Popen[bytes] | None" = None) -> None:
        """Collect every ended child: as process 1 we inherit the orphans of the job, and dockerd is ours."""
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                code = os.waitstatus_to_exitcode(ended[1])
                if child and ended[0] == child.pid:
                    child.returncode = code
                elif ended[0] == self._docker_pid:
                    self._docker_pid = 0
                    self._say("docker", f"dockerd ended with code {code}: no step can use Docker any more")
                    self._quote_tail(self._settings.docker.log)

    def _quote_tail(self, path: str) -> None:
        with suppress(OSError):
            for line in read_tail(path):
                self._say.quote(line)

    def _print_diagnostics(self) -> None:
        """The ends of Docker's and of the runner's newest logs, which vanish with the Machine."""
        if self._docker_pid:
            self._say("diagnostics", "dockerd")
            self._quote_tail(self._settings.docker.log)
        with suppress(OSError):
            plain = [log for log in os.scandir(f"{self._settings.runner_dir}/_diag") if log.is_file()]
            logs = [log for log in plain if log.name.endswith(".log") and not log.is_symlink()]
            for log in sorted(logs, key=lambda log: log.stat().st_mtime)[-3:]:
                self._say("diagnostics", log.name)
                self._quote_tail(log.path)


def read_tail(path: str, size: int = 16_384) -> list[str]:
    """The last 40 lines, of plain files only: the job may have put anything there, and we may be root."""
    import stat

    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            return []
        file.seek(max(0, about.st_size - size))
        lines = file.read(size).decode("utf-8", "replace").splitlines()
    return lines[1 if about.st_size > size else 0 :][-40:]  # a cut line may begin inside a secret


def main() -> NoReturn:
    """The agent, at the pace of production."""
    sys.exit(Agent(os.environ, World(time.time, time.monotonic, os.urandom), Pace()).run())


if __name__ == "__main__":
    main()
