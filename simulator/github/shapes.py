"""The JSON of accounts, repositories, Apps and webhook deliveries, key for key as the specs have it.

One repository shape serves three schemas (repository, minimal-repository, repository-webhooks): it holds only
keys that all three know, and every key that any of them requires.
"""

from datetime import UTC, datetime
from typing import Any

from simulator.github.accounts import APP_EVENTS, Account, Installation, Repository
from simulator.github.deliveries import Delivery

HTML = "https://github.com"
BORN = "2024-02-29T09:00:00Z"


def iso(at: float) -> str:
    """A time as the REST API writes it: UTC, whole seconds, a literal Z."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_or_none(at: float | None) -> str | None:
    """The same for a time that may not have come yet."""
    return None if at is None else iso(at)


def simple_user(api: str, account: Account) -> dict[str, Any]:
    """An account (simple-user)."""
    base = f"{api}/users/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": f"O_{account.id}",
        "avatar_url": f"https://avatars.githubusercontent.com/u/{account.id}?v=4",
        "gravatar_id": "",
        "url": base,
        "html_url": f"{HTML}/{account.login}",
        "followers_url": f"{base}/followers",
        "following_url": f"{base}/following{{/other_user}}",
        "gists_url": f"{base}/gists{{/gist_id}}",
        "starred_url": f"{base}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{base}/subscriptions",
        "organizations_url": f"{base}/orgs",
        "repos_url": f"{base}/repos",
        "events_url": f"{base}/events{{/privacy}}",
        "received_events_url": f"{base}/received_events",
        "type": account.type,
        "site_admin": False,
    }


def organization(api: str, account: Account) -> dict[str, Any]:
    """The organization of a webhook (organization-simple-webhooks)."""
    base = f"{api}/orgs/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": f"O_{account.id}",
        "url": base,
        "repos_url": f"{base}/repos",
        "events_url": f"{base}/events",
        "hooks_url": f"{base}/hooks",
        "issues_url": f"{base}/issues",
        "members_url": f"{base}/members{{/member}}",
        "public_members_url": f"{base}/public_members{{/member}}",
        "avatar_url": f"https://avatars.githubusercontent.com/u/{account.id}?v=4",
        "description": None,
    }


def repository(api: str, repo: Repository) -> dict[str, Any]:
    """A repository."""
    base, html = f"{api}/repos/{repo.full_name}", f"{HTML}/{repo.full_name}"
    plain = (
        "contributors deployments downloads events forks hooks languages merges stargazers subscribers "
        "subscription tags teams"
    )
    templated = {
        "archive": "/{archive_format}{/ref}",
        "assignees": "/assignees{/user}",
        "blobs": "/git/blobs{/sha}",
        "branches": "/branches{/branch}",
        "collaborators": "/collaborators{/collaborator}",
        "comments": "/comments{/number}",
        "commits": "/commits{/sha}",
        "compare": "/compare/{base}...{head}",
        "contents": "/contents/{+path}",
        "git_commits": "/git/commits{/sha}",
        "git_refs": "/git/refs{/sha}",
        "git_tags": "/git/tags{/sha}",
        "issue_comment": "/issues/comments{/number}",
        "issue_events": "/issues/events{/number}",
        "issues": "/issues{/number}",
        "keys": "/keys{/key_id}",
        "labels": "/labels{/name}",
        "milestones": "/milestones{/number}",
        "notifications": "/notifications{?since,all,participating}",
        "pulls": "/pulls{/number}",
        "releases": "/releases{/id}",
        "statuses": "/statuses/{sha}",
        "trees": "/git/trees{/sha}",
    }
    counts = ("forks_count", "stargazers_count", "watchers_count", "open_issues_count")
    counted = dict.fromkeys((*counts, "size", "forks", "open_issues", "watchers"), 0)
    return {
        "id": repo.id,
        "node_id": f"R_{repo.id}",
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
        "owner": simple_user(api, repo.owner),
        "html_url": html,
        "description": None,
        "fork": False,
        "url": base,
        **{f"{name}_url": f"{base}/{name}" for name in plain.split()},
        **{f"{name}_url": base + tail for name, tail in templated.items()},
        "git_url": f"git://github.com/{repo.full_name}.git",
        "ssh_url": f"git@github.com:{repo.full_name}.git",
        "clone_url": f"{html}.git",
        "svn_url": html,
        "mirror_url": None,
        "homepage": None,
        "language": "Python",
        "license": None,
        **counted,
        "default_branch": "main",
        "topics": [],
        **{f"has_{name}": True for name in ("issues", "projects", "wiki", "downloads")},
        "has_pages": False,
        "archived": False,
        "disabled": False,
        "visibility": "private" if repo.private else "public",
        "pushed_at": BORN,
        "created_at": BORN,
        "updated_at": BORN,
        "allow_forking": True,
        "is_template": False,
        "web_commit_signoff_required": False,
    }


def full_repository(api: str, repo: Repository) -> dict[str, Any]:
    """A repository as its own address shows it (full-repository)."""
    counts = {"network_count": 0, "subscribers_count": 0}
    return {**repository(api, repo), "has_discussions": False, **counts}


def app(api: str, app_id: int, installed: Installation) -> dict[str, Any]:
    """The authenticated App (integration)."""
    owner = installed.account
    return {
        "id": app_id,
        "slug": "fly-gha",
        "node_id": f"A_{app_id}",
        "client_id": f"Iv23li{app_id:014d}",
        "owner": simple_user(api, owner),
        "name": "fly-gha",
        "description": None,
        "external_url": "https://fly-gha.example",
        "html_url": f"{HTML}/apps/fly-gha",
        "created_at": BORN,
        "updated_at": BORN,
        "permissions": dict(installed.permissions),
        "events": list(APP_EVENTS),
        "installations_count": 1,
    }


def installation(api: str, app_id: int, found: Installation) -> dict[str, Any]:
    """The App's installation."""
    login = found.account.login
    return {
        "id": found.id,
        "account": simple_user(api, found.account),
        "repository_selection": "all",
        "access_tokens_url": f"{api}/app/installations/{found.id}/access_tokens",
        "repositories_url": f"{api}/installation/repositories",
        "html_url": f"{HTML}/organizations/{login}/settings/installations/{found.id}",
        "app_id": app_id,
        "app_slug": "fly-gha",
        "target_id": found.account.id,
        "target_type": found.account.type,
        "permissions": dict(found.permissions),
        "events": list(APP_EVENTS),
        "created_at": BORN,
        "updated_at": BORN,
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": None,
        "suspended_at": None,
    }


def delivery_item(delivery: Delivery) -> dict[str, Any]:
    """A line of the delivery log (hook-delivery-item)."""
    return {
        "id": delivery.id,
        "guid": delivery.guid,
        "delivered_at": iso(delivery.delivered_at or 0.0),
        "redelivery": delivery.redelivery,
        "duration": delivery.duration,
        "status": delivery.status,
        "status_code": delivery.status_code,
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": delivery.installation_id,
        "repository_id": delivery.repository_id,
        "throttled_at": None,
    }
