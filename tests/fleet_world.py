"""A whole fleet in one process: the real dispatcher, a real SQLite file, the simulators behind its clients.

Nothing between them is faked but the network: every call goes through httpx to an ASGI app. Time stands still
until a test moves it, and no loop runs until a test runs its pass.
"""

import asyncio
import contextlib
import functools
import json
import pathlib
import re
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from runners.cli.serve import build_dispatcher
from runners.connections import connect
from runners.control.machine_list import machine_list_pass
from runners.control.planner import planner_pass
from runners.control.runner_list import runner_list_pass
from runners.fleet import Fleet, Seams
from runners.model.settings import Settings
from runners.store import events, jobs, machines, runners
from runners.store.engine import InlineStore, open_store
from simulator.fly import FlySim
from simulator.fly import face as fly_face
from simulator.fly.body import BodyExit
from simulator.github import face as github_face
from simulator.github.accounts import RepositorySpec
from simulator.github.courier import Bell, Courier
from simulator.github.jobs import JobOrder, RunOrder, StepOrder
from simulator.github.model import GitHubSim
from simulator.infisical import face as infisical_face
from simulator.infisical.identities import LESSEE, Identity
from simulator.infisical.leases import GitHubDynamicSecret
from simulator.infisical.model import InfisicalSim

START = 1_790_000_000.0
URL = "http://dispatcher.test"
FLY_TOKEN = "fm2_simulated-fly-token"
WEBHOOK_SECRET = "the-webhook-secret-of-these-tests"
FLEET_KEY = "the-fleet-key-of-these-tests-0123456789"
DIGEST = "sha256:" + "a" * 64
IMAGE = f"registry.fly.io/runner:1@{DIGEST}"
APP_ID = 4711
FLY_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
APP_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
# Simulated answers take a moment; that moment does not move the clock.
MOMENT = 0.001
# A condition that is not met within this many seconds never will be.
PATIENCE = 10.0


class HandClock:
    """Time as told."""

    def __init__(self) -> None:
        self.time = START

    def now(self):
        return self.time

    async def sleep(self, seconds):
        await asyncio.sleep(MOMENT)


class HeldBody:
    """Bodies that run until a test, or FlySim, ends them."""

    def __init__(self):
        self.running = {}

    def start(self, boot):
        self.running[boot.machine_id] = boot

    def exit(self, machine_id, code=0, signal=-1):
        self.running.pop(machine_id).exited(BodyExit(code, signal))

    def signal(self, machine_id, signum):
        self.exit(machine_id, 128 + signum, signum)

    def kill(self, machine_id):
        self.exit(machine_id, 137, 9)

    def freeze(self, machine_id):
        """Held already."""

    def thaw(self, machine_id):
        """Held still."""

    def log(self, machine_id):
        return ""

    async def close(self):
        self.running.clear()


@dataclass
class Rule:
    """What happens to matching calls: ``down``, ``lose`` or ``hold`` (the answer), ``delay``, ``answer``."""

    what: str
    method: str
    path: re.Pattern
    host: str = ""
    times: int = 10_000
    status: int = 0
    body: dict = field(default_factory=dict)
    met: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)


class Network(httpx.AsyncBaseTransport):
    """Carries requests to the simulators by host name, and fails as it is told."""

    def __init__(self):
        self.hosts = {}
        self.rules = []
        self.calls = []

    def rule(self, what, method, path, **more):
        made = Rule(what, method, re.compile(path), **more)
        self.rules.append(made)
        return made

    def down(self, host):
        return self.rule("down", "", "", host=host)

    def mend(self):
        self.rules.clear()

    def count(self, method, path):
        return sum(1 for sent, where in self.calls if sent == method and re.search(path, where))

    async def handle_async_request(self, request):
        host, path = request.url.host, request.url.path
        self.calls.append((request.method, path))
        rule = next((r for r in self.rules if self._fits(r, request.method, host, path)), None)
        if rule is None:
            return await self.hosts[host].handle_async_request(request)
        rule.met += 1
        rule.reached.set()
        if rule.what == "down":
            raise httpx.ConnectError("nobody answers", request=request)
        if rule.what == "answer":
            return httpx.Response(rule.status, json=rule.body, request=request)
        if rule.what == "delay":
            await rule.released.wait()
        answer = await self.hosts[host].handle_async_request(request)
        if rule.what == "delay":
            return answer
        if rule.what == "hold":
            await rule.released.wait()
            return answer
        await answer.aread()
        raise httpx.ReadTimeout("the answer is lost", request=request)

    def _fits(self, rule, method, host, path):
        return (
            rule.met < rule.times
            and rule.method in ("", method)
            and rule.host in ("", host)
            and rule.path.search(path) is not None
        )


