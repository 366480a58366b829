"""Pure checks of GitHub: permissions, webhook, deliveries, runner groups, the runner's version."""

from collections.abc import Iterator, Mapping

from runners.cli.doctor.checks_ground import unread
from runners.cli.doctor.facts import Facts, Unread
from runners.cli.doctor.finding import Finding, Verdict, failed, ok, unknown
from runners.github.app_auth import ORGANIZATION_PERMISSIONS, REPOSITORY_PERMISSIONS
from runners.github.survey import Grants
from runners.model.groups import RunnerGroup, ScopeSeen
from runners.model.reason import Reason
from runners.model.settings import PoolSettings
from runners.planning.trust import why_distrusted

EVENT = "workflow_job"
_PATH = "/webhooks/github"
_RANK = {"read": 1, "write": 2, "admin": 3}
_FIRST_BAD = 300
HOUR = 3_600.0


def github(facts: Facts) -> Iterator[Finding]:
    """Everything of GitHub's."""
    yield _app(facts)
    yield from (_lease(facts, owner, found) for owner, found in facts.leases.items())
    yield from (_installation(scope, found) for scope, found in facts.installations.items())
    yield from (token_rights(facts, owner) for owner in facts.granted)
    yield _webhook(facts)
    yield _deliveries(facts)
    yield from (_group(facts, pool) for pool in facts.settings.pools)
    yield from (_version(facts, scope) for scope in facts.versions_offered)


def _app(facts: Facts) -> Finding:
    about, found = "GitHub App", facts.app
    if isinstance(found, Unread):
        return unread(about, found)
    scopes = {pool.scope.partition("/")[0] for pool in facts.settings.pools}
    lacking = _lacking(found.permissions, "orgs" in scopes, "repos" in scopes)
    if lacking:
        return failed(about, f"it lacks {lacking}", "grant it in the App's settings, under Permissions")
    if EVENT not in found.events:
        return failed(
            about, f"it is not subscribed to {EVENT}", f"choose {EVENT} in the App's settings, under Events"
        )
    return ok(about, f"its permissions suffice, and it is subscribed to {EVENT}")


def _installation(scope: str, found: Grants | Unread) -> Finding:
    about = f"installation on {scope}"
    if isinstance(found, Unread):
        return unread(about, found)
    if found.suspended:
        return failed(about, "it is suspended", "its owner can unsuspend it under Installed GitHub Apps")
    lacking = _lacking(found.permissions, scope.startswith("orgs/"), scope.startswith("repos/"))
    if lacking:
        return failed(
            about,
            f"it lacks {lacking}",
            "its owner must accept the App's permissions, under Installed GitHub Apps",
        )
    if EVENT not in found.events:
        return failed(about, f"it sends no {EVENT}", "its owner must accept the App's events")
    return ok(about, "its permissions suffice")


def token_rights(facts: Facts, owner: str) -> Finding:
    """Whether the publisher narrowed an owner's token to what its pools need: no less, as told beside it."""
    about = f"token of {owner}"
    kinds = {pool.scope.partition("/")[0] for pool in facts.settings.pools if pool.owner == owner}
    lacking = _lacking(facts.granted[owner], "orgs" in kinds, "repos" in kinds)
    if lacking:
        return failed(
            about,
            f"it was made without {lacking}, which the scopes of its pools take",
            "run fly-gha tokens publish with the pools of this fleet.toml, and grant it to the App there",
        )
    return ok(about, "it was made with all that its pools take")


def _lease(facts: Facts, owner: str, found: Mapping[str, str] | Unread) -> Finding:
    about = f"dynamic secret {facts.settings.infisical.dynamic_secret_of(owner)}"
    if isinstance(found, Unread):
        return unread(about, found)
    if not found:
        return ok(about, "a GitHub token was leased from it; what it may do Infisical did not say")
    kinds = {
        pool.scope.partition("/")[0] for pool in facts.settings.pools if pool.owner.lower() == owner.lower()
    }
    lacking = _lacking(found, "orgs" in kinds, "repos" in kinds)
    if lacking:
        return failed(
            about,
            f"its token lacks {lacking}",
            "grant it in the App's settings, under Permissions, and have the account's owner accept it",
        )
    return ok(about, "a GitHub token was leased from it, and its permissions suffice")


def _lacking(permissions: Mapping[str, str], organization: bool, repository: bool) -> str:
    wanted: dict[str, str] = {}
    if organization:
        wanted |= ORGANIZATION_PERMISSIONS
    if repository:
        wanted |= REPOSITORY_PERMISSIONS
    return ", ".join(
        f"{name}: {level}" for name, level in wanted.items() if not _enough(permissions, name, level)
    )


def _enough(permissions: Mapping[str, str], name: str, level: str) -> bool:
    return _RANK.get(permissions.get(name, ""), 0) >= _RANK[level]


