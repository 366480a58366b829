"""Reason: why something waits, was refused, ended or was lost, in the one wording every face shows.

The planner, the claim and the webhook decide a Reason; log, event, CLI, page, metric label and MCP print it.
What each means and what to do next is in ``reason_notes.py`` and ``refusal_notes.py``, of which
``docs/reasons.md`` is made.
"""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """A typed cause. The value is stable: scripts, metric labels and stored events rely on it."""

    # Why a queued job waits, or why supply for it was asked for.
    DEMAND = "demand"
    SPARE_WANTED = "spare_wanted"
    SUPPLY_ON_ITS_WAY = "supply_on_its_way"
    RUNNER_IDLE = "runner_idle"
    AWAITING_APPROVAL = "awaiting_approval"
    POOL_AT_MAX = "pool_at_max"
    FLEET_AT_MAX = "fleet_at_max"
    POOL_DRAINED = "pool_drained"
    FLEET_PAUSED = "fleet_paused"
    POOL_BUDGET_SPENT = "pool_budget_spent"
    FLEET_BUDGET_SPENT = "fleet_budget_spent"
    FLY_CREATE_BUDGET = "fly_create_budget"
    FLY_VOLUME_BUDGET = "fly_volume_budget"
    GITHUB_WRITE_BUDGET = "github_write_budget"
    NO_CAPACITY = "no_capacity"
    FLY_BREAKER_OPEN = "fly_breaker_open"
    GITHUB_BREAKER_OPEN = "github_breaker_open"
    CREDENTIAL_MISSING = "credential_missing"
    GROUP_ALLOWS_PUBLIC = "group_allows_public"
    GROUP_MISSING = "group_missing"
    GROUP_UNREAD = "group_unread"
    NOT_DISPATCHED = "not_dispatched"
    NOT_PLANNED_YET = "not_planned_yet"

    # Why an event or a job is not ours to serve.
    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_WRONG = "signature_wrong"
    BODY_TOO_LARGE = "body_too_large"
    BODY_NOT_JSON = "body_not_json"
    CONTENT_TYPE_WRONG = "content_type_wrong"
    EVENT_IGNORED = "event_ignored"
    PAYLOAD_MALFORMED = "payload_malformed"
    LABELS_UNKNOWN = "labels_unknown"
    REPOSITORY_NOT_ALLOWED = "repository_not_allowed"
    INSTALLATION_NOT_ALLOWED = "installation_not_allowed"
    PUBLIC_REPOSITORY = "public_repository"
    ALREADY_KNOWN = "already_known"

    # Why a Machine or a Runner ends.
    JOB_COMPLETED = "job_completed"
    IDLE_TOO_LONG = "idle_too_long"
    NEVER_STARTED = "never_started"
    NEVER_CLAIMED = "never_claimed"
    NEVER_ONLINE = "never_online"
    TOO_OLD = "too_old"
    SURPLUS = "surplus"
    SPARE_OUTDATED = "spare_outdated"
    OPERATOR_RETIRED = "operator_retired"
    OPERATOR_FORCED = "operator_forced"
    REGISTRATION_EXPIRED = "registration_expired"
    REGISTRATION_VANISHED = "registration_vanished"
    DID_NOT_EXIT = "did_not_exit"
    LAUNCH_REFUSED = "launch_refused"
    LAUNCH_NO_CAPACITY = "launch_no_capacity"
    LAUNCH_NOT_READY = "launch_not_ready"
    HOST_UNREACHABLE = "host_unreachable"
    LAUNCH_LOST = "launch_lost"
    MINT_REFUSED = "mint_refused"
    MINT_LOST = "mint_lost"
    SEAL_BROKEN = "seal_broken"
    MACHINE_GONE = "machine_gone"
    MACHINE_LOST = "machine_lost"
    BUSY = "busy"

    # What a sweep found without its partner.
    MACHINE_WITHOUT_ROW = "machine_without_row"
    REGISTRATION_WITHOUT_RUNNER = "registration_without_runner"
    ROW_WITHOUT_EITHER = "row_without_either"
    DATABASE_RESTORED = "database_restored"
    VOLUME_WITHOUT_MACHINE = "volume_without_machine"

    # Why a claim was refused.
    TOKEN_MISSING = "token_missing"  # noqa: S105 - a Reason, not a credential
    TOKEN_FORGED = "token_forged"  # noqa: S105
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    TOKEN_EARLY = "token_early"  # noqa: S105
    TOKEN_REPLAYED = "token_replayed"  # noqa: S105
    CLAIM_MALFORMED = "claim_malformed"
    CLAIM_FROM_OTHER_APP = "claim_from_other_app"
    CLAIM_BY_UNKNOWN_MACHINE = "claim_by_unknown_machine"
    CLAIM_BY_OTHER_MACHINE = "claim_by_other_machine"
    CLAIM_WITH_OTHER_IMAGE = "claim_with_other_image"
    CLAIM_BY_OTHER_NONCE = "claim_by_other_nonce"
    CLAIM_AFTER_RETIRE = "claim_after_retire"
    CLAIM_WINDOW_OVER = "claim_window_over"
    ISSUER_UNREADABLE = "issuer_unreadable"
    HOOK_TOKEN_WRONG = "hook_token_wrong"  # noqa: S105
    GATE_REFUSED = "gate_refused"
    ACCESS_DENIED = "access_denied"

    # Why the API did not do what it was asked.
    ACCESS_TOKEN_WRONG = "access_token_wrong"  # noqa: S105
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    REQUEST_INVALID = "request_invalid"
    CURSOR_UNKNOWN = "cursor_unknown"
    PLAN_STALE = "plan_stale"
    CHANGED_SINCE = "changed_since"
    KEY_USED_BEFORE = "key_used_before"
    ONLY_OBSERVING = "only_observing"
    TOO_MANY_STREAMS = "too_many_streams"
    STORE_UNAVAILABLE = "store_unavailable"
    INTERNAL_ERROR = "internal_error"

    # How a Machine's main process, the boot agent, said it ended (machines/runner/boot.py EXITS).
    EXIT_NO_OIDC = "exit_no_oidc"
    EXIT_CLAIM_REFUSED = "exit_claim_refused"
    EXIT_CLAIM_TIMEOUT = "exit_claim_timeout"
    EXIT_CLOCK_WRONG = "exit_clock_wrong"
    EXIT_RETIRED = "exit_retired"
    EXIT_CONFIG_FAILED = "exit_config_failed"
    EXIT_NEVER_ONLINE = "exit_never_online"
    EXIT_RUNNER_OUTDATED = "exit_runner_outdated"
    EXIT_RUNNER_FAILED = "exit_runner_failed"
    EXIT_AGENT_ERROR = "exit_agent_error"
    EXIT_DISK_FAILED = "exit_disk_failed"
    OUT_OF_MEMORY = "out_of_memory"

    # What an operator had done.
    OPERATOR_REQUEST = "operator_request"

    # What observing found.
    RECOVERED_BY_SWEEP = "recovered_by_sweep"
    RECOVERED_BY_DELIVERY_LOG = "recovered_by_delivery_log"
    MOVED_BACK_BY_REST = "moved_back_by_rest"
    CREDENTIAL_AGEING = "credential_ageing"
    OBSERVED = "observed"


@dataclass(frozen=True, slots=True)
class Why:
    """A Reason with the particulars of one case.

    Attributes:
        reason: the typed cause.
        detail: the particulars in plain words, without secrets and without text written by other people.
        until: Unix seconds when this is expected to change, or None when nobody can say.
    """

    reason: Reason
    detail: str = ""
    until: float | None = None

    def __str__(self) -> str:
        """The one wording: ``pool_at_max: 4 of 4 Machines are in use``."""
        return f"{self.reason}: {self.detail}" if self.detail else str(self.reason)
