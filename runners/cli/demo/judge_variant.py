"""What the verdict adds for the fleet that was chosen: registrations, the App key, and what was warm."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from runners.cli.demo.judge import Check
from runners.cli.demo.options import Credentials, Registration, Variant

Entries = Sequence[Mapping[str, Any]]
APP_KEY = "GITHUB_APP_PRIVATE_KEY"
DISPATCHER = "dispatcher"


def judge_variant(variant: Variant, journals: Mapping[str, Entries]) -> tuple[Check, ...]:
    """The checks that depend on what was chosen.

    Args:
        variant: what was chosen.
        journals: the simulators' journals by name.
    """
    checks = [_registered(variant, journals["github"]), _app_key(variant, journals["infisical"])]
    if variant.warm:
        checks.append(_warm(variant, journals["fly"], journals["github"]))
    return tuple(checks)


def _registered(variant: Variant, github: Entries) -> Check:
    """By the chosen way, and by no other; ``auto`` and the demo's own mixture by both."""
    counts = Counter(entry["mode"] for entry in github if entry["kind"] == "runner_registered")
    mixed = variant.registration in (None, Registration.AUTO)
    wanted = {"jit", "token"} if mixed else {str(variant.registration)}
    says = ", ".join(f"{count} by {mode}" for mode, count in sorted(counts.items())) or "none"
    return Check("registered_as_chosen", set(counts) == wanted, says)


def _app_key(variant: Variant, infisical: Entries) -> Check:
    """Only in mode app does the dispatcher ever read the App key."""
    read = any(
        APP_KEY in entry["names"]
        for entry in infisical
        if entry["kind"] == "secret_read" and entry["identity"] == DISPATCHER
    )
    says = f"the dispatcher {'read' if read else 'never saw'} the App key ({variant.credentials})"
    return Check("app_key_kept", read is (variant.credentials is Credentials.APP), says)


def _warm(variant: Variant, fly: Entries, github: Entries) -> Check:
    """Spares that were there before the first job served jobs; every kind that was kept, at least one."""
    first = min((entry["at"] for entry in github if entry["kind"] == "job_queued"), default=0.0)
    made = [entry for entry in fly if entry["kind"] == "machine_created" and entry["at"] < first]
    # A runner is named after its Machine and a number.
    served = {entry["runner"].rpartition("-")[0] for entry in github if entry["kind"] == "job_started"}
    counts = {
        kind: sum(1 for entry in made if entry["skip_launch"] is stopped and entry["name"] in served)
        for kind, stopped in (("stopped", True), ("ready", False))
    }
    kept = {"stopped": variant.stopped, "ready": variant.ready}
    says = ", ".join(f"{counts[kind]} of {kept[kind]} {kind}" for kind in kept if kept[kind])
    ok = all(counts[kind] > 0 for kind in kept if kept[kind])
    return Check("spares_served", ok, f"of the spares from before the first job: {says} ran a job")
