"""Who may use a scope's runners: the runner groups of an organization, the visibility of a repository.

One read each, with the rights that registering takes anyway: organization_self_hosted_runners, and metadata.
"""

from runners.github.calls import Call, Calls
from runners.github.fields import Fields
from runners.github.scope import Scope
from runners.model.groups import RunnerGroup, ScopeSeen

# More than anybody selects by hand; a longer list is not believed.
_WORKFLOWS_MAX = 1000
_TEXT_MAX = 500


class Groups:
    """Reads them.

    Args:
        calls: signs as the scope's installation.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def scope_seen(self, scope: str) -> ScopeSeen:
        """Who may use the runners of ``orgs/NAME`` or ``repos/OWNER/NAME``.

        Raises:
            UpstreamError: it could not be read; that says nothing about who may.
            CredentialMissing: there is no token for the owner.
        """
        where = Scope.parse(scope, f"read who may use the runners of {scope}")
        if where.repository is None:
            attempted = f"list the runner groups of {where.path}"
            call = Call("GET", f"/{where.path}/actions/runner-groups", attempted, where.owner)
            return ScopeSeen(groups=await self._calls.pages(call, "runner_groups", _group))
        call = Call("GET", f"/{where.path}", f"read whether {where.path} is private", where.owner)
        return ScopeSeen(private=await self._calls.read(call, lambda answer: answer.flag("private")))


def _group(entry: Fields) -> RunnerGroup:
    restricted = entry.flag_or_none("restricted_to_workflows") is True
    return RunnerGroup(
        entry.text("name"),
        entry.text_or_empty("visibility"),
        entry.flag_or_none("allows_public_repositories") is True,
        entry.texts("selected_workflows", most=_WORKFLOWS_MAX, longest=_TEXT_MAX) if restricted else None,
    )