def _webhook(facts: Facts) -> Finding:
    about, found = "webhook", facts.hook
    if isinstance(found, Unread):
        return unread(about, found)
    wanted = facts.settings.fleet.public_url.rstrip("/") + _PATH
    settings = "in the App's settings, under Webhook"
    if not found.url:
        return failed(about, "the App has no webhook URL", f"set it to {wanted} {settings}")
    if found.url.rstrip("/") != wanted:
        return failed(
            about,
            "its URL is not that of this fleet",
            f"set it to {wanted} {settings}, or correct fleet.public_url",
        )
    if found.content_type != "json":
        return failed(about, "it sends forms, not JSON", f"choose application/json {settings}")
    if not found.has_secret:
        return failed(about, "it has no secret", f"set GITHUB_WEBHOOK_SECRET's value {settings}")
    if found.insecure:
        return failed(about, "GitHub does not check our certificate", f"enable SSL verification {settings}")
    return ok(about, f"it sends signed JSON to {wanted}; whether it is active, its deliveries tell")


def _deliveries(facts: Facts) -> Finding:
    about, found = "webhook deliveries", facts.deliveries
    if isinstance(found, Unread):
        return unread(about, found)
    if found.last_at is None:
        return unknown(
            about,
            "GitHub delivered nothing in a day: nothing ran, or the webhook is not active",
            "redeliver the ping in the App's settings, under Advanced",
        )
    ago = (facts.now - found.last_at) / HOUR
    detail = f"{found.arrived} of {found.attempts} arrived in a day; the last, {ago:.1f} h ago,"
    if 0 < found.last_status < _FIRST_BAD:
        return ok(about, f"{detail} was answered {found.last_status}")
    answer = f"was answered {found.last_status}" if found.last_status else "got no answer"
    step = {
        401: "make GITHUB_WEBHOOK_SECRET and the webhook's secret the same",
        404: "correct the webhook's URL, or fleet.public_url",
        0: "let GitHub reach fleet.public_url; see the lines about it",
    }.get(found.last_status, "look at the dispatcher's log, and at GET /readyz")
    return failed(about, f"{detail} {answer}", step)


def group_trust(facts: Facts, pool: PoolSettings) -> Finding:
    """Whether GitHub keeps from a pool's runners whom the pool does not serve."""
    about = f"runner group of {pool.name}"
    found = facts.scopes.get(pool.scope, Unread("not asked"))
    if isinstance(found, Unread):
        if found.missing:
            return failed(
                about,
                f"GitHub knows no {pool.scope}, or hides it from this credential",
                "correct pools.scope, or install the App there",
            )
        return unread(about, found)
    why = why_distrusted(pool, found)
    if why is not None:
        return failed(about, why.detail, _next_step(why.reason, pool, found))
    return ok(about, "it lets in nobody whom the pool does not serve")


def _group(facts: Facts, pool: PoolSettings) -> Finding:
    trust = group_trust(facts, pool)
    found = facts.scopes.get(pool.scope)
    if trust.verdict is not Verdict.OK or not isinstance(found, ScopeSeen):
        return trust
    about, group = trust.about, found.group(pool.runner_group)
    if group is None:
        return ok(about, f"{pool.scope} has one group, and who sees the repository decides")
    if pool.allow_public and not group.allows_public:
        return failed(
            about,
            f"group {group.name} keeps public repositories out, and the pool means to serve them",
            "allow public repositories in the group's settings, or unset pools.allow_public",
        )
    public = "public ones among them, as the pool allows" if group.allows_public else "no public ones"
    detail = f"group {group.name}, for {group.visibility} repositories; {public}"
    return Finding(about, Verdict.OK, detail, _narrower(pool, group))


def _next_step(reason: Reason, pool: PoolSettings, found: ScopeSeen) -> str:
    if reason is Reason.GROUP_MISSING:
        known = ", ".join(each.name for each in found.groups) or "none"
        return (
            "make it under the organization's Actions settings, or correct pools.runner_group; "
            f"there is {known}"
        )
    step = "read docs/security.md, then set pools.allow_public"
    if reason is Reason.PUBLIC_REPOSITORY:
        return f"make {pool.scope.removeprefix('repos/')} private, or {step}"
    return f"forbid public repositories in the group's settings; or {step}"


def _narrower(pool: PoolSettings, group: RunnerGroup) -> str:
    """What the group could keep out by itself; the Machine's gate only fails what GitHub gives it."""
    steps = []
    if pool.workflows and group.workflows is None:
        steps.append("restrict it to the workflows of pools.workflows, each with its ref")
    if pool.repositories and group.visibility == "all":
        steps.append("select the repositories of pools.repositories")
    return f"recommended, in the group's settings: {' and '.join(steps)}" if steps else ""


def _version(facts: Facts, scope: str) -> Finding:
    about = f"actions/runner for {scope}"
    offered = facts.versions_offered[scope]
    used = facts.versions_used.get(scope, Unread("not asked"))
    if isinstance(offered, Unread):
        return unread(about, offered)
    if isinstance(used, Unread):
        return unread(about, used)
    if offered is None:
        return unknown(about, "GitHub does not tell which version it offers")
    if not used:
        return unknown(
            about,
            f"GitHub offers {offered}; which one the image has shows when a runner is online",
            "ask again while a job runs",
        )
    old = sorted(used - {offered}, key=_number)
    if not old or all(_number(each) >= _number(offered) for each in old):
        return ok(about, f"{offered}, which is the newest")
    return failed(
        about,
        f"{', '.join(old)} is in use, and GitHub offers {offered}; 30 days after a release it stops serving "
        "older ones",
        "build the image anew and set fly.image",
    )


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
