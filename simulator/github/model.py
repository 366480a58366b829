"""GitHubSim: the whole world, wired. Stateful, synchronous, no I/O; time moves when somebody advances it.

Everything random comes from seeded streams, everything timed from one clock: the same seed and the same calls
give the same ids, tokens and delays.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simulator.agenda import Agenda
from simulator.clock import Clock
from simulator.draws import Draws
from simulator.faults import Faults
from simulator.github.accounts import Directory, RepositorySpec, RunnerGroupSpec
from simulator.github.job_shapes import workflow_job_event
from simulator.github.jobs import WorkflowJob
from simulator.github.limits import RateLimits
from simulator.github.queue import Queue
from simulator.github.registrations import Registrations
from simulator.github.sessions import Sessions
from simulator.github.tokens import Tokens
from simulator.github.webhooks import Webhooks
from simulator.journal import Journal

FAULT_KINDS = frozenset(
    {
        "lose_webhook",
        "drop_webhook",
        "double_webhook",
        "delay_webhook",
        "lost_mint_answer",
        "mint_5xx",
        "runner_version_deprecated",
    }
)


class GitHubSim:
    """A GitHub with one organization and one App, as far as a runner fleet meets it.

    Args:
        clock: the world's time.
        seed: of all its chance.
        scale: simulated latencies are divided by it, rate limits multiplied. Lifetimes of tokens, the ten
            seconds a receiver has, and the three days of the delivery log stay real.
        public_url: base URL of the face, as clients reach it; no slash at the end.
        app_id: the App's id.
        app_public_key: PEM; checks the App's JWTs.
        webhook_url: where events are posted.
        webhook_secret: signs them.
        organization: login.
        repositories: names (private) or RepositorySpec.
        runner_groups: names (all private repositories) or RunnerGroupSpec; `Default` exists anyway.
        marker: part of every credential that is minted here.
        permissions: what the App is granted; all that a fleet needs when None.
    """

    def __init__(
        self,
        clock: Clock,
        seed: int,
        scale: float,
        public_url: str,
        app_id: int,
        app_public_key: str,
        webhook_url: str,
        webhook_secret: str,
        organization: str,
        repositories: Sequence[RepositorySpec | str],
        runner_groups: Sequence[RunnerGroupSpec | str] = (),
        marker: str = "",
        workflows: Mapping[str, Sequence[str]] | None = None,
        user_token: str = "",
        permissions: Mapping[str, str] | None = None,
    ) -> None:
        self.clock = clock
        self.scale = scale
        self.public_url = public_url.rstrip("/")
        self.app_id = app_id
        self.draws = draws = Draws(seed)
        self.journal = journal = Journal(clock)
        self.faults = faults = Faults(journal, FAULT_KINDS)
        self.agenda = agenda = Agenda(clock)
        self.directory = directory = Directory(draws, organization, repositories, runner_groups, permissions)
        self.tokens = Tokens(clock, draws, app_id, app_public_key, directory, marker)
        self.workflows = {name: tuple(labels) for name, labels in (workflows or {}).items()}
        if user_token:
            self.tokens.add_user(user_token)
        self.limits = RateLimits(clock, draws, journal, scale)
        self.registrations = Registrations(clock, draws, agenda, journal, scale, marker)
        self.webhooks = Webhooks(
            clock,
            draws,
            agenda,
            journal,
            faults,
            scale,
            app_id=app_id,
            hook_id=draws.of("hook").randrange(10**8, 10**9),
            url=webhook_url,
            secret=webhook_secret,
        )
        self.queue = Queue(clock, draws, agenda, journal, directory, self.registrations, scale, self._emit)
        self.sessions = Sessions(
            clock,
            draws,
            agenda,
            journal,
            faults,
            self.tokens,
            directory,
            self.registrations,
            self.queue,
            scale,
            self.public_url,
        )

    def advance(self) -> None:
        """Let everything happen whose time has come."""
        self.agenda.run_due()

    def when_changed(self, ring: Callable[[], None]) -> None:
        """Have `ring` called whenever a waiting runner or an idle courier has a reason to look again."""
        for part in (self.registrations, self.queue, self.sessions, self.webhooks):
            part.on_change = ring

    def state(self) -> dict[str, Any]:
        """The world at this moment, for `GET /_sim/state`: the truth, not what lists say of it."""
        self.advance()
        return {
            "now": self.clock.now(),
            "scale": self.scale,
            "organization": self.directory.organization.login,
            "installation_id": self.directory.installation.id,
            "runners": [
                {
                    "id": runner.id,
                    "name": runner.name,
                    "scope": runner.scope,
                    "mode": runner.mode,
                    "labels": list(runner.labels),
                    "online": runner.online,
                    "job_id": runner.job_id,
                }
                for runner in self.registrations.all()
            ],
            "jobs": [
                {
                    "id": job.id,
                    "run_id": job.run.id,
                    "name": job.name,
                    "repository": job.run.repository.full_name,
                    "labels": list(job.labels),
                    "status": job.status,
                    "conclusion": job.conclusion,
                    "runner": job.seat.name if job.seat else None,
                }
                for job in self.queue.jobs.values()
            ],
            "webhooks_waiting": self.webhooks.waiting(),
        }

    def _emit(self, job: WorkflowJob, action: str) -> None:
        self.webhooks.emit(
            "workflow_job",
            action,
            workflow_job_event(self.public_url, job, action, self.directory),
            installation_id=self.directory.installation.id,
            repository_id=job.run.repository.id,
            chain=f"job {job.id}",
            facts={
                "job_id": job.id,
                "run_id": job.run.id,
                "job": job.name,
                "repository": job.run.repository.full_name,
                "action": action,
            },
        )
