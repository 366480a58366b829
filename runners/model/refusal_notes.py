"""What each refusal means, of webhooks, claims, API calls, and of the boot agent itself."""

from collections.abc import Mapping

from runners.model.reason import Reason
from runners.model.reason_notes import (
    ENDING_NOTES,
    OBSERVED_NOTES,
    OPERATOR_NOTES,
    WAITING_NOTES,
    ReasonNote,
)

WEBHOOK_NOTES: Mapping[Reason, ReasonNote] = {
    Reason.SIGNATURE_MISSING: ReasonNote(
        "The delivery carries no signature.", "set the secret in the webhook's settings at GitHub"
    ),
    Reason.SIGNATURE_WRONG: ReasonNote(
        "The signature does not fit the body and GITHUB_WEBHOOK_SECRET.",
        "make the secret the same on both sides",
    ),
    Reason.BODY_TOO_LARGE: ReasonNote(
        "The body is larger than `github.webhook_max_bytes`.", "raise it if GitHub itself sent the body"
    ),
    Reason.BODY_NOT_JSON: ReasonNote("The body is not JSON.", "redeliver it from GitHub's delivery log"),
    Reason.CONTENT_TYPE_WRONG: ReasonNote(
        "The content type is not application/json.", "choose it in the webhook's settings at GitHub"
    ),
    Reason.EVENT_IGNORED: ReasonNote("Events of this kind change nothing here."),
    Reason.PAYLOAD_MALFORMED: ReasonNote(
        "A field that is needed is missing or of the wrong kind; the text names it.",
        "look at the payload in GitHub's delivery log",
    ),
    Reason.LABELS_UNKNOWN: ReasonNote(
        "No pool serves all of the job's labels.", "mend `runs-on`, or add the labels to a pool"
    ),
    Reason.REPOSITORY_NOT_ALLOWED: ReasonNote(
        "This fleet does not serve the repository.",
        "add it to `github.organizations` or `github.repositories`, and to the pool's `repositories`",
    ),
    Reason.INSTALLATION_NOT_ALLOWED: ReasonNote(
        "The webhook is of an installation that is not served.", "add it to `github.installations`"
    ),
    Reason.PUBLIC_REPOSITORY: ReasonNote(
        "The repository is public, and the pool does not serve public ones.",
        "read docs/security.md before setting `pools.allow_public`",
    ),
    Reason.ALREADY_KNOWN: ReasonNote("The delivery says nothing new; events come twice and out of order."),
}
"""Why an event or a job is not this fleet's to serve."""

CLAIM_NOTES: Mapping[Reason, ReasonNote] = {
    Reason.TOKEN_MISSING: ReasonNote("The call carries no bearer token.", "send one"),
    Reason.TOKEN_FORGED: ReasonNote(
        "The token is not signed by Fly for this fleet: issuer, audience, signature or form is wrong.",
        "when it is a Machine of this fleet, check `fly.oidc_issuer` and `fleet.public_url`",
    ),
    Reason.TOKEN_EXPIRED: ReasonNote("The token's time is over; the agent mints another."),
    Reason.TOKEN_EARLY: ReasonNote("The token is not valid yet; the agent mints another."),
    Reason.TOKEN_REPLAYED: ReasonNote(
        "The token was used before.", "find out who holds tokens of that Machine: somebody listens or tries"
    ),
    Reason.CLAIM_MALFORMED: ReasonNote(
        "The claim's body is not what the boot agent sends.", "build the image anew"
    ),
    Reason.CLAIM_FROM_OTHER_APP: ReasonNote(
        "The Machine is in an app that no pool names.", "nothing, unless the app should be in `pools.apps`"
    ),
    Reason.CLAIM_BY_UNKNOWN_MACHINE: ReasonNote(
        "No row has a Machine of that name: this fleet did not make it."
    ),
    Reason.CLAIM_BY_OTHER_MACHINE: ReasonNote("Another Machine of the same name has claimed before."),
    Reason.CLAIM_WITH_OTHER_IMAGE: ReasonNote(
        "The Machine runs another image than it was made with.",
        "find out who changes Machines in the runner apps",
    ),
    Reason.CLAIM_BY_OTHER_NONCE: ReasonNote(
        "The registration was handed out to another caller of that Machine."
    ),
    Reason.CLAIM_AFTER_RETIRE: ReasonNote("The Runner of that Machine is retired; the Machine ends."),
    Reason.CLAIM_WINDOW_OVER: ReasonNote(
        "The registration was handed out already, and the time to ask for it again is over."
    ),
    Reason.ISSUER_UNREADABLE: ReasonNote(
        "Fly's keys cannot be read now, so no token can be checked; the agent asks again.",
        "check `fly.oidc_issuer` when it stays",
    ),
    Reason.HOOK_TOKEN_WRONG: ReasonNote("The hook token is no Runner's; the job goes on without the hook."),
    Reason.GATE_REFUSED: ReasonNote(
        "The Machine's gate failed a job before its first step: the pool's lists do not allow it.",
        "narrow the runner group at GitHub as docs/security.md says, or widen the pool's lists",
    ),
}
"""Why a claim, or the job that a Machine got, was refused."""

