"""What each Reason means and what to do next: the source of ``docs/reasons.md``.

Here: why something waits, why it ends, and what observing found. Refusals are in ``refusal_notes.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from runners.model.reason import Reason

NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class ReasonNote:
    """What one Reason means.

    Attributes:
        meaning: what is the case.
        next_step: the one thing to do; ``NOTHING`` when it passes by itself.
    """

    meaning: str
    next_step: str = NOTHING


WAITING_NOTES: Mapping[Reason, ReasonNote] = {
    Reason.DEMAND: ReasonNote("A queued job needs a runner, so one was requested."),
    Reason.SPARE_WANTED: ReasonNote("The pool keeps spares, and one was missing."),
    Reason.SUPPLY_ON_ITS_WAY: ReasonNote("A Machine for this job's pool is being made or booting."),
    Reason.RUNNER_IDLE: ReasonNote("A runner is online and waits for GitHub to give it the job."),
    Reason.AWAITING_APPROVAL: ReasonNote(
        "GitHub holds the job for an approval or a wait timer; nothing boots for it.", "approve it at GitHub"
    ),
    Reason.POOL_AT_MAX: ReasonNote(
        "The pool has as many Machines as it may have.", "wait, or `fly-gha scale POOL --max N`"
    ),
    Reason.FLEET_AT_MAX: ReasonNote(
        "All pools together have as many Machines as they may have.", "wait, or raise `fleet.max_machines`"
    ),
    Reason.POOL_DRAINED: ReasonNote(
        "The pool takes no new work.", "`fly-gha undrain POOL`, or name a `fallback`"
    ),
    Reason.FLEET_PAUSED: ReasonNote("The fleet launches nothing; what runs goes on.", "`fly-gha resume`"),
    Reason.POOL_BUDGET_SPENT: ReasonNote(
        "The pool has spent its money of this day (UTC).", "wait, or raise `pools.daily_budget_usd`"
    ),
    Reason.FLEET_BUDGET_SPENT: ReasonNote(
        "The fleet has spent its money of this day (UTC).", "wait, or raise `fleet.daily_budget_usd`"
    ),
    Reason.FLY_CREATE_BUDGET: ReasonNote(
        "Fly takes so many creates per second and app; this one goes out in a moment.",
        "give the pool more `apps` when this is often seen",
    ),
    Reason.FLY_VOLUME_BUDGET: ReasonNote(
        "Fly takes so many deletes of volumes per second and app; this one goes out in a moment."
    ),
    Reason.GITHUB_WRITE_BUDGET: ReasonNote(
        "GitHub takes so many writes per minute and installation; this one goes out in a moment.",
        "let bursts register by `token` when this is often seen",
    ),
    Reason.NO_CAPACITY: ReasonNote(
        "Fly had no room for this class in any of the pool's regions.", "wait, or add `regions` to the pool"
    ),
    Reason.FLY_BREAKER_OPEN: ReasonNote(
        "Fly failed again and again, so calls to this app pause; trials are let through by themselves.",
        "look at Fly's status page",
    ),
    Reason.GITHUB_BREAKER_OPEN: ReasonNote(
        "GitHub failed again and again, so calls for this owner pause; trials are let through by themselves.",
        "look at GitHub's status page",
    ),
    Reason.CREDENTIAL_MISSING: ReasonNote(
        "A credential is not there, has expired, or was not renewed; the text names it.",
        "provide it, or start `fly-gha tokens publish`; it is noticed within `timing.credentials_period`",
    ),
    Reason.GROUP_ALLOWS_PUBLIC: ReasonNote(
        "The pool's runner group lets public repositories in, which it does not serve: it launches nothing.",
        "forbid public repositories in the group's settings, or read docs/security.md and set `allow_public`",
    ),
    Reason.GROUP_MISSING: ReasonNote(
        "The organization has no runner group of the pool's name: it launches nothing.",
        "make the group under the organization's Actions settings, or correct `pools.runner_group`",
    ),
    Reason.GROUP_UNREAD: ReasonNote(
        "Who may use the pool's runners has not been read yet, so it launches nothing.",
        "nothing; when it stays, see why GitHub cannot be read: the loop `group-list` in GET /v1/status",
    ),
    Reason.NOT_DISPATCHED: ReasonNote(
        "A runner was idle and GitHub did not give it this job, as with `max-parallel`; supply is made "
        "later.",
        "look at the workflow's `max-parallel` and `concurrency`, and at the runner group's repositories",
    ),
    Reason.NOT_PLANNED_YET: ReasonNote("It is new, and the planner has not looked at it."),
}
"""Why a queued job waits, or why supply for it was asked for."""

ENDING_NOTES: Mapping[Reason, ReasonNote] = {
    Reason.JOB_COMPLETED: ReasonNote("Its one job has finished."),
    Reason.IDLE_TOO_LONG: ReasonNote(
        "It was online without a job for longer than `timing.idle_timeout`: the job went elsewhere or was "
        "cancelled."
    ),
    Reason.NEVER_STARTED: ReasonNote(
        "Fly took the launch, and the Machine did not start within `timing.boot_deadline`; it is replaced.",
        "look at the Machine's events at Fly when this is often seen",
    ),
    Reason.NEVER_CLAIMED: ReasonNote(
        "The Machine started, and its boot agent never took its registration; it is replaced.",
        "check that Machines can reach `fleet.public_url`, and read the Machine's log at Fly",
    ),
    Reason.NEVER_ONLINE: ReasonNote(
        "The Machine has a registration, and its listener was not online within `timing.online_deadline`.",
        "read the Machine's log at Fly: the image, or its way to GitHub, is at fault",
    ),
    Reason.TOO_OLD: ReasonNote(
        "It outlived `timing.max_lifetime`, or as a spare `timing.spare_max_age`.",
        "split the job, or raise `timing.max_lifetime`, when it was still at work",
    ),
    Reason.SURPLUS: ReasonNote("More was on its way than is needed now."),
    Reason.SPARE_OUTDATED: ReasonNote("The spare's image or class is no longer the pool's; it is replaced."),
    Reason.OPERATOR_RETIRED: ReasonNote("An operator had it ended; the event before has who and why."),
    Reason.OPERATOR_FORCED: ReasonNote(
        "An operator had it ended by force, whatever it ran; a job that it ran is lost.",
        "run the job again; the event `retire_asked` has who and why",
    ),
    Reason.REGISTRATION_EXPIRED: ReasonNote(
        "Nobody claimed the registration within `timing.registration_max_age`; it is replaced."
    ),
    Reason.REGISTRATION_VANISHED: ReasonNote(
        "GitHub no longer lists the registration, so its Machine waits for nothing."
    ),
    Reason.DID_NOT_EXIT: ReasonNote("The Machine did not end by itself within its grace; it is destroyed."),
    Reason.LAUNCH_REFUSED: ReasonNote(
        "Fly refused the launch; the text has its words.", "mend what it names: image, app, region or token"
    ),
    Reason.LAUNCH_NO_CAPACITY: ReasonNote(
        "Fly had no room in that region; another is tried.", "add `regions` when this is often seen"
    ),
    Reason.LAUNCH_NOT_READY: ReasonNote(
        "Fly would not start the spare just then; its job got other supply, and it is tried again.",
        "when this is often seen, set `timing.spare_settle` higher",
    ),
    Reason.HOST_UNREACHABLE: ReasonNote(
        "Fly cannot reach the host that the spare is on; no job waits for it, and another takes its place."
    ),
    Reason.LAUNCH_LOST: ReasonNote(
        "The answer to a create was lost; the Machine is looked up by name, and adopted or given up."
    ),
    Reason.MINT_REFUSED: ReasonNote(
        "GitHub refused the registration; the text has its words.",
        "check the App's permissions, the runner group and the scope",
    ),
    Reason.MINT_LOST: ReasonNote(
        "The answer to a registration was lost; what GitHub may have made is removed, and another is minted."
    ),
    Reason.SEAL_BROKEN: ReasonNote(
        "A stored registration does not open with this FLY_GHA_FLEET_KEY, or was altered; it is replaced.",
        "give every dispatcher of the fleet the same key; after a rotation, nothing",
    ),
    Reason.MACHINE_GONE: ReasonNote("Its Machine is gone, and no job was lost with it."),
    Reason.MACHINE_LOST: ReasonNote(
        "Its Machine ended while the job ran; GitHub reports the failure when the job's lock expires.",
        "run the job again; look at the Machine's end with `fly-gha why`",
    ),
    Reason.BUSY: ReasonNote(
        "It runs a job, which vetoes every end but `timing.max_lifetime` and an operator's force."
    ),
    Reason.OUT_OF_MEMORY: ReasonNote(
        "The Machine ran out of memory.", "let the job use a pool with a larger machine class"
    ),
    Reason.MACHINE_WITHOUT_ROW: ReasonNote(
        "Fly has a Machine with this fleet's tag and no row; it is destroyed."
    ),
    Reason.REGISTRATION_WITHOUT_RUNNER: ReasonNote(
        "GitHub has a registration with a name of this fleet and no Runner; it is removed."
    ),
    Reason.ROW_WITHOUT_EITHER: ReasonNote("A Machine that can serve nobody any more; it is destroyed."),
    Reason.DATABASE_RESTORED: ReasonNote(
        "The row is of a backup: what it had left to give may have been given since, so it gives nothing.",
    ),
    Reason.VOLUME_WITHOUT_MACHINE: ReasonNote("A volume of this fleet that no Machine has; it is deleted."),
}
"""Why a Machine or a Runner ends, or what a sweep found without its partner."""

OBSERVED_NOTES: Mapping[Reason, ReasonNote] = {
    Reason.RECOVERED_BY_SWEEP: ReasonNote("Its webhook never came; the sweep of GitHub's queue found it."),
    Reason.RECOVERED_BY_DELIVERY_LOG: ReasonNote("Its webhook never came; GitHub's delivery log had it."),
    Reason.MOVED_BACK_BY_REST: ReasonNote(
        "Webhooks had moved it on too far; a reading of GitHub's API set it right."
    ),
    Reason.CREDENTIAL_AGEING: ReasonNote(
        "A credential ends soon and was not replaced; it works until then. The text names it and its end.",
        "for a GitHub token look at `fly-gha tokens publish`, its log and its `/readyz`; put a new "
        "`FLY_API_TOKEN` in place",
    ),
    Reason.OBSERVED: ReasonNote("Fly, GitHub or the listener showed it."),
}
"""What observing found."""

OPERATOR_NOTES: Mapping[Reason, ReasonNote] = {
    Reason.OPERATOR_REQUEST: ReasonNote(
        "An operator asked for it; the event names the token and has the operator's words."
    ),
}
"""What an operator had done."""
