"""Crews: the runners of each pool as cells of a grid, each with the state it is in and the phase it reached.

The cells keep the order in which they were requested: one that changes its state changes its look and not its
place, so that an eye on the grid sees what moves.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runners.api.job_views import phase_times
from runners.api.pool_views import Scene
from runners.model.nouns import Boot, Runner
from runners.model.states import RUNNER_NOTES, RunnerState
from runners.model.timing import Timing

# A circle that fills on the way to work, so that the state is told by more than its colour.
MARKS: Mapping[RunnerState, str] = {
    RunnerState.REQUESTED: "◌",
    RunnerState.LAUNCHING: "↑",
    RunnerState.BOOTING: "◔",
    RunnerState.CLAIMED: "◑",
    RunnerState.IDLE: "○",
    RunnerState.BUSY: "●",
    RunnerState.RETIRING: "✕",
}
# More than this in one page help nobody; the API lists all of them.
CELLS_MAX = 2000


@dataclass(frozen=True, slots=True)
class Cell:
    """One runner.

    Attributes:
        phase: the last step of its way that it reached.
        since: whole Unix seconds since when it is in its state.
        late: it is past the deadline of its state, so the planner is about to act.
    """

    name: str
    state: str
    mark: str
    phase: str
    since: int
    late: bool
    job_id: int | None


@dataclass(frozen=True, slots=True)
class Crew:
    """One pool's runners, in the order in which they were requested."""

    pool: str
    total: int
    cells: tuple[Cell, ...]
    counts: tuple[tuple[str, int], ...]


def crews(view: Scene) -> tuple[Crew, ...]:
    """A Crew for every pool that has runners, in configuration order; no longer configured ones last."""
    boots = {each.name: each.boot for each in view.machines}
    order = list(dict.fromkeys((*(pool.name for pool in view.pools), *(each.pool for each in view.runners))))
    room, found = CELLS_MAX, []
    for pool in order:
        members = [each for each in view.runners if each.pool == pool]
        if members:
            found.append(_crew(pool, members, members[:room], boots, view))
            room -= min(room, len(members))
    return tuple(found)


def legend(counts: Mapping[str, int]) -> tuple[tuple[str, str, int, str], ...]:
    """Mark, state, how many there are, and what the state means, in the order of a runner's way."""
    return tuple(
        (mark, str(state), counts.get(state, 0), RUNNER_NOTES[state].meaning) for state, mark in MARKS.items()
    )


def _crew(
    pool: str,
    members: Sequence[Runner],
    shown: Sequence[Runner],
    boots: Mapping[str, Boot | None],
    view: Scene,
) -> Crew:
    states = Counter(each.state for each in members)
    return Crew(
        pool=pool,
        total=len(members),
        cells=tuple(
            _cell(each, boots.get(each.machine_name), view.reading.at, view.settings.timing) for each in shown
        ),
        counts=tuple((str(state), states[state]) for state in MARKS if states[state]),
    )


def _cell(runner: Runner, boot: Boot | None, now: float, timing: Timing) -> Cell:
    own = boot if boot is not None and boot.seq == runner.boot_seq else None
    reached = [name for name, at in phase_times(None, runner, own).items() if at is not None]
    deadline = RUNNER_NOTES[runner.state].deadline
    return Cell(
        name=runner.name,
        state=str(runner.state),
        mark=MARKS[runner.state],
        phase=reached[-1],
        since=int(runner.state_at),
        late=bool(deadline) and now - runner.state_at > float(getattr(timing, deadline)),
        job_id=runner.job_id,
    )
