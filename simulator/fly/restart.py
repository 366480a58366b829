"""Fly's restart policy: who comes back after its body exits, as documented.

It matters here because the default is not "no": a Machine whose configuration forgets the policy is started
again after a failure, which for a runner would mean a second life for a used registration.
"""

from simulator.fly.body import BodyExit
from simulator.fly.machine import SimMachine

DEFAULT_POLICY = "on-failure"
DEFAULT_MAX_RETRIES = 10


def may_restart(machine: SimMachine, ended: BodyExit) -> bool:
    """Whether Fly starts the Machine again; never after a requested stop."""
    if machine.stop_requested or machine.state != "started":
        return False
    restart = machine.config.get("restart") or {}
    policy = restart.get("policy") or DEFAULT_POLICY
    if policy == "always":
        return True
    allowed = int(restart.get("max_retries") or DEFAULT_MAX_RETRIES)
    return policy == DEFAULT_POLICY and ended.exit_code != 0 and machine.restarts < allowed
