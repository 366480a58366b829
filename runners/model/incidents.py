"""Which Reasons are incidents: what the fleet itself did wrong, lost, or could not do for want of something.

A refusal is no incident, since the fleet then does right, and neither is a cap, a budget or an operator's
word. When a refusal hits a Machine of ours, that Machine's end is one, and so is a job that its gate failed.
A test holds that every Reason is in one of the two sets.
"""

from runners.model.reason import Reason

INCIDENTS: frozenset[Reason] = frozenset(
    {
        # An upstream, or a credential, was not there when it was needed.
        Reason.NO_CAPACITY,
        Reason.FLY_BREAKER_OPEN,
        Reason.GITHUB_BREAKER_OPEN,
        Reason.CREDENTIAL_MISSING,
        Reason.CREDENTIAL_AGEING,
        Reason.ISSUER_UNREADABLE,
        Reason.GROUP_UNREAD,
        # Somebody changed at GitHub what keeps strangers out.
        Reason.GROUP_ALLOWS_PUBLIC,
        Reason.GROUP_MISSING,
        Reason.STORE_UNAVAILABLE,
        # A launch, a registration or a Machine came to nothing.
        Reason.NEVER_STARTED,
        Reason.NEVER_CLAIMED,
        Reason.NEVER_ONLINE,
        Reason.REGISTRATION_EXPIRED,
        Reason.REGISTRATION_VANISHED,
        Reason.DID_NOT_EXIT,
        Reason.LAUNCH_REFUSED,
        Reason.LAUNCH_NO_CAPACITY,
        Reason.LAUNCH_NOT_READY,
        Reason.HOST_UNREACHABLE,
        Reason.LAUNCH_LOST,
        Reason.MINT_REFUSED,
        Reason.MINT_LOST,
        Reason.SEAL_BROKEN,
        Reason.MACHINE_LOST,
        Reason.OUT_OF_MEMORY,
        Reason.EXIT_NO_OIDC,
        Reason.EXIT_CLAIM_REFUSED,
        Reason.EXIT_CLAIM_TIMEOUT,
        Reason.EXIT_CLOCK_WRONG,
        Reason.EXIT_CONFIG_FAILED,
        Reason.EXIT_NEVER_ONLINE,
        Reason.EXIT_RUNNER_OUTDATED,
        Reason.EXIT_RUNNER_FAILED,
        Reason.EXIT_AGENT_ERROR,
        Reason.EXIT_DISK_FAILED,
        # A job failed at the gate, since GitHub gave it to a runner that should never have got it.
        Reason.GATE_REFUSED,
        # Something lost its partner, or a webhook never came.
        Reason.MACHINE_WITHOUT_ROW,
        Reason.REGISTRATION_WITHOUT_RUNNER,
        Reason.ROW_WITHOUT_EITHER,
        Reason.RECOVERED_BY_SWEEP,
        Reason.RECOVERED_BY_DELIVERY_LOG,
        # The dispatcher did not understand what GitHub signed, failed, or fell behind.
        Reason.BODY_NOT_JSON,
        Reason.PAYLOAD_MALFORMED,
        Reason.INTERNAL_ERROR,
        Reason.PLAN_STALE,
    }
)

ORDINARY: frozenset[Reason] = frozenset(
    {
        # How a job waits.
        Reason.DEMAND,
        Reason.SPARE_WANTED,
        Reason.SUPPLY_ON_ITS_WAY,
        Reason.RUNNER_IDLE,
        Reason.AWAITING_APPROVAL,
        Reason.POOL_AT_MAX,
        Reason.FLEET_AT_MAX,
        Reason.POOL_DRAINED,
        Reason.FLEET_PAUSED,
        Reason.POOL_BUDGET_SPENT,
        Reason.FLEET_BUDGET_SPENT,
        Reason.FLY_CREATE_BUDGET,
        Reason.FLY_VOLUME_BUDGET,
        # Every Machine of a class with a volume leaves one.
        Reason.VOLUME_WITHOUT_MACHINE,
        Reason.GITHUB_WRITE_BUDGET,
        Reason.NOT_DISPATCHED,
        Reason.NOT_PLANNED_YET,
        # What is not ours to serve, or not theirs to ask.
        Reason.SIGNATURE_MISSING,
        Reason.SIGNATURE_WRONG,
        Reason.BODY_TOO_LARGE,
        Reason.CONTENT_TYPE_WRONG,
        Reason.EVENT_IGNORED,
        Reason.LABELS_UNKNOWN,
        Reason.REPOSITORY_NOT_ALLOWED,
        Reason.INSTALLATION_NOT_ALLOWED,
        Reason.PUBLIC_REPOSITORY,
        Reason.ALREADY_KNOWN,
        Reason.TOKEN_MISSING,
        Reason.TOKEN_FORGED,
        Reason.TOKEN_EXPIRED,
        Reason.TOKEN_EARLY,
        Reason.TOKEN_REPLAYED,
        Reason.CLAIM_MALFORMED,
        Reason.CLAIM_FROM_OTHER_APP,
        Reason.CLAIM_BY_UNKNOWN_MACHINE,
        Reason.CLAIM_BY_OTHER_MACHINE,
        Reason.CLAIM_WITH_OTHER_IMAGE,
        Reason.CLAIM_BY_OTHER_NONCE,
        Reason.CLAIM_AFTER_RETIRE,
        Reason.CLAIM_WINDOW_OVER,
        Reason.HOOK_TOKEN_WRONG,
        Reason.ACCESS_DENIED,
        Reason.ACCESS_TOKEN_WRONG,
        Reason.NOT_FOUND,
        Reason.METHOD_NOT_ALLOWED,
        Reason.REQUEST_INVALID,
        Reason.CURSOR_UNKNOWN,
        Reason.CHANGED_SINCE,
        Reason.KEY_USED_BEFORE,
        Reason.ONLY_OBSERVING,
        Reason.TOO_MANY_STREAMS,
        # How a Machine or a Runner ends in due course.
        Reason.JOB_COMPLETED,
        Reason.IDLE_TOO_LONG,
        Reason.TOO_OLD,
        Reason.SURPLUS,
        Reason.SPARE_OUTDATED,
        Reason.OPERATOR_RETIRED,
        Reason.OPERATOR_FORCED,
        Reason.OPERATOR_REQUEST,
        Reason.DATABASE_RESTORED,
        Reason.MACHINE_GONE,
        Reason.BUSY,
        Reason.EXIT_RETIRED,
        Reason.MOVED_BACK_BY_REST,
        Reason.OBSERVED,
    }
)
