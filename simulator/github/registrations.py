"""All runner records: how they come, what the lists say of them, how they go.

A record goes because it was deleted, because its one job is finished,
because GitHub lost patience with an unused or idle JIT runner (`expired`), or with one that is offline.
"""

from collections.abc import Callable, Sequence

from simulator.agenda import Agenda
from simulator.clock import Clock
from simulator.draws import Draws
from simulator.github.accounts import DEFAULT_GROUP_ID, RunnerGroup
from simulator.github.jit import new_identity
from simulator.github.problems import GitHubProblem, conflict, not_found
from simulator.github.registration import Registration, check_labels, check_name
from simulator.journal import Journal

# Simulated latencies in real seconds; each is divided by the world's scale.
JIT_UNUSED = 300.0
JIT_IDLE = 360.0
OFFLINE_EPHEMERAL = 86_400.0
LIST_LAG = (2.0, 20.0)
FINISHED_REMOVAL = (0.3, 1.5)
LOST_REMOVAL = 30.0


class Registrations:
    """The runner records of the organization and its repositories.

    Args:
        clock, draws, agenda, journal: the world's.
        scale: divides every latency above.
        marker: part of every runner's key.
    """

    def __init__(
        self, clock: Clock, draws: Draws, agenda: Agenda, journal: Journal, scale: float, marker: str = ""
    ) -> None:
        self._clock = clock
        self._draws = draws
        self._agenda = agenda
        self._journal = journal
        self._scale = scale
        self._marker = marker
        self._by_id: dict[int, Registration] = {}
        self._by_client: dict[str, Registration] = {}
        self._last_id = draws.of("first runner").randrange(20, 200)
        self._label_ids: dict[str, int] = {}
        self.on_change: Callable[[], None] = lambda: None

    def mint_jit(
        self, scope: str, name: object, group: RunnerGroup, labels: object, work_folder: str
    ) -> Registration:
        """Make the record of a JIT runner.

        Raises:
            GitHubProblem: 404 unknown group, 409 name taken, 422 name or labels.
        """
        if scope.startswith("repos/") and group.id != DEFAULT_GROUP_ID:
            raise not_found()
        runner = self._add(
            scope, check_name(name), group, check_labels(labels), "jit", ephemeral=True, work=work_folder
        )
        self._agenda.after(JIT_UNUSED / self._scale, lambda: self._expire_unused(runner))
        return runner

    def register(
        self,
        scope: str,
        name: object,
        group: RunnerGroup,
        labels: object,
        *,
        ephemeral: bool,
        replace: bool,
        work_folder: str,
    ) -> Registration:
        """Make the record of a runner that shows a registration token (`config.sh`).

        Raises:
            GitHubProblem: 409 name taken and not to be replaced, 422 name or labels.
        """
        checked = check_name(name)
        old = self._named(scope, checked)
        if old is not None and replace and not old.busy:
            self.remove(old, "deleted")
        runner = self._add(
            scope, checked, group, check_labels(labels), "token", ephemeral=ephemeral, work=work_folder
        )
        self.watch_offline(runner)
        return runner

    def get(self, scope: str, runner_id: int) -> Registration:
        """The record of that id in that scope.

        Raises:
            GitHubProblem: 404.
        """
        runner = self._by_id.get(runner_id)
        if runner is None or runner.scope.lower() != scope.lower():
            raise not_found()
        return runner

    def listed(self, scope: str, name: str | None = None) -> Sequence[Registration]:
        """The records of a scope, oldest first, optionally the one of exactly that name."""
        mine = [runner for runner in self._by_id.values() if runner.scope.lower() == scope.lower()]
        return [runner for runner in mine if name is None or runner.name.lower() == name.lower()]

    def all(self) -> Sequence[Registration]:
        """Every record of every scope, oldest first."""
        return list(self._by_id.values())

    def by_client(self, client_id: str) -> Registration | None:
        """Whose credentials these are; the record may be removed already."""
        return self._by_client.get(client_id)

    def delete(self, scope: str, runner_id: int) -> None:
        """Remove an idle runner: from this moment it gets no job.

        Raises:
            GitHubProblem: 404 gone, 422 it holds a job (the truth, not what the lists say).
        """
        runner = self.get(scope, runner_id)
        if runner.busy:
            raise GitHubProblem(
                422,
                f'Runner "{runner.name}" is currently running a job and cannot be deleted.',
                errors=[],
            )
        self.remove(runner, "deleted")

    def remove(self, runner: Registration, why: str) -> None:
        """Take a record away; `why` is deleted, finished, expired or offline."""
        if runner.removed:
            return
        runner.removed = True
        runner.session_id = None
        del self._by_id[runner.id]
        self._journal.record(
            "runner_removed",
            name=runner.name,
            runner_id=runner.id,
            scope=runner.scope,
            mode=runner.mode,
            why=why,
            live=len(self._by_id),
        )
        self.on_change()

    def finish(self, runner: Registration, *, lost: bool = False) -> None:
        """Its job is over: an ephemeral runner leaves by itself soon after; a lost one somewhat later."""
        runner.job_id = None
        runner.idle_since = self._clock.now()
        self.show_later(runner)
        if not runner.ephemeral:
            return
        runner.spent = True
        delay = LOST_REMOVAL if lost else self._draws.of("removal", runner.name).uniform(*FINISHED_REMOVAL)
        why = "offline" if lost else "finished"
        self._agenda.after(delay / self._scale, lambda: self.remove(runner, why))

    def show_later(self, runner: Registration) -> None:
        """Let the lists learn of a change of online or busy with their usual delay."""
        lag = self._draws.of("list lag", runner.name, runner.online, runner.busy).uniform(*LIST_LAG)
        self._agenda.after(lag / self._scale, lambda: _show(runner))

    def watch_idle(self, runner: Registration) -> None:
        """A JIT runner without a job is dropped minutes after it came online (issue actions/runner#4726)."""
        since = runner.idle_since

        def drop() -> None:
            if runner.mode == "jit" and runner.online and not runner.busy and runner.idle_since == since:
                self.remove(runner, "expired")

        self._agenda.after(JIT_IDLE / self._scale, drop)

    def watch_offline(self, runner: Registration) -> None:
        """An ephemeral runner that stays offline for a day is cleaned up."""

        def clean() -> None:
            if runner.ephemeral and not runner.online and not runner.busy:
                self.remove(runner, "offline")

        self._agenda.after(OFFLINE_EPHEMERAL / self._scale, clean)

    def label_id(self, label: str) -> int:
        """The id of a label, the same for the same label."""
        return self._label_ids.setdefault(label.lower(), len(self._label_ids) + 1)

    def _add(
        self,
        scope: str,
        name: str,
        group: RunnerGroup,
        labels: tuple[str, ...],
        mode: str,
        *,
        ephemeral: bool,
        work: str,
    ) -> Registration:
        if self._named(scope, name) is not None:
            raise conflict(f"Already exists - A runner with the name {name} already exists.")
        self._last_id += 1
        runner = Registration(
            id=self._last_id,
            name=name,
            scope=scope,
            group_id=group.id,
            group_name=group.name,
            labels=labels,
            mode=mode,
            ephemeral=ephemeral,
            work_folder=work,
            identity=new_identity(self._draws.of("identity", self._last_id), self._marker),
            created_at=self._clock.now(),
        )
        self._by_id[runner.id] = runner
        self._by_client[runner.identity.client_id] = runner
        self._journal.record(
            "runner_registered",
            name=name,
            runner_id=runner.id,
            scope=scope,
            mode=mode,
            labels=list(labels),
            live=len(self._by_id),
        )
        return runner

    def _named(self, scope: str, name: str) -> Registration | None:
        found = self.listed(scope, name)
        return found[0] if found else None

    def _expire_unused(self, runner: Registration) -> None:
        if runner.version is None:
            self.remove(runner, "expired")


def _show(runner: Registration) -> None:
    runner.seen_online, runner.seen_busy = runner.online, runner.busy
