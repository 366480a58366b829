"""What a Machine's end means: the boot agent's exit codes, and Fly's word on memory, as Reasons."""

from collections.abc import Mapping

from runners.model.reason import Reason

# The same table as EXITS in machines/runner/boot.py, which cannot import it; a test compares the two.
EXIT_REASONS: Mapping[int, Reason] = {
    0: Reason.JOB_COMPLETED,
    20: Reason.EXIT_NO_OIDC,
    21: Reason.EXIT_CLAIM_REFUSED,
    22: Reason.EXIT_CLAIM_TIMEOUT,
    23: Reason.EXIT_CLOCK_WRONG,
    24: Reason.EXIT_RETIRED,
    25: Reason.EXIT_CONFIG_FAILED,
    26: Reason.EXIT_NEVER_ONLINE,
    27: Reason.EXIT_RUNNER_OUTDATED,
    28: Reason.EXIT_RUNNER_FAILED,
    29: Reason.EXIT_AGENT_ERROR,
    30: Reason.EXIT_DISK_FAILED,
}

# Ends of a Machine that never became a runner: the image, the network or the registration is at fault, and
# the next Machine of the same class will most likely end the same way.
NEVER_WORKED = frozenset(
    {
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
    }
)


def exit_reason(exit_code: int | None, *, oom: bool) -> Reason:
    """The Reason of a Machine's end; MACHINE_GONE when Fly told no code or one that is not the agent's."""
    if oom:
        return Reason.OUT_OF_MEMORY
    if exit_code is None:
        return Reason.MACHINE_GONE
    return EXIT_REASONS.get(exit_code, Reason.MACHINE_LOST)
