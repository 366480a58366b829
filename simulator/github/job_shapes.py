"""The JSON of runners, runs, jobs and the `workflow_job` webhook, key for key as the specs have it."""

import json
from typing import Any

from simulator.github.accounts import Directory, RunnerGroup
from simulator.github.deliveries import Delivery
from simulator.github.jobs import Run, WorkflowJob
from simulator.github.registration import READ_ONLY_LABELS, Registration
from simulator.github.registrations import Registrations
from simulator.github.shapes import HTML, iso, iso_or_none, organization, repository, simple_user

WORKFLOW_FILE = ".github/workflows/ci.yml"


def runner(found: Registration, registrations: Registrations) -> dict[str, Any]:
    """A self-hosted runner, as the lists see it: late (runner)."""
    return {
        "id": found.id,
        "name": found.name,
        "os": found.os,
        "status": "online" if found.seen_online else "offline",
        "busy": found.seen_busy,
        "ephemeral": found.ephemeral,
        "runner_group_id": found.group_id,
        "version": found.version,
        "labels": [
            {
                "id": registrations.label_id(label),
                "name": label,
                "type": "read-only" if label.lower() in READ_ONLY_LABELS else "custom",
            }
            for label in found.labels
        ],
    }


def runner_group(api: str, org: str, group: RunnerGroup) -> dict[str, Any]:
    """A runner group (runner-groups-org)."""
    base = f"{api}/orgs/{org}/actions/runner-groups/{group.id}"
    shape = {
        "id": group.id,
        "name": group.name,
        "visibility": "all" if group.selected is None else "selected",
        "default": group.id == 1,
        "runners_url": f"{base}/runners",
        "hosted_runners_url": f"{base}/hosted-runners",
        "inherited": False,
        "allows_public_repositories": group.allows_public,
        "workflow_restrictions_read_only": False,
        "restricted_to_workflows": group.workflows is not None,
        "selected_workflows": list(group.workflows or ()),
    }
    return shape if group.selected is None else {**shape, "selected_repositories_url": f"{base}/repositories"}


def job(api: str, found: WorkflowJob) -> dict[str, Any]:
    """A job (job), which a webhook repeats word for word."""
    run, seat = found.run, found.seat
    base, html = f"{api}/repos/{run.repository.full_name}", f"{HTML}/{run.repository.full_name}"
    return {
        "id": found.id,
        "run_id": run.id,
        "workflow_name": run.workflow_name,
        "head_branch": run.head_branch,
        "run_url": f"{base}/actions/runs/{run.id}",
        "run_attempt": 1,
        "node_id": f"CR_{found.id}",
        "head_sha": run.head_sha,
        "url": f"{base}/actions/jobs/{found.id}",
        "html_url": f"{html}/actions/runs/{run.id}/job/{found.id}",
        "status": found.status,
        "conclusion": found.conclusion,
        "created_at": iso(found.created_at),
        "started_at": iso(found.started_at),
        "completed_at": iso_or_none(found.completed_at),
        "name": found.name,
        "steps": [
            {
                "name": step.name,
                "status": step.status,
                "conclusion": step.conclusion,
                "number": step.number,
                "started_at": iso_or_none(step.started_at),
                "completed_at": iso_or_none(step.completed_at),
            }
            for step in found.steps
        ],
        "check_run_url": f"{base}/check-runs/{found.id}",
        "labels": list(found.labels),
        "runner_id": seat.id if seat else None,
        "runner_name": seat.name if seat else None,
        "runner_group_id": seat.group_id if seat else None,
        "runner_group_name": seat.group_name if seat else None,
    }


def run(api: str, found: Run, directory: Directory) -> dict[str, Any]:
    """A workflow run (workflow-run)."""
    base = f"{api}/repos/{found.repository.full_name}"
    here, suite = f"{base}/actions/runs/{found.id}", found.id + 1
    actor, repo = simple_user(api, directory.sender), repository(api, found.repository)
    return {
        "id": found.id,
        "name": found.workflow_name,
        "display_title": found.display_title,
        "node_id": f"WFR_{found.id}",
        "head_branch": found.head_branch,
        "head_sha": found.head_sha,
        "path": WORKFLOW_FILE,
        "run_number": found.number,
        "run_attempt": 1,
        "event": found.event,
        "status": found.status,
        "conclusion": found.conclusion,
        "workflow_id": found.workflow_id,
        "check_suite_id": suite,
        "check_suite_node_id": f"CS_{suite}",
        "url": here,
        "html_url": f"{HTML}/{found.repository.full_name}/actions/runs/{found.id}",
        "pull_requests": [],
        "created_at": iso(found.created_at),
        "updated_at": iso(found.updated_at),
        "run_started_at": iso(found.created_at),
        "actor": actor,
        "triggering_actor": actor,
        "jobs_url": f"{here}/jobs",
        "logs_url": f"{here}/logs",
        "check_suite_url": f"{base}/check-suites/{suite}",
        "artifacts_url": f"{here}/artifacts",
        "cancel_url": f"{here}/cancel",
        "rerun_url": f"{here}/rerun",
        "previous_attempt_url": None,
        "workflow_url": f"{base}/actions/workflows/{found.workflow_id}",
        "head_commit": {
            "id": found.head_sha,
            "tree_id": found.head_sha[::-1],
            "message": "Change something",
            "timestamp": iso(found.created_at),
            "author": {"name": "Octo Cat", "email": "octocat@github.com"},
            "committer": {"name": "GitHub", "email": "noreply@github.com"},
        },
        "repository": repo,
        "head_repository": {
            **repo,
            "full_name": found.head_repository,
            "fork": found.head_repository != repo["full_name"],
        },
    }


def workflow_job_event(api: str, found: WorkflowJob, action: str, directory: Directory) -> dict[str, Any]:
    """The payload of a `workflow_job` webhook."""
    installation = directory.installation
    return {
        "action": action,
        "workflow_job": job(api, found),
        "repository": {**repository(api, found.run.repository), "custom_properties": {}},
        "organization": organization(api, directory.organization),
        "sender": simple_user(api, directory.sender),
        "installation": {"id": installation.id, "node_id": f"MDIzOkluc3RhbGxhdGlvbi{installation.id}"},
    }


def job_message(api: str, found: WorkflowJob, renew_s: float) -> dict[str, Any]:
    """What a runner is told of the job it got (our own runner protocol, no GitHub schema)."""
    run = found.run
    return {
        "id": found.id,
        "name": found.name,
        "run_id": run.id,
        "run_number": run.number,
        "repository": run.repository.full_name,
        "private": run.repository.private,
        "head_repository": run.head_repository,
        "workflow_name": run.workflow_name,
        "workflow_file": WORKFLOW_FILE,
        "head_branch": run.head_branch,
        "head_sha": run.head_sha,
        "event": run.event,
        "server_url": HTML,
        "api_url": api,
        "renew_s": renew_s,
        "steps": [
            {"name": step.name, "seconds": step.seconds, "kind": step.kind, "always": step.always}
            for step in found.order.steps
        ],
    }


def delivery_detail(delivery: Delivery, item: dict[str, Any], url: str) -> dict[str, Any]:
    """A delivery with what was sent and what came back (hook-delivery)."""
    return {
        **item,
        "url": url,
        "request": {"headers": dict(delivery.request_headers), "payload": json.loads(delivery.payload)},
        "response": {
            "headers": dict(delivery.response_headers) or None,
            "payload": delivery.response_payload or None,
        },
    }
