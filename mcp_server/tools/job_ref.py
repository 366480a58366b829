"""JobRef: a job or a run as people name it: an id, a URL of GitHub, or one of our handles."""

import re
from dataclasses import dataclass

from mcp_server.refused import Refused
from mcp_server.rule import Rule

ID_MAX = 2**63 - 1
TEXT_MAX = 512

_ID = re.compile(r"(?:fleet://jobs/)?(\d{1,19})")
# https://github.com/OWNER/REPO/actions/runs/RUN, then /attempts/N, /job/JOB or /jobs/JOB, then ? or # …
_URL = re.compile(
    r"https?://[A-Za-z0-9.:-]{1,255}/(?P<repository>[A-Za-z0-9-]{1,100}/[A-Za-z0-9._-]{1,100})"
    r"/actions/runs/(?P<run>\d{1,19})(?:/attempts/\d{1,9})?(?:/jobs?/(?P<job>\d{1,19}))?/?(?:[?#].*)?"
)


@dataclass(frozen=True, slots=True)
class JobRef:
    """What is asked about.

    Attributes:
        job_id: the job, or None for a run.
        run_id: the run; for a bare id that may be either, None.
        repository: ``owner/name`` that a URL named, or None.
    """

    job_id: int | None
    run_id: int | None
    repository: str | None


def job_ref(text: str | int, attempted: str) -> JobRef:
    """What ``text`` names.

    Raises:
        Refused: ARGUMENT_INVALID; it names neither a job nor a run.
    """
    whole = str(text).strip()
    found = _ID.fullmatch(whole)
    if found is not None:
        return JobRef(_number(found[1], attempted), None, None)
    found = _URL.fullmatch(whole)
    if found is None:
        raise _neither(attempted)
    job = found["job"]
    return JobRef(
        None if job is None else _number(job, attempted),
        _number(found["run"], attempted),
        found["repository"],
    )


def _number(digits: str, attempted: str) -> int:
    number = int(digits)
    if not 1 <= number <= ID_MAX:
        raise _neither(attempted)
    return number


def _neither(attempted: str) -> Refused:
    return Refused(
        Rule.ARGUMENT_INVALID,
        cause="job: it is neither the id nor the address of a job or a run",
        attempted=attempted,
        missing="a job id, a job URL or a run URL of GitHub, or a handle of this server",
        next_step="copy the address of the run from GitHub, or take an id from queue_list",
    )
