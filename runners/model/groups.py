"""What GitHub says of who may use a scope's runners: its runner groups, or one repository's visibility."""

from dataclasses import dataclass

from runners.model.reason import Reason

TRUST = frozenset(
    {Reason.GROUP_UNREAD, Reason.GROUP_MISSING, Reason.GROUP_ALLOWS_PUBLIC, Reason.PUBLIC_REPOSITORY}
)
"""Why a pool launches nothing at all, whether or not a job waits: somebody has to act at GitHub."""


@dataclass(frozen=True, slots=True)
class RunnerGroup:
    """One runner group of an organization.

    Attributes:
        visibility: ``all``, ``selected`` or ``private`` repositories may use its runners.
        allows_public: public ones among them too.
        workflows: the selected workflows, ``owner/name/.github/workflows/FILE.yml@REF``, or None when it is
            restricted to none.
    """

    name: str
    visibility: str
    allows_public: bool
    workflows: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ScopeSeen:
    """Who may use the runners that are registered in one scope.

    Attributes:
        groups: an organization's; empty for a repository, which has one that nobody can set.
        private: of a repository, whether it is; None for an organization.
    """

    groups: tuple[RunnerGroup, ...] = ()
    private: bool | None = None

    def group(self, name: str) -> RunnerGroup | None:
        """The group of that name (any case), or None."""
        return next((group for group in self.groups if group.name.lower() == name.lower()), None)
