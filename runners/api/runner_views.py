"""RunnerView and its parts from rows."""

from runners.api.job_views import phase_times
from runners.model.nouns import Boot, Event, Machine, Runner
from runners.wire.event import EventView
from runners.wire.runner import BootView, MachineView, RunnerView
from runners.wire.times import maybe_rfc3339, rfc3339


def runner_view(runner: Runner) -> RunnerView:
    """One Runner in public words."""
    reached = [name for name, at in phase_times(None, runner, None).items() if at is not None]
    return RunnerView(
        name=runner.name,
        pool=runner.pool,
        scope=runner.scope,
        registration=runner.registration,
        machine_name=runner.machine_name,
        boot_seq=runner.boot_seq,
        state=runner.state,
        state_at=rfc3339(runner.state_at),
        requested_at=rfc3339(runner.requested_at),
        phase=reached[-1],
        job_id=runner.job_id,
        reason=runner.reason,
    )


def machine_view(machine: Machine) -> MachineView:
    """One Machine in public words."""
    return MachineView(
        name=machine.name,
        fly_id=machine.fly_id,
        app=machine.app,
        region=machine.region,
        machine_class=machine.machine_class,
        image=machine.image,
        state=machine.state,
        requested_at=rfc3339(machine.requested_at),
        gone_at=maybe_rfc3339(machine.gone_at),
        reason=machine.reason,
    )


def boot_view(boot: Boot) -> BootView:
    """One start in public words."""
    return BootView(
        seq=boot.seq,
        launched_at=rfc3339(boot.launched_at),
        started_at=maybe_rfc3339(boot.started_at),
        ready_at=maybe_rfc3339(boot.ready_at),
        ended_at=maybe_rfc3339(boot.ended_at),
        exit_code=boot.exit_code,
        exit_reason=boot.exit_reason,
    )


def event_view(event: Event) -> EventView:
    """One event in public words."""
    return EventView(
        seq=event.seq,
        at=rfc3339(event.at),
        actor=event.actor,
        verb=event.verb,
        target=event.target,
        reason=event.reason,
        detail=event.detail,
        outcome=event.outcome,
        external_id=event.external_id,
    )
