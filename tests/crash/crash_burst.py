"""The burst that a dispatcher dies in: ten jobs over a jit and a token pool, with endings to be made.

Two Machines never boot. The job that was queued last is cancelled while it still waits for one of them: a
Runner too many is retired (a DELETE), its Machine is destroyed, the other one is given up at its deadline.
"""

from runners.cli.demo.script import MEDIUM, SMALL, FaultScript, JobScript, RunScript

REPOSITORY = "acme/web"

JIT_JOBS = tuple(JobScript(f"jit {number}", MEDIUM, (("build", 20.0 + 8 * number),)) for number in range(4))
TOKEN_JOBS = tuple(JobScript(f"token {number}", SMALL, (("lint", 16.0 + 8 * number),)) for number in range(4))
STUCK = JobScript("waits for a Machine that never boots", MEDIUM, (("build", 10.0),))
# Late enough that every other job has its runner, and before the Machines that never boot are given up.
CANCELLED = JobScript(
    "cancelled while queued", MEDIUM, (("build", 10.0),), expect="cancelled", cancel_after=36.0
)

JOBS = (*JIT_JOBS, *TOKEN_JOBS, STUCK, CANCELLED)
BURST = RunScript(REPOSITORY, "Burst", "main", "push", 0.0, JOBS)
FAULTS = (
    FaultScript("fly", "never_boots", {"pool": "gha-medium"}, times=2, says="two Machines that never boot"),
)
