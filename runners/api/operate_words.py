"""What happens next, in plain words: pure sentences from the rows as they are at the change."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runners.model.nouns import Job, Machine, Runner
from runners.model.settings import PoolSettings
from runners.model.states import JobState, MachineState, RunnerState
from runners.planning.tally import holds_machine
from runners.wire.operate import PoolControls

_COMING = (RunnerState.REQUESTED, RunnerState.LAUNCHING, RunnerState.BOOTING)


@dataclass(frozen=True, slots=True)
class Counted:
    """One pool's rows, or a fleet's, counted for an operator."""

    busy: int
    idle: int
    coming: int
    claimed: int
    ending: int
    ready_spares: int
    stopped_spares: int
    machines: int
    queued: int


def counted(jobs: Iterable[Job], machines: Sequence[Machine], runners: Sequence[Runner]) -> Counted:
    """Count live rows; a spare is a Machine that no Runner holds and that is not being destroyed."""
    states = [runner.state for runner in runners]
    held = {runner.machine_name for runner in runners if holds_machine(runner)}
    spares = [each for each in machines if each.name not in held and each.destroy_sent_at is None]
    stopped = sum(each.state is MachineState.STOPPED for each in spares)
    return Counted(
        busy=states.count(RunnerState.BUSY),
        idle=states.count(RunnerState.IDLE),
        coming=sum(state in _COMING for state in states),
        claimed=states.count(RunnerState.CLAIMED),
        ending=states.count(RunnerState.RETIRING),
        ready_spares=len(spares) - stopped,
        stopped_spares=stopped,
        machines=len(machines),
        queued=sum(job.state is JobState.QUEUED for job in jobs),
    )


def after_drain(found: Counted, pool: PoolSettings) -> tuple[str, ...]:
    """A drained pool: what finishes, what ends, and where jobs go."""
    said = []
    if found.busy:
        said.append(many(found.busy, "busy runner finishes its job", "busy runners finish their jobs"))
    idle = found.idle + found.coming
    if idle:
        said.append(many(idle, "idle or coming runner is retired", "idle or coming runners are retired"))
    if found.claimed:
        one, more = "runner comes online just now", "runners come online just now"
        said.append(f"{many(found.claimed, one, more)}: retired then, unless a job is quicker")
    spares = found.ready_spares + found.stopped_spares
    if spares:
        said.append(many(spares, "spare is destroyed", "spares are destroyed"))
    if not said:
        said.append("nothing runs here: it is empty already")
    if found.queued:
        said.append(
            f"{many(found.queued, 'queued job waits', 'queued jobs wait')} here until it is undrained"
        )
    there = f"go to pool {pool.fallback}" if pool.fallback else "wait here, too"
    return (*said, f"jobs that queue from now on {there}")


def after_undrain(found: Counted, now: PoolControls, *, paused: bool) -> tuple[str, ...]:
    """A pool that serves again."""
    if paused:
        return ("the fleet is paused: nothing starts before it is resumed",)
    waiting = many(found.queued, "queued job gets its runner now", "queued jobs get runners now")
    said = [waiting if found.queued else "no job waits here now"]
    if now.ready or now.stopped:
        said.append(f"spares are made again: {now.ready} ready, {now.stopped} stopped")
    return tuple(said)


def after_scale(found: Counted, before: PoolControls, now: PoolControls, *, shut: str) -> tuple[str, ...]:
    """New figures. ``shut`` says why nothing starts at all: drained, paused, or "" for neither."""
    said = []
    room = now.max_machines - found.machines
    if room < 0:
        spares = min(-room, found.ready_spares + found.stopped_spares)
        ended = many(spares, "spare is ended; ", "spares are ended; ") if spares else ""
        said.append(
            f"{many(found.machines, 'Machine')} there, {now.max_machines} may be: {ended}nothing that runs "
            "or waits for a job is ended, and none starts until there is room"
        )
    elif now.max_machines != before.max_machines:
        said.append(
            f"{many(room, 'more Machine')} may start here, within the fleet's cap; "
            f"{many(found.queued, 'job is', 'jobs are')} queued"
        )
    if now.ready != before.ready:
        less = now.ready < before.ready
        slow = "; those too many end once they have rested for timing.idle_timeout" if less else ""
        said.append(f"{found.ready_spares} ready spares are there, {now.ready} are kept{slow}")
    if now.stopped != before.stopped:
        said.append(f"{found.stopped_spares} stopped spares are there, {now.stopped} are kept")
    if shut:
        said.append(f"the {shut}: nothing starts for now")
    return tuple(said)


def after_pause(found: Counted) -> tuple[str, ...]:
    """A fleet that launches nothing."""
    arriving = found.coming + found.claimed + found.idle
    return (
        "nothing new is launched, spares neither",
        many(found.busy, "busy runner finishes its job", "busy runners finish their jobs")
        + f"; {arriving} idle or coming may still take one",
        many(found.queued, "queued job waits", "queued jobs wait") + ", and those that queue from now on",
    )


def after_resume(found: Counted, drained: Iterable[str]) -> tuple[str, ...]:
    """A fleet that launches again."""
    still = sorted(drained)
    rest = (f"still drained: {', '.join(still)}",) if still else ()
    waiting = many(found.queued, "queued job gets its runner now", "queued jobs get runners now")
    return (f"{waiting}, and spares are made again", *rest)


def many(count: int, one: str, more: str = "") -> str:
    """``1 spare``, ``2 spares``; ``more`` is given where more than the last letter differs."""
    return f"{count} {one if count == 1 else more or one + 's'}"