API_NOTES: Mapping[Reason, ReasonNote] = {
    Reason.ACCESS_DENIED: ReasonNote("The API token lacks the scope.", "use one made with `--scope`"),
    Reason.ACCESS_TOKEN_WRONG: ReasonNote(
        "The API token is unknown, revoked or over.", "make one with `fly-gha token create --local`"
    ),
    Reason.NOT_FOUND: ReasonNote(
        "Nothing of that name is here, or the token may not see it.", "check the name"
    ),
    Reason.METHOD_NOT_ALLOWED: ReasonNote(
        "The address does not take this method.", "use one the Allow header names"
    ),
    Reason.REQUEST_INVALID: ReasonNote(
        "The request was not understood; the text names the place.", "mend it"
    ),
    Reason.CURSOR_UNKNOWN: ReasonNote(
        "The row that the page was to begin after is not known any more.", "ask for the first page again"
    ),
    Reason.PLAN_STALE: ReasonNote(
        "The planner has not planned lately, so nobody can say what would start now.",
        "ask again; when it stays, look at the loop `planner` in GET /v1/status",
    ),
    Reason.CHANGED_SINCE: ReasonNote(
        "Somebody changed it since the reading that If-Match names; nothing was done.",
        "read it again, then ask again with its new ETag",
    ),
    Reason.KEY_USED_BEFORE: ReasonNote(
        "The Idempotency-Key came before with another request; nothing was done.",
        "use a new key for each thing to do",
    ),
    Reason.ONLY_OBSERVING: ReasonNote(
        "This dispatcher only observes and changes nothing.", "ask the dispatcher that acts"
    ),
    Reason.TOO_MANY_STREAMS: ReasonNote("As many status streams are open as may be.", "close one, or poll"),
    Reason.STORE_UNAVAILABLE: ReasonNote(
        "The database cannot be used now.", "ask again; GET /readyz tells when"
    ),
    Reason.INTERNAL_ERROR: ReasonNote(
        "An error in the dispatcher.", "find `api.failed` in its log and report it"
    ),
}
"""Why the API did not do what it was asked."""

EXIT_NOTES: Mapping[Reason, ReasonNote] = {
    Reason.EXIT_NO_OIDC: ReasonNote(
        "Fly's socket gave no token.", "check that the image runs on Fly, as root"
    ),
    Reason.EXIT_CLAIM_REFUSED: ReasonNote(
        "The dispatcher refused the claim.", "look for the refusal in the events"
    ),
    Reason.EXIT_CLAIM_TIMEOUT: ReasonNote(
        "No registration came until the claim deadline.", "check that Machines can reach `fleet.public_url`"
    ),
    Reason.EXIT_CLOCK_WRONG: ReasonNote("The Machine's clock is too far off.", "report the host to Fly"),
    Reason.EXIT_RETIRED: ReasonNote("The dispatcher had retired the Machine, or it was told to stop."),
    Reason.EXIT_CONFIG_FAILED: ReasonNote("The runner's config.sh failed.", "read the Machine's log at Fly"),
    Reason.EXIT_NEVER_ONLINE: ReasonNote(
        "The listener did not come online.", "read the Machine's log at Fly"
    ),
    Reason.EXIT_RUNNER_OUTDATED: ReasonNote(
        "GitHub no longer takes this runner version.", "build the image anew"
    ),
    Reason.EXIT_RUNNER_FAILED: ReasonNote("The listener ended badly.", "read the Machine's log at Fly"),
    Reason.EXIT_AGENT_ERROR: ReasonNote(
        "A setting of the boot agent is wrong, or the agent is.", "read the Machine's log at Fly"
    ),
    Reason.EXIT_DISK_FAILED: ReasonNote(
        "The disk that the class promises could not be prepared.",
        "read the Machine's log at Fly, then correct the disk of the Machine class",
    ),
}
"""How a Machine's main process, the boot agent, said it ended."""

REASON_NOTES: Mapping[str, Mapping[Reason, ReasonNote]] = {
    "Why a job waits, or supply was asked for": WAITING_NOTES,
    "Why a webhook or a job was not taken": WEBHOOK_NOTES,
    "Why a Machine or a Runner ends": ENDING_NOTES,
    "Why a claim or a hook was refused": CLAIM_NOTES,
    "Why the API did not do what it was asked": API_NOTES,
    "How a Machine's boot agent ended": EXIT_NOTES,
    "What an operator had done": OPERATOR_NOTES,
    "What observing found": OBSERVED_NOTES,
}
"""Every Reason, in the groups of ``docs/reasons.md``."""
