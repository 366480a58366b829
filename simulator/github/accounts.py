"""Who exists in this GitHub: one organization, its repositories, its runner groups, one App installation.

One organization is enough for a fleet: repository-scoped registration, selected groups and public
repositories are all decided inside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from simulator.draws import Draws
from simulator.github.problems import not_found

DEFAULT_GROUP_ID = 1
DEFAULT_GROUP = "Default"
LAST_DELETED_GROUP_ID = 2
# What a fleet's App is granted.
APP_PERMISSIONS = {
    "actions": "read",
    "administration": "write",
    "metadata": "read",
    "organization_self_hosted_runners": "write",
}
APP_EVENTS = ("workflow_job",)


@dataclass(frozen=True, slots=True)
class RepositorySpec:
    """A repository to be made: its name without the owner, and whether it is private."""

    name: str
    private: bool = True


@dataclass(frozen=True, slots=True)
class RunnerGroupSpec:
    """A runner group to be made.

    Attributes:
        name: as jobs and administrators see it.
        repositories: names of the selected repositories, or None for all.
        allows_public: whether public repositories may use it (GitHub's default: no).
        workflows: the selected workflows, as `acme/web/.github/workflows/ci.yml@refs/heads/main`, or None for
            all.
    """

    name: str
    repositories: Sequence[str] | None = None
    allows_public: bool = False
    workflows: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """An organization or user."""

    login: str
    id: int
    type: str = "Organization"


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of the organization."""

    id: int
    owner: Account
    name: str
    private: bool

    @property
    def full_name(self) -> str:
        """`owner/name`."""
        return f"{self.owner.login}/{self.name}"


@dataclass(frozen=True, slots=True)
class RunnerGroup:
    """A runner group: who may send jobs to the runners in it."""

    id: int
    name: str
    selected: frozenset[str] | None
    allows_public: bool
    workflows: tuple[str, ...] | None = None

    def admits(self, repository: Repository) -> bool:
        """Whether the repository's jobs may run here."""
        if not repository.private and not self.allows_public:
            return False
        return self.selected is None or repository.name.lower() in self.selected

    def admits_workflow(self, workflow_ref: str) -> bool:
        """Whether a workflow, `acme/web/.github/workflows/ci.yml@refs/heads/main`, may run here."""
        return self.workflows is None or workflow_ref in self.workflows


@dataclass(frozen=True, slots=True)
class Installation:
    """The App, installed on the organization with all its repositories."""

    id: int
    account: Account
    permissions: dict[str, str] = field(default_factory=lambda: dict(APP_PERMISSIONS))


class Directory:
    """Finds accounts, repositories and groups by the names and ids that requests carry.

    Args:
        draws: the ids.
        organization: its login.
        repositories: what to make; a plain string is a private repository of that name.
        runner_groups: what to make besides `Default`; a plain string is a group for all private repositories.
        permissions: what the App is granted; all that a fleet needs when None.
    """

    def __init__(
        self,
        draws: Draws,
        organization: str,
        repositories: Sequence[RepositorySpec | str],
        runner_groups: Sequence[RunnerGroupSpec | str] = (),
        permissions: Mapping[str, str] | None = None,
    ) -> None:
        rng = draws.of("accounts")
        self.organization = Account(organization, rng.randrange(10**6, 10**8))
        self.sender = Account("octocat", 583231, "User")
        granted = dict(APP_PERMISSIONS if permissions is None else permissions)
        self.installation = Installation(rng.randrange(10**6, 10**8), self.organization, granted)
        first = rng.randrange(10**8, 10**9)
        specs = [RepositorySpec(item) if isinstance(item, str) else item for item in repositories]
        self.repositories = tuple(
            Repository(first + at, self.organization, spec.name.rpartition("/")[2], spec.private)
            for at, spec in enumerate(specs)
        )
        groups = [RunnerGroupSpec(item) if isinstance(item, str) else item for item in runner_groups]
        self.groups = _groups(groups)
        self._last_group = max(LAST_DELETED_GROUP_ID, *(group.id for group in self.groups))

    def org(self, login: str) -> Account:
        """The organization of that login (any case).

        Raises:
            GitHubProblem: 404.
        """
        if login.lower() != self.organization.login.lower():
            raise not_found()
        return self.organization

    def repository(self, owner: str, name: str) -> Repository:
        """The repository of that owner and name (any case).

        Raises:
            GitHubProblem: 404.
        """
        self.org(owner)
        for repository in self.repositories:
            if repository.name.lower() == name.lower():
                return repository
        raise not_found()

    def add_group(self, spec: RunnerGroupSpec) -> RunnerGroup:
        """Make a group as an administrator would; no id is ever used twice."""
        chosen = None if spec.repositories is None else frozenset(name.lower() for name in spec.repositories)
        workflows = None if spec.workflows is None else tuple(spec.workflows)
        self._last_group += 1
        group = RunnerGroup(self._last_group, spec.name, chosen, spec.allows_public, workflows)
        self.groups = (*self.groups, group)
        return group

    def change_group(self, name: str, changes: Mapping[str, Any]) -> RunnerGroup:
        """Change a group as an administrator would.

        Args:
            name: of any case.
            changes: of its attributes.

        Raises:
            GitHubProblem: 404.
        """
        found = self.group_named(name)
        if found is None:
            raise not_found()
        changed = replace(found, **changes)
        self.groups = tuple(changed if group is found else group for group in self.groups)
        return changed

    def delete_group(self, name: str) -> None:
        """Delete a group as an administrator would; nobody can delete the default one.

        Raises:
            GitHubProblem: 404.
        """
        found = self.group_named(name)
        if found is None:
            raise not_found()
        if found.id == DEFAULT_GROUP_ID:
            raise not_found()
        self.groups = tuple(group for group in self.groups if group is not found)

    def show(self, name: str, *, private: bool) -> Repository:
        """Make a repository private or public.

        Raises:
            GitHubProblem: 404.
        """
        found = self.repository(self.organization.login, name)
        changed = replace(found, private=private)
        self.repositories = tuple(changed if each is found else each for each in self.repositories)
        return changed

    def group(self, group_id: int) -> RunnerGroup:
        """The runner group of that id.

        Raises:
            GitHubProblem: 404.
        """
        for group in self.groups:
            if group.id == group_id:
                return group
        raise not_found()

    def group_of(self, group_id: int) -> RunnerGroup:
        """The group that a runner is in now: those of a deleted group are in the default one."""
        return next((group for group in self.groups if group.id == group_id), self.groups[0])

    def group_named(self, name: str) -> RunnerGroup | None:
        """The runner group of that name (any case); an empty name means the default group."""
        wanted = (name or DEFAULT_GROUP).lower()
        return next((group for group in self.groups if group.name.lower() == wanted), None)


def _groups(specs: Sequence[RunnerGroupSpec]) -> tuple[RunnerGroup, ...]:
    """The default group, then the others with ids from 3 up (2 was deleted once)."""
    groups = [RunnerGroup(DEFAULT_GROUP_ID, DEFAULT_GROUP, None, allows_public=False)]
    for spec in specs:
        chosen = None if spec.repositories is None else frozenset(name.lower() for name in spec.repositories)
        workflows = None if spec.workflows is None else tuple(spec.workflows)
        if spec.name.lower() == DEFAULT_GROUP.lower():
            groups[0] = RunnerGroup(DEFAULT_GROUP_ID, DEFAULT_GROUP, chosen, spec.allows_public, workflows)
        else:
            groups.append(RunnerGroup(len(groups) + 2, spec.name, chosen, spec.allows_public, workflows))
    return tuple(groups)
