"""Arbitrary Snapshots: rows, readings and limits in any combination, also such as should never come about."""

from dataclasses import replace

from hypothesis import strategies as st

from runners.model.nouns import Boot, Job, Machine, Runner
from runners.model.reason import Reason, Why
from runners.model.snapshot import (
    End,
    Limits,
    MachineReading,
    Pace,
    Pool,
    Refusal,
    RunnerReading,
    SeenMachine,
    SeenRunner,
    Snapshot,
    VolumeReading,
)
from runners.model.states import JobState, MachineState, RunnerState
from runners.planning.names import machine_name, runner_name
from tests.planning.builders import FLEET, IMAGE, NOW, TIMING, pool, unique

APPS = ("a", "b")
SCOPES = ("orgs/acme", "repos/other/repo")
REGIONS = ("iad", "ord")
POOLS = ("web", "big", "third")
# Both sides of every deadline of the default timing, in seconds before now.
AGES = st.sampled_from((0.0, 3.0, 14.0, 16.0, 25.0, 61.0, 95.0, 125.0, 185.0, 245.0, 4000.0, 90_000.0))
MAYBE = st.booleans()
UNREAD, PUBLIC = Why(Reason.GROUP_UNREAD), Why(Reason.GROUP_ALLOWS_PUBLIC)
VOLUMES = tuple(f"vol_{number}" for number in range(6))


@st.composite
def pools(draw: st.DrawFn) -> tuple[Pool, ...]:
    names = POOLS[: draw(st.integers(1, 3))]
    return tuple(
        pool(
            name,
            scope=draw(st.sampled_from(SCOPES)),
            apps=draw(st.sampled_from((("a",), ("b",), ("a", "b")))),
            regions=draw(st.sampled_from((("iad",), ("iad", "ord")))),
            registration=draw(st.sampled_from(("jit", "token", "auto"))),
            max_machines=draw(st.integers(0, 8)),
            ready=draw(st.sampled_from((0, 0, 1, 3))),
            stopped=draw(st.sampled_from((0, 0, 1, 3))),
            daily_budget_usd=draw(st.sampled_from((None, None, 5.0))),
            drained=draw(st.sampled_from((False, False, False, True))),
            spent=draw(st.sampled_from((0.0, 6.0))),
        )
        for name in names
    )


def _ago(draw: st.DrawFn) -> float:
    return NOW - draw(AGES)


def _maybe_ago(draw: st.DrawFn) -> float | None:
    return _ago(draw) if draw(MAYBE) else None


@st.composite
def machines(draw: st.DrawFn, number: int) -> Machine:
    name = machine_name(FLEET, "web", unique(number))
    boot = None
    if draw(st.integers(0, 3)):
        boot = Boot(name, draw(st.integers(1, 3)), _ago(draw), _maybe_ago(draw), _maybe_ago(draw))
    return Machine(
        name=name,
        pool=draw(st.sampled_from((*POOLS, "removed"))),
        machine_class=draw(st.sampled_from(POOLS)),
        image=draw(st.sampled_from((IMAGE, IMAGE, "old"))),
        app=draw(st.sampled_from(APPS)),
        region=draw(st.sampled_from(REGIONS)),
        fly_id=draw(st.sampled_from((None, f"fly{number}"))),
        state=draw(st.sampled_from([state for state in MachineState if state is not MachineState.GONE])),
        requested_at=_ago(draw),
        state_at=_ago(draw),
        boot=boot,
        reason=draw(
            st.sampled_from(
                (
                    None,
                    Reason.OBSERVED,
                    Reason.LAUNCH_NO_CAPACITY,
                    Reason.LAUNCH_REFUSED,
                    Reason.LAUNCH_NOT_READY,
                )
            )
        ),
        destroy_sent_at=_ago(draw) if draw(st.integers(0, 4)) == 0 else None,
        fingerprint=draw(st.sampled_from((None, None, "f-1"))),
    )


