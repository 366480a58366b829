"""A small fleet for the API's tests: a real SQLite store, a hand-moved clock, the real planner's answers."""

import asyncio
import hashlib
import hmac
import json
from dataclasses import dataclass, field

import httpx
from pydantic import SecretStr

from runners.api.access import new_token
from runners.api.app import build_api
from runners.api.changes import Changes
from runners.api.intake import Intake
from runners.control.cost import Prices
from runners.control.loop import LoopHealth
from runners.control.meters import Meters
from runners.model.nouns import Boot, Job, Machine, Runner
from runners.model.reason import Reason
from runners.model.settings import Settings
from runners.model.snapshot import Limits, Pool, Snapshot
from runners.model.states import JobState, MachineState, RunnerState
from runners.planning.explain import explain
from runners.planning.forecast import forecast
from runners.planning.planner import plan
from runners.store import events, jobs, machines, runners, tokens

NOW = 1_795_000_000.0
SECRET = "webhook-secret-of-the-test"
SETTINGS = {
    "fleet": {"name": "test", "max_machines": 20},
    "github": {"organizations": ["acme", "globex"], "webhook_max_bytes": 65_536},
    "fly": {"image": "registry.fly.io/runner@sha256:" + "a" * 64},
    "pools": [
        {"name": "gha-small", "scope": "orgs/acme", "apps": ["app-a"], "max_machines": 2},
        {"name": "gha-medium", "scope": "orgs/acme", "apps": ["app-b"], "max_machines": 3},
        {"name": "gha-web", "scope": "repos/acme/web", "apps": ["app-a"], "labels": ["web", "linux"]},
        {"name": "globex-pool", "scope": "orgs/globex", "apps": ["app-c"], "labels": ["globex"]},
    ],
}


class HandClock:
    def __init__(self, at=NOW):
        self.at = at

    def now(self):
        return self.at

    async def sleep(self, seconds):
        # Short waits pass at once; a heartbeat's never does by itself.
        if seconds < 1:
            await asyncio.sleep(0)
        else:
            await asyncio.Event().wait()


@dataclass
class View:
    snapshot: Snapshot
    plan: object
    whys: dict
    forecasts: dict


