"""Exit codes of the listener (source of actions/runner 2.336) and the version it claims to be."""

VERSION = "2.336.0"
SUCCESS = 0
TERMINATED = 1
RETRYABLE = 2
UPDATING = 3
RUN_ONCE_UPDATING = 4
SESSION_CONFLICT = 5
VERSION_DEPRECATED = 7
# With ACTIONS_RUNNER_RETURN_JOB_RESULT_FOR_HOSTED=1 the listener ends with 100 + the job's result.
JOB_RESULT_BASE = 100
JOB_RESULTS = {"success": 0, "failure": 2, "cancelled": 3}