class Agent:
    """The boot agent and the listener of one Machine, as the dispatcher and GitHub see them."""

    def __init__(self, world, machine):
        self.world = world
        self.machine = machine
        self.nonce = f"nonce-of-{machine.name}".ljust(43, "x")
        self.hook_token = ""
        self.runner = ""
        self.session = None

    @property
    def boot(self):
        return self.world.body.running[self.machine.id]

    def token(self, audience=URL):
        return self.world.fly.oidc.mint(self.machine, audience, self.world.clock.now())

    def claims(self, **changes):
        """The claims of a genuine token with some of them changed; None removes one."""
        said = {**jwt.decode(self.token(), options={"verify_signature": False}), **changes}
        return {name: value for name, value in said.items() if value is not None}

    async def claim(self, token=None, nonce=None, **more):
        return await self.world.post(
            "/v1/claim", self.token() if token is None else token, {"nonce": nonce or self.nonce}, **more
        )

    async def take(self):
        """Claim until the registration is there, and acknowledge it."""
        answer = await self.claim()
        assert answer.status_code == 200, answer.text
        body = answer.json()
        self.hook_token, self.runner = body["hook_token"], body["runner"]
        assert (await self.acknowledge()).status_code == 204
        return body

    async def acknowledge(self):
        return await self.world.post("/v1/claim/ack", self.hook_token, {"nonce": self.nonce})

    async def hook(self, name, **body):
        return await self.world.post(f"/v1/hooks/{name}", self.hook_token, body)

    async def listen(self):
        """Take the registration, configure, and go online at GitHub."""
        body = await self.take()
        github, given = self.world.github, body["registration"]
        if given["kind"] == "token":
            wish = {"name": given["name"], "labels": given["labels"], "runner_group": given["runner_group"]}
            scope = "orgs/" + given["url"].removeprefix("http://github.sim/")
            runner = github.sessions.register(given["token"], scope, {**wish, "ephemeral": True})
        else:
            runner = next(r for r in github.registrations.all() if r.name == self.runner)
            assert given["jit_config"] == github.sessions.jit_config(runner)
        self.session = github.sessions.open(runner.identity.client_id, runner.identity.proof(), "2.336.0")
        assert (await self.hook("online")).status_code == 204

    async def begin(self):
        """Get a job and start it; None when GitHub gives none."""
        job = self.world.github.sessions.poll(self.session.id)
        if job is not None:
            self.world.github.sessions.renew(self.session.id, job.id)
            await self.hook("started", run_id=job.run.id, job=job.name)
        return job

    def wait(self, seconds):
        """Let time pass while the listener keeps asking (without being given a job)."""
        while seconds > 0:
            step = min(seconds, 60.0)
            self.world.pass_time(step)
            self.world.github.sessions._seen(self.session.id)
            seconds -= step

    async def finish(self, job, conclusion="success"):
        """End the job and the Machine, as an ephemeral runner does."""
        steps = [conclusion] * len(job.order.steps)
        self.world.github.sessions.complete(self.session.id, job.id, conclusion, steps)
        await self.hook("completed")
        self.leave()

    def leave(self, code=0):
        if self.session is not None:
            self.world.github.sessions.close(self.session.id)
        self.world.body.exit(self.machine.id, code)