@st.composite
def runners(draw: st.DrawFn, rows: tuple[Machine, ...], number: int) -> Runner:
    on = draw(st.sampled_from([*rows, None]))
    machine = machine_name(FLEET, "web", unique(900)) if on is None else on.name
    return Runner(
        name=runner_name(machine, number),
        pool=draw(st.sampled_from((*POOLS, "removed"))) if on is None else on.pool,
        scope=draw(st.sampled_from(SCOPES)),
        machine_name=machine,
        boot_seq=1,
        registration=draw(st.sampled_from(("jit", "token"))),
        state=draw(st.sampled_from([state for state in RunnerState if state is not RunnerState.GONE])),
        requested_at=_ago(draw),
        state_at=_ago(draw),
        mint_sent_at=_maybe_ago(draw),
        minted_at=_maybe_ago(draw),
        github_id=draw(st.sampled_from((None, number))),
        claimed_at=_maybe_ago(draw),
        online_at=_maybe_ago(draw),
        busy_at=_maybe_ago(draw),
        finished_at=_maybe_ago(draw),
        retiring_at=_maybe_ago(draw),
        delete_sent_at=_maybe_ago(draw),
        deregistered_at=_maybe_ago(draw),
        job_id=draw(st.sampled_from((None, 1, 2))),
        reason=draw(st.sampled_from((None, Reason.SURPLUS, Reason.MINT_LOST, Reason.JOB_COMPLETED))),
        end_asked=draw(st.sampled_from((None, None, None, Reason.OPERATOR_RETIRED, Reason.OPERATOR_FORCED))),
    )


@st.composite
def jobs(draw: st.DrawFn, names: tuple[str, ...], number: int) -> Job:
    state = draw(st.sampled_from((JobState.QUEUED, JobState.QUEUED, JobState.IN_PROGRESS, JobState.WAITING)))
    return Job(
        id=number,
        run_id=1,
        run_attempt=1,
        name="job",
        workflow_name="ci",
        repository="acme/web",
        installation_id=None,
        labels=("fly-web",),
        head_branch=draw(st.sampled_from(("main", "gh-readonly-queue/main/pr-1"))),
        html_url="",
        private=True,
        pool=draw(st.sampled_from((*POOLS, None))),
        state=state,
        conclusion=None,
        created_at=NOW - 60,
        accepted_at=_ago(draw),
        queued_at=_maybe_ago(draw),
        in_progress_at=_maybe_ago(draw),
        runner_name=draw(st.sampled_from((None, "GitHub Actions 3", *names))),
        not_before=draw(st.sampled_from((0.0, 0.0, NOW + 50))),
        deferrals=draw(st.integers(0, 5)),
        lost=draw(st.sampled_from((None, None, Reason.MACHINE_LOST))),
    )


@st.composite
def fly_readings(draw: st.DrawFn, app: str, rows: tuple[Machine, ...]) -> MachineReading | None:
    if draw(st.integers(0, 3)) == 0:
        return None
    strangers = (
        [replace(rows[0], name=machine_name(FLEET, "web", unique(800 + n)), app=app) for n in (0, 1)]
        if rows
        else []
    )
    shown, absent, ended = {}, {}, {}
    for row in (*rows, *strangers):
        fate = draw(st.sampled_from(("seen", "seen", "absent", "ended", "untold")))
        if row.app != app or fate == "untold":
            continue
        if fate == "seen":
            state = draw(st.sampled_from(("created", "starting", "started", "stopped", "failed")))
            shown[row.name] = SeenMachine(
                row.fly_id or "found", row.name, app, row.region, state, draw(MAYBE), draw(MAYBE), _ago(draw)
            )
        elif fate == "absent":
            absent[row.name] = _ago(draw)
        else:
            ended[row.name] = End(NOW - 1, draw(st.sampled_from((None, 0, 20, 137))), draw(MAYBE))
    return MachineReading(_ago(draw), shown, absent, ended)


