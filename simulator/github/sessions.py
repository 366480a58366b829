"""The runner's side of the service: open a session, ask for a job, hold it, report it.

The real protocol (OAuth, broker, run service) needs .NET on the other side; this one
says the same things in a few routes. What a runner can observe is kept: 404 once its registration is gone,
409 while another session is open, one job for an ephemeral runner, a refusal of an outdated version.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulator.agenda import Agenda
from simulator.clock import Clock
from simulator.draws import Draws
from simulator.faults import Faults
from simulator.github.accounts import Directory
from simulator.github.jit import encode, runner_files
from simulator.github.jobs import WorkflowJob
from simulator.github.problems import GitHubProblem, bad_credentials, not_found
from simulator.github.queue import Queue
from simulator.github.registration import Registration
from simulator.github.registrations import Registrations
from simulator.github.tokens import Tokens, same_secret
from simulator.journal import Journal

# A session that has not asked for so long is held for dead; real seconds, divided by scale, with a floor
# because the stand-in's own polls take real time.
SESSION_SILENT = 120.0
SESSION_SILENT_FLOOR = 5.0
# The real listener retries a session conflict every 30 s and gives up after 4 minutes.
CONFLICT_RETRY = 30.0
CONFLICT_GIVE_UP = 240.0
DEPRECATED = "Runner version is deprecated and cannot receive messages."


@dataclass(slots=True)
class Session:
    """An open session of one runner."""

    id: str
    runner: Registration
    last_seen: float


class Sessions:
    """Everything under `/_runner/`.

    Args:
        clock, draws, agenda, journal, faults, tokens, directory, registrations, queue: the world's.
        scale: divides every latency above.
        public_url: where runners find this service.
    """

    def __init__(
        self,
        clock: Clock,
        draws: Draws,
        agenda: Agenda,
        journal: Journal,
        faults: Faults,
        tokens: Tokens,
        directory: Directory,
        registrations: Registrations,
        queue: Queue,
        scale: float,
        public_url: str,
    ) -> None:
        self._clock = clock
        self._draws = draws
        self._agenda = agenda
        self._journal = journal
        self._faults = faults
        self._tokens = tokens
        self._directory = directory
        self._registrations = registrations
        self._queue = queue
        self._scale = scale
        self._public_url = public_url
        self._sessions: dict[str, Session] = {}
        self.on_change: Callable[[], None] = lambda: None

    def register(self, token: str, scope: str, wish: dict[str, Any]) -> Registration:
        """`config.sh`: make a registration with a registration token.

        Args:
            token: the registration token.
            scope: `orgs/acme` or `repos/acme/web`.
            wish: name, labels, runner_group, ephemeral, replace, work_folder.

        Raises:
            GitHubProblem: 404 wrong token or group, 409 name taken, 422 name or labels.
        """
        self._tokens.check_registration(token, scope)
        group = self._directory.group_named(str(wish.get("runner_group") or ""))
        if group is None:
            raise not_found()
        return self._registrations.register(
            scope,
            wish.get("name"),
            group,
            wish.get("labels"),
            ephemeral=bool(wish.get("ephemeral")),
            replace=bool(wish.get("replace")),
            work_folder=str(wish.get("work_folder") or "_work"),
        )

    def files(self, runner: Registration, *, github_url: str = "") -> dict[str, str]:
        """The files that make a folder this runner: `.runner`, `.credentials`, `.credentials_rsaparams`."""
        return runner_files(
            runner.identity,
            public_url=self._public_url,
            runner_id=runner.id,
            name=runner.name,
            work_folder=runner.work_folder,
            ephemeral=runner.ephemeral,
            github_url=github_url,
        )

    def jit_config(self, runner: Registration) -> str:
        """The same as `encoded_jit_config`."""
        return encode(self.files(runner))

    def open(self, client_id: str, proof: str, version: str) -> Session:
        """Open the session of the runner whose credentials these are.

        Raises:
            GitHubProblem: 401 wrong credentials, 403 version deprecated, 404 gone, 409 open already.
        """
        runner = self._registrations.by_client(client_id)
        if runner is None or not same_secret(proof, runner.identity.proof()):
            raise bad_credentials("The runner's credentials are not valid.")
        if runner.removed or runner.spent:
            raise not_found()
        if runner.online:
            raise self._conflict()
        if self._faults.fire("runner_version_deprecated", name=runner.name):
            raise GitHubProblem(403, DEPRECATED)
        now = self._clock.now()
        chance = self._draws.of("session", runner.name, len(self._sessions)).getrandbits(128)
        session = Session(f"{chance:032x}", runner, now)
        self._sessions[session.id] = session
        runner.session_id, runner.idle_since = session.id, now
        runner.os, runner.version = "linux", version
        self._registrations.show_later(runner)
        self._registrations.watch_idle(runner)
        self._watch_silence(session)
        self._journal.record("runner_online", name=runner.name, runner_id=runner.id, mode=runner.mode)
        return session

    def poll(self, session_id: str) -> WorkflowJob | None:
        """Ask once for a job.

        Raises:
            GitHubProblem: 404 the registration is gone, or the session is.
        """
        session = self._seen(session_id)
        return self._queue.next_for(session.runner)

    def renew(self, session_id: str, job_id: int) -> WorkflowJob:
        """Hold the job; `cancel_requested` of the answer tells the runner to stop it.

        Raises:
            GitHubProblem: 404 it does not hold this job (any more).
        """
        return self._queue.renew(job_id, self._seen(session_id).runner)

    def complete(self, session_id: str, job_id: int, conclusion: str, steps: list[str]) -> None:
        """Report the end of the job.

        Raises:
            GitHubProblem: 404 it does not hold this job (any more).
        """
        self._queue.complete(job_id, self._seen(session_id).runner, conclusion, steps)

    def close(self, session_id: str) -> None:
        """End a session; one that is unknown or ended already is as good as closed."""
        session = self._sessions.pop(session_id, None)
        if session is None or session.runner.session_id != session_id:
            return
        session.runner.session_id = None
        self._registrations.show_later(session.runner)
        if not session.runner.removed:
            self._registrations.watch_offline(session.runner)
        self.on_change()

    def _conflict(self) -> GitHubProblem:
        """Another session is open: how long to wait, and when the real listener would give up."""
        wait, end = CONFLICT_RETRY / self._scale, CONFLICT_GIVE_UP / self._scale
        headers = {"retry-after": f"{wait:.3f}", "x-give-up-after": f"{end:.3f}"}
        return GitHubProblem(409, "A session for this runner already exists.", headers=headers)

    def _seen(self, session_id: str) -> Session:
        session = self._sessions.get(session_id)
        if session is None or session.runner.session_id != session_id:
            raise not_found()
        session.last_seen = self._clock.now()
        return session

    def _watch_silence(self, session: Session) -> None:
        """Close the session of a runner that stopped asking: its Machine died, or its network."""
        patience = max(SESSION_SILENT / self._scale, SESSION_SILENT_FLOOR)

        def look() -> None:
            if session.id not in self._sessions:
                return
            silent = self._clock.now() - session.last_seen
            if silent >= patience:
                self.close(session.id)
            else:
                self._agenda.after(patience - silent, look)

        self._agenda.after(patience, look)