class FleetWorld:
    """The simulators, the fleet, and what tests do with them all the time."""

    def __init__(self, folder, *, environ=None, holder="test", skip_launch="stopped", **changes):
        self.folder = folder
        self.clock = HandClock()
        self.body = HeldBody()
        self.net = Network()
        self.fly = FlySim(
            clock=self.clock, seed=7, scale=1.0, org_slug="acme", public_url="http://fly.sim",
            apps=("app-a", "app-b"), body=self.body, api_token=FLY_TOKEN, list_lag=0.0, signing_key=FLY_KEY,
            skip_launch=skip_launch,
        )  # fmt: skip
        self.github = GitHubSim(
            self.clock, 7, 1.0, "http://github.sim", APP_ID, public_pem(APP_KEY), f"{URL}/webhooks/github",
            WEBHOOK_SECRET, "acme", ["web", "api", RepositorySpec("site", private=False)],
        )  # fmt: skip
        self.infisical = InfisicalSim(
            self.clock, 7, project_id="proj-1",
            identities=(Identity("dispatcher", "id-dispatcher", "s3cret-dispatcher", LESSEE),),
            secrets=self.credentials(), project_slug="proj-slug",
            dynamic_secrets=(GitHubDynamicSecret("github-acme", APP_ID, private_pem(APP_KEY)),),
        )  # fmt: skip
        github = httpx.ASGITransport(github_face.build_app(self.github))
        infisical = infisical_face.build_app(self.infisical, github_url="http://github.sim", transport=github)
        self.net.hosts = {
            "fly.sim": httpx.ASGITransport(fly_face.build_app(self.fly)),
            "github.sim": github,
            "127.0.0.1": github,  # where settings expect github.com, a simulated one is known by loopback
            "infisical.sim": httpx.ASGITransport(infisical),
        }
        self.environ = self.credentials() if environ is None else environ
        self.settings = settings_for(folder, **changes)
        self.steps = []
        self.opened = False
        self.fleet = self.make_fleet(holder)
        self.http = self.connect()
        self.courier = Courier(self.github.webhooks, self.clock, Bell(), self.http)

    def credentials(self):
        tokens, installation = self.github.tokens, self.github.directory.installation.id
        given = tokens.mint_installation(
            installation, repositories=None, repository_ids=None, permissions=None
        )
        registration, ends_at = tokens.mint_registration("orgs/acme")
        return {
            "FLY_API_TOKEN": FLY_TOKEN,
            "GITHUB_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "FLY_GHA_FLEET_KEY": FLEET_KEY,
            "GITHUB_INSTALLATION_TOKEN_ACME": json.dumps({"token": given.secret, "expires_at": START + 1e6}),
            "GITHUB_REGISTRATION_TOKEN_ACME": json.dumps({"token": registration, "expires_at": ends_at}),
        }

    def make_fleet(self, holder="test"):
        """A dispatcher over this world's store; a second one is a restart, or a replica."""
        counter = iter(range(1, 1_000_000))
        fleet = Fleet(
            self.settings,
            self.clock,
            open_store(self.settings.fleet.database_url),
            connect(self.settings, self.clock, self.environ, inner=lambda: self.net),
            Seams(
                entropy=lambda size: f"{holder}{next(counter)}".encode().rjust(size, b"-")[-size:],
                holder=holder,
                reached=self.steps.append,
            ),
        )
        self.app = build_dispatcher(fleet)
        return fleet

    def connect(self):
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=URL)

    @property
    def control(self):
        """The fleet's World, which passes take."""
        return self.fleet.world

    async def open(self):
        """What Fleet.start does, without its loops."""
        if not self.opened:
            (self.folder / "fleet.db").write_bytes(migrated())
        self.opened = True
        await self.first_readings(self.fleet)

    async def first_readings(self, fleet):
        """What a dispatcher has read before it plans for the first time."""
        await fleet._loop("credentials").once()
        await fleet._loop("group-list").once()

    async def close(self):
        await self.http.aclose()
        await self.fleet.stop()

    async def run(self, op):
        return await self.fleet.store.run(op)

    async def post(self, path, token, body, **more):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self.http.post(path, headers=headers, json=body, **more)

    def pass_time(self, seconds):
        """Let time pass, everything that is due in the simulators happening at its own moment."""
        end = self.clock.time + seconds
        while True:
            due = [a.next_due for a in (self.fly.agenda, self.github.agenda) if a.next_due is not None]
            if not due or min(due) > end:
                break
            self.clock.time = max(self.clock.time, min(due))
            self.fly.agenda.run_due()
            self.github.agenda.run_due()
        self.clock.time = end

    async def plan(self, times=1):
        """So many passes of the planner, each with all its effects."""
        for _ in range(times):
            await planner_pass(self.control)
            await self.control.effects.settled()

    async def read_lists(self):
        await machine_list_pass(self.control)
        await runner_list_pass(self.control)

    async def turn(self, seconds=3.0):
        """Let time pass, webhooks arrive, lists be read and the planner plan."""
        self.pass_time(seconds)
        await self.deliver()
        await self.read_lists()
        await self.plan(2)

    async def until(self, condition, step=5.0, at_most=900.0):
        """Let time pass, lists be read and the planner plan until the condition holds."""
        end = self.clock.time + at_most
        while not await condition():
            assert self.clock.time < end, "not reached in time"
            await self.turn(step)

    def queue(self, *names, repository="acme/web", label="fly-gha-small", **more):
        """Queue a run with these jobs; their webhooks are due a little later."""
        orders = tuple(JobOrder(name, (label,), (StepOrder("build", 1.0),), **more) for name in names)
        return self.github.queue.start_run(RunOrder(repository, orders)).jobs

    async def deliver(self):
        """Send every webhook that is due."""
        while due := self.github.webhooks.take_due():
            for delivery in due:
                await self.courier.deliver(delivery)

    async def arrive(self, *names, **more):
        """Queue jobs and let their webhooks arrive."""
        queued = self.queue(*names, **more)
        self.pass_time(4.0)
        await self.deliver()
        return queued

    def started(self):
        """Fly's Machines whose body runs, oldest first."""
        return [self.fly.peek(machine_id) for machine_id in self.body.running]

    def agent(self, machine=None):
        return Agent(self, machine or self.started()[-1])

    async def booted(self, *names, **more):
        """One job's Machine, booted, with its registration waiting."""
        await self.arrive(*(names or ("build",)), **more)
        await self.plan()
        self.pass_time(15.0)
        return self.agent()

    async def rows(self):
        def read(conn):
            return jobs.live(conn), machines.live(conn), runners.live(conn)

        return await self.run(read)

    async def machines(self):
        return (await self.rows())[1]

    async def runners(self):
        return (await self.rows())[2]

    async def job(self, job_id):
        return await self.run(lambda conn: jobs.get(conn, job_id))

    async def runner(self, name):
        return await self.run(lambda conn: runners.get(conn, name))

    async def machine(self, name):
        return await self.run(lambda conn: machines.get(conn, name))

    async def events(self, **match):
        return await self.run(lambda conn: events.page(conn, limit=10_000, **match))

    async def everything_stored(self):
        """All rows of all tables as one text, for a search after secrets."""

        def read(conn):
            names = [
                row[0] for row in conn.exec_driver_sql("select name from sqlite_master where type='table'")
            ]
            return "\n".join(
                repr(tuple(row))
                for name in names
                for row in conn.exec_driver_sql(f"select * from {name}")  # noqa: S608
            )

        return await self.run(read)