@dataclass
class World:
    store: object
    settings: Settings
    clock: HandClock = field(default_factory=HandClock)
    changes: Changes = field(default_factory=Changes)
    latest: View | None = None
    secrets: dict = field(default_factory=lambda: {"GITHUB_WEBHOOK_SECRET": SECRET})
    missing: dict = field(default_factory=dict)
    left: dict = field(default_factory=dict)
    ageing: dict = field(default_factory=dict)
    blocked_until: dict = field(default_factory=dict)
    health: list = field(default_factory=list)
    woken: int = 0
    wakes: list = field(default_factory=list)
    acts: bool = True
    made: int = 0
    meters: Meters = field(default_factory=Meters)

    def __post_init__(self):
        self.health = [LoopHealth("planner", 5.0, passes=1, last_pass_at=self.clock.now())]
        self.intake = Intake(self.store, self.clock, self.settings, self._wake)
        self.app = build_api(self)
        self.client = self.connect()

    def connect(self, **headers):
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://fleet", headers=headers)

    def _wake(self):
        self.woken += 1

    def wake(self, loop):
        self.wakes.append(loop)

    def loops(self):
        return self.health

    def blocked(self):
        return self.blocked_until

    def secret(self, name):
        value = self.secrets.get(name)
        return None if value is None else SecretStr(value)

    def missing_credentials(self):
        return self.missing

    def tokens_left(self):
        return self.left

    def ageing_credentials(self):
        return self.ageing

    @property
    def prices(self):
        return Prices(lambda _class, _region: 0.6, lambda _class: 0.01)

    def entropy(self, size):
        self.made += 1
        return hashlib.shake_256(str(self.made).encode()).digest(size)

    async def token(self, *scopes, **limits):
        made = new_token(self.entropy, name="test", scopes=scopes, now=self.clock.now(), **limits)
        await self.store.run(lambda conn: tokens.insert(conn, made.row, made.secret_hash))
        return made.text.get_secret_value()

    async def reader(self, **limits):
        token = await self.token("read", **limits)
        return self.connect(authorization=f"Bearer {token}")

    async def deliver(self, body, event="workflow_job", guid=None, **headers):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.made += 1
        sent = {
            "content-type": "application/json",
            "x-github-event": event,
            "x-github-delivery": guid or f"00000000-0000-0000-0000-{self.made:012d}",
            "x-hub-signature-256": sign(raw),
        }
        sent = {name: value for name, value in {**sent, **headers}.items() if value is not None}
        return await self.client.post("/webhooks/github", content=raw, headers=sent)

    async def job(self, job_id):
        return await self.store.run(lambda conn: jobs.get(conn, job_id))

    async def runner(self, name):
        return await self.store.run(lambda conn: runners.get(conn, name))

    async def events(self, **filters):
        return await self.store.run(lambda conn: events.page(conn, **filters))

    async def add_job(self, job_id, **fields):
        row = make_job(job_id, **fields)
        await self.store.run(lambda conn: jobs.insert(conn, row, actor="webhook", reason=Reason.DEMAND))
        return row

    async def add_runner(
        self, name, *, state=RunnerState.IDLE, pool="gha-small", scope="orgs/acme", **fields
    ):
        machine = f"m-{name}"
        at = self.clock.now()
        boot = Boot(machine, 1, at - 50, started_at=at - 45, ready_at=at - 40)
        row = Machine(
            name=machine, pool=pool, machine_class=pool, image="image", app="app-a", region="iad",
            fly_id=f"id{name}", state=MachineState.BOUND, requested_at=at - 50, state_at=at, boot=boot,
        )  # fmt: skip
        runner = Runner(
            name=name, pool=pool, scope=scope, machine_name=machine, boot_seq=1, registration="jit",
            state=state, requested_at=at - 50, state_at=at, mint_sent_at=at - 50, claimed_at=at - 38,
            **fields,
        )  # fmt: skip

        def op(conn):
            machines.insert(conn, row, actor="planner", reason=Reason.DEMAND)
            runners.insert(conn, runner, actor="planner", reason=Reason.DEMAND)

        await self.store.run(op)
        return runner

    async def plan(self, **fields):
        """One pass of the real planner over the stored rows."""

        def read(conn):
            return jobs.live(conn), machines.live(conn), runners.live(conn)

        found = await self.store.run(read)
        snapshot = Snapshot(
            now=self.clock.now(), timing=self.settings.timing, fleet_name="test", image="image",
            max_machines=20, limits=Limits(), jobs=found[0], machines=found[1], runners=found[2],
            pools=tuple(Pool(pool, usd_per_hour=0.6, spent_today_usd=1.5) for pool in self.settings.pools),
            **fields,
        )  # fmt: skip
        decided = plan(snapshot)
        self.latest = View(snapshot, decided, explain(snapshot, decided), forecast(snapshot, decided))
        return self.latest


def settings(**changes):
    merged = {**SETTINGS, **{name: value for name, value in changes.items() if name == "pools"}}
    for section in ("fleet", "github"):
        merged[section] = {**SETTINGS[section], **changes.get(section, {})}
    return Settings.model_validate(merged)


def sign(raw, secret=SECRET):
    return "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


def payload(
    job_id, status="queued", *, labels=("fly-gha-small",), repository="acme/api", action=None, **fields
):
    run_id = job_id * 10
    job = {
        "id": job_id, "run_id": run_id, "run_attempt": 1, "name": "build", "workflow_name": "CI",
        "status": status, "conclusion": None, "labels": list(labels), "head_branch": "main",
        "html_url": f"https://github.com/{repository}/actions/runs/{run_id}/job/{job_id}",
        "created_at": "2026-11-18T11:06:30Z", "started_at": "2026-11-18T11:06:30Z", "completed_at": None,
        "runner_id": None, "runner_name": None,
    }  # fmt: skip
    top = {
        "action": action or status,
        "repository": {"full_name": repository, "private": fields.pop("private", True)},
        "installation": {"id": fields.pop("installation", 7)},
    }
    return {**top, "workflow_job": {**job, **fields}}


def make_job(job_id, **fields):
    run_id = job_id * 10
    values = {
        "id": job_id, "run_id": run_id, "run_attempt": 1, "name": "build", "workflow_name": "CI",
        "repository": "acme/api", "installation_id": 7, "labels": ("fly-gha-small",), "head_branch": "main",
        "html_url": "https://github.com/acme/api", "private": True, "pool": "gha-small",
        "state": JobState.QUEUED, "conclusion": None, "created_at": NOW - 60, "accepted_at": NOW - 50,
        "queued_at": NOW - 50,
    }  # fmt: skip
    return Job(**{**values, **fields})
