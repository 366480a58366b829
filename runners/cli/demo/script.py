"""Script: the workflows that the demo queues and the faults it arms, drawn from a seed.

Job names are unique, so a fault can be tied to one job before the job exists. Step lengths are seconds of the
simulated world, divided by the scale when they are queued.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

MEDIUM = "fly-gha-medium"
SMALL = "fly-gha-small"
TOTAL = 60
MATRIX = 24
# The jobs that faults are tied to, a matrix of two and a single.
LEAST_JOBS = 12
PULL_REQUESTS = 3


@dataclass(frozen=True, slots=True)
class JobScript:
    """One job.

    Attributes:
        expect: the conclusion that GitHub must come to.
        cancel_after: seconds of the simulated world, or None.
        dies: its Machine is killed while it runs.
    """

    name: str
    label: str
    steps: tuple[tuple[str, float], ...]
    expect: str = "success"
    cancel_after: float | None = None
    dies: bool = False


@dataclass(frozen=True, slots=True)
class RunScript:
    """One workflow run; queued ``after`` seconds of the simulated world from the start of the burst."""

    repository: str
    workflow: str
    branch: str
    event: str
    after: float
    jobs: tuple[JobScript, ...]


@dataclass(frozen=True, slots=True)
class FaultScript:
    """One fault to arm: where, which, and on what it fires."""

    world: str
    kind: str
    match: dict[str, object] = field(default_factory=dict)
    params: dict[str, float] = field(default_factory=dict)
    times: int = 1
    says: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """What happens in one demo."""

    runs: tuple[RunScript, ...]
    faults: tuple[FaultScript, ...]

    @property
    def jobs(self) -> tuple[JobScript, ...]:
        """Every job of every run."""
        return tuple(job for run in self.runs for job in run.jobs)


def first_job() -> RunScript:
    """The one job that is followed closely before the burst."""
    steps = (("checkout", 4.0), ("build", 12.0), ("test", 14.0))
    return RunScript("acme/web", "CI", "main", "push", 0.0, (JobScript("first", MEDIUM, steps),))


def write_script(seed: int, scale: float, total: int = TOTAL) -> Script:
    """So many jobs of realistic workflows, and the faults that hit them, however many jobs there are."""
    draw = random.Random(seed)  # noqa: S311 - a script, not a secret
    matrix, pull_requests = MATRIX * total // TOTAL, PULL_REQUESTS * total // TOTAL
    runs = (*_matrix(draw, matrix), *_pull_requests(draw, pull_requests), *_odd_ones(draw))
    left = total - sum(len(run.jobs) for run in runs)
    runs = (*runs, *_singles(draw, left))
    return Script(tuple(sorted(runs, key=lambda run: run.after)), tuple(_faults(scale)))


def _matrix(draw: random.Random, size: int) -> Iterator[RunScript]:
    """One matrix of 24 jobs, or fewer, all at once: the burst that peers choke on."""
    versions = [
        f"{system}-py3.{minor}" for system in ("debian", "ubuntu", "alpine") for minor in range(7, 15)
    ]
    jobs = tuple(
        JobScript(f"matrix ({version})", MEDIUM, _steps(draw, ("checkout", "install", "test"), 12, 40))
        for version in versions[:size]
    )
    yield RunScript("acme/web", "Matrix", "feature/matrix", "pull_request", 8.0, jobs)


def _pull_requests(draw: random.Random, count: int) -> Iterator[RunScript]:
    """Pull requests of four jobs each: lint and unit on small, build and e2e on medium."""
    for number in range(count):
        jobs = tuple(
            JobScript(f"pr{number} {name}", label, _steps(draw, ("checkout", name), low, high))
            for name, label, low, high in (
                ("lint", SMALL, 4, 10),
                ("unit", SMALL, 10, 30),
                ("build", MEDIUM, 20, 50),
                ("e2e", MEDIUM, 30, 60),
            )
        )
        repository = draw.choice(("acme/web", "acme/api"))
        yield RunScript(repository, "Pull request", f"pr-{number}", "pull_request", draw.uniform(0, 60), jobs)


def _odd_ones(draw: random.Random) -> Iterator[RunScript]:
    """The jobs that faults are tied to, and the one that is cancelled while it is queued."""
    plain = [
        JobScript("lost webhook", MEDIUM, _steps(draw, ("build",), 8, 16)),
        JobScript("doubled webhook", SMALL, _steps(draw, ("build",), 8, 16)),
        JobScript("late in_progress", SMALL, _steps(draw, ("build",), 4, 8)),
        JobScript("late queued", MEDIUM, _steps(draw, ("build",), 4, 8)),
        JobScript("late completed", MEDIUM, _steps(draw, ("build",), 4, 8)),
    ]
    for job in plain:
        yield RunScript("acme/api", "Nightly", "main", "schedule", draw.uniform(0, 80), (job,))
    dies = JobScript("machine dies", MEDIUM, (("build", 6.0), ("die", 0.0)), expect="failure", dies=True)
    yield RunScript("acme/api", "Nightly", "main", "schedule", 0.0, (dies,))
    cancelled = JobScript(
        "cancelled while queued", SMALL, (("build", 20.0),), expect="cancelled", cancel_after=4.0
    )
    yield RunScript("acme/docs", "Docs", "main", "push", 70.0, (cancelled,))
    queue = JobScript("merge queue", MEDIUM, _steps(draw, ("checkout", "verify"), 8, 16))
    yield RunScript("acme/web", "Merge", "gh-readonly-queue/main/pr-7", "merge_group", 30.0, (queue,))


def _singles(draw: random.Random, count: int) -> Iterator[RunScript]:
    """Single jobs, spread over the whole run."""
    for number in range(count):
        label = draw.choice((MEDIUM, SMALL))
        job = JobScript(f"single {number}", label, _steps(draw, ("checkout", "run"), 4, 30))
        repository = f"acme/{draw.choice(('web', 'api', 'docs'))}"
        yield RunScript(repository, "Push", "main", "push", draw.uniform(0, 200), (job,))


def _steps(
    draw: random.Random, names: tuple[str, ...], low: float, high: float
) -> tuple[tuple[str, float], ...]:
    """Steps whose lengths together are between ``low`` and ``high`` seconds."""
    total = draw.uniform(low, high)
    return tuple((name, round(total / len(names), 2)) for name in names)


def _faults(scale: float) -> Iterator[FaultScript]:
    """Every kind of trouble the demo promises; each must fire, or the demo fails."""
    yield FaultScript(
        "github", "drop_webhook", {"job": "lost webhook", "action": "queued"}, says="a webhook never sent"
    )
    yield FaultScript(
        "github", "double_webhook", {"job": "doubled webhook", "action": "queued"}, says="a doubled webhook"
    )
    for action, seconds in (("in_progress", 40.0), ("queued", 25.0), ("completed", 30.0)):
        yield FaultScript(
            "github",
            "delay_webhook",
            {"job": f"late {action}", "action": action},
            {"seconds": seconds / scale},
            says=f"a late {action} webhook, overtaken by what follows",
        )
    # A stopped spare was made before any fault was armed, and is to show that it serves.
    cold: dict[str, object] = {"pool": "gha-medium", "skip_launch": False}
    yield FaultScript("fly", "never_boots", cold, says="a Machine that never boots")
    yield FaultScript(
        "fly", "no_capacity", {"region": "iad", "pool": "gha-medium"}, says="a region without capacity"
    )
    yield FaultScript("fly", "lost_create_answer", {"pool": "gha-small"}, says="a lost create answer")