@contextlib.asynccontextmanager
async def open_world(folder, **changes) -> AsyncIterator[FleetWorld]:
    """A FleetWorld whose store is migrated and whose credentials are read."""
    world = FleetWorld(folder, **changes)
    await world.open()
    try:
        yield world
    finally:
        await world.close()


@functools.cache
def migrated():
    """A database file with the newest tables and no rows: migrating anew takes longer than many a test."""
    with tempfile.TemporaryDirectory() as folder:
        store = InlineStore(f"{folder}/fleet.db")
        for coroutine in (store.migrate(), store.close()):
            # An InlineStore awaits nothing, so each ends at its first step.
            with contextlib.suppress(StopIteration):
                coroutine.send(None)
        return pathlib.Path(folder, "fleet.db").read_bytes()


async def met(condition, patience=PATIENCE):
    """Wait for a condition of the event loop's own making, at most ``patience`` seconds."""
    async with asyncio.timeout(patience):
        while not condition():  # noqa: ASYNC110 - any condition, not only one that somebody would signal
            await asyncio.sleep(MOMENT)


def settings_for(folder, *, pools=None, **sections):
    """The settings of a FleetWorld with some keys of some sections changed."""
    base = {
        "fleet": {
            "name": "test",
            "public_url": URL,
            "database_url": f"sqlite:///{folder / 'fleet.db'}",
            "max_machines": 20,
        },
        "github": {"api_url": "http://github.sim", "web_url": "http://github.sim", "organizations": ["acme"]},
        "fly": {
            "api_hostname": "http://fly.sim",
            "org_slug": "acme",
            "oidc_issuer": "http://fly.sim/oidc/acme",
            "image": IMAGE,
        },
        "infisical": {"api_url": "http://infisical.sim", "project_id": "proj-1"},
        "timing": {"claim_poll": 0.05},
        "pools": pools or [pool()],
    }
    for section, keys in sections.items():
        base[section] = {**base[section], **keys}
    return Settings.model_validate(base)


def pool(name="gha-small", **changes):
    return {
        "name": name, "scope": "orgs/acme", "apps": ["app-a"], "regions": ["iad", "ewr"], **changes
    }  # fmt: skip


def signed(claims, key=FLY_KEY, alg="RS256", kid=None):
    """A token over any claims; by default under the id of FlySim's own key."""
    return jwt.encode(claims, key, alg, headers={"kid": kid or key_id()})


def key_id():
    """The id under which FlySim publishes FLY_KEY."""
    from simulator.draws import Draws  # noqa: PLC0415 - beside its one use
    from simulator.fly.oidc import OidcIssuer  # noqa: PLC0415

    return OidcIssuer("http://fly.sim", "acme", Draws(1), FLY_KEY).key_set()["keys"][0]["kid"]


def private_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_pem(key):
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