@st.composite
def github_readings(draw: st.DrawFn, scope: str, rows: tuple[Runner, ...]) -> RunnerReading | None:
    if draw(st.integers(0, 3)) == 0:
        return None
    shown, absent = {}, {}
    strangers = [
        runner_name(machine_name(FLEET, "web", unique(850)), 1),
        "somebody-elses",
        "ci-2-web-aaaaaaaaaa-1",
    ]
    for name in (*(row.name for row in rows if row.scope == scope), *strangers):
        if draw(MAYBE):
            shown[name] = SeenRunner(len(shown) + 1, name, draw(MAYBE), draw(MAYBE), _ago(draw))
        elif draw(MAYBE):
            absent[name] = _ago(draw)
    return RunnerReading(_ago(draw), shown, absent)


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    def times(most: int) -> tuple[float, ...]:
        return tuple(sorted(NOW - age for age in draw(st.lists(st.floats(0, 70), max_size=most))))

    blocked = draw(st.sets(st.sampled_from(("fly:a", "fly:b", "github:acme", "mint:web")), max_size=2))
    return Limits(
        creates_per_second=draw(st.sampled_from((0.5, 1.0))),
        create_burst=draw(st.integers(1, 3)),
        writes_per_minute=draw(st.sampled_from((1, 2, 5, 150))),
        creates={app: times(5) for app in APPS},
        writes={owner: times(5) for owner in ("acme", "other")},
        blocked_until={key: NOW + draw(st.sampled_from((-5.0, 30.0))) for key in sorted(blocked)},
    )


@st.composite
def snapshots(draw: st.DrawFn, *, blind: bool = False) -> Snapshot:
    """Any Snapshot; ``blind`` ones have read nothing."""
    machine_rows = tuple(draw(machines(number)) for number in range(draw(st.integers(0, 7))))
    runner_rows = tuple(draw(runners(machine_rows, number)) for number in range(draw(st.integers(0, 7))))
    names = tuple(row.name for row in runner_rows)
    place = st.sampled_from((*(("", region) for region in REGIONS), *((app, "") for app in APPS), ("", "")))
    refused = draw(st.lists(st.tuples(place, st.sampled_from(POOLS), AGES), max_size=3))
    alone = st.dictionaries(st.sampled_from(VOLUMES), AGES, max_size=len(VOLUMES))
    gone = draw(st.dictionaries(st.sampled_from(VOLUMES), AGES, max_size=3))
    return Snapshot(
        now=NOW,
        timing=TIMING,
        fleet_name=FLEET,
        image=IMAGE,
        max_machines=draw(st.sampled_from((0, 3, 8, 50))),
        pools=draw(pools()),
        limits=draw(limits()),
        jobs=tuple(draw(jobs(names, number)) for number in range(draw(st.integers(0, 7)))),
        machines=machine_rows,
        runners=runner_rows,
        fly={app: None if blind else draw(fly_readings(app, machine_rows)) for app in APPS},
        github={scope: None if blind else draw(github_readings(scope, runner_rows)) for scope in SCOPES},
        refusals=tuple(
            Refusal(region, of, NOW - age, Why(Reason.NO_CAPACITY, "full"), app)
            for (app, region), of, age in refused
        ),
        paused=draw(st.integers(0, 9)) == 0,
        daily_budget_usd=draw(st.sampled_from((None, None, 3.0))),
        missing_credentials=draw(
            st.sampled_from(({}, {}, {}, {"fly": "FLY_API_TOKEN"}, {"github:acme": "TOKEN"}))
        ),
        fingerprints=draw(st.sampled_from(({}, {}, {"web": "f-1"}))),
        distrust=draw(st.sampled_from(({}, {}, {"web": UNREAD}, {"web": UNREAD, "big": PUBLIC}))),
        volumes={
            app: None
            if blind or draw(st.booleans())
            else VolumeReading(
                _ago(draw), {name: NOW - age for name, age in draw(alone).items()}, draw(st.integers(0, 2))
            )
            for app in APPS
        },
        swept={f"volume/{APPS[0]}/{name}": NOW - age for name, age in gone.items()},
        pace=draw(st.sampled_from(({}, {"web": Pace(20.0, 60.0, 300.0, 12)}))),
    )
