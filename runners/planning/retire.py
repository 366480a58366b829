"""Step 1, retire: Runners and spares that should take no more work.

A busy Runner is never in here, but for max_lifetime and for an operator's force: nothing vetoes those two.
"""

from collections.abc import Iterator

from runners.model.nouns import Machine, Runner
from runners.model.reason import Reason, Why
from runners.model.snapshot import Snapshot
from runners.model.states import RunnerState
from runners.planning.facts import may_be_registered, mint_is_out
from runners.planning.plan import Action, Defer, Deregister, Destroy, Retire
from runners.planning.rollover import LOST_START, end_spares
from runners.planning.spares import start_was_lost
from runners.planning.tally import UNCLAIMED_STATES, Tally, holds_machine, is_doubtful, is_forced

# The Machine itself failed or is past its time: it must not serve as a spare, nor be waited for.
_FAULTY = (Reason.NEVER_STARTED, Reason.NEVER_CLAIMED, Reason.TOO_OLD)


def retire(snapshot: Snapshot, tallies: tuple[Tally, ...]) -> tuple[Action, ...]:
    """What should end, and the next step of what is already ending."""
    machines = {machine.name: machine for machine in snapshot.machines}
    actions: list[Action] = []
    for runner in snapshot.runners:
        machine = machines.get(runner.machine_name)
        if runner.state is RunnerState.RETIRING:
            actions.extend(_continue(snapshot, runner, machine))
        else:
            why = _overdue(snapshot, runner, machine)
            if why is not None:
                # A busy one past its lifetime comes back by 422 each time: not more often than a DELETE may.
                if runner.state is not RunnerState.BUSY or _delete_due(snapshot, runner, machine):
                    actions.append(Retire(runner.name, why))
                if machine is not None and (why.reason in _FAULTY or _asked_before_claim(runner, why)):
                    actions.extend(_destroy_unless_sent(snapshot, machine, why))
        if machine is not None and is_forced(runner) and holds_machine(runner):
            why = Why(Reason.OPERATOR_FORCED, f"an operator had {runner.name} ended, whatever it runs")
            actions.extend(_destroy_unless_sent(snapshot, machine, why))
    retired = {action.runner for action in actions if isinstance(action, Retire)}
    for books in tallies:
        actions.extend(_of_pool(snapshot, books, retired))
    return tuple(actions)


def _overdue(snapshot: Snapshot, runner: Runner, machine: Machine | None) -> Why | None:
    """The deadline that this Runner has passed, if any."""
    timing, age = snapshot.timing, snapshot.now - runner.state_at
    if snapshot.now - (runner.claimed_at or runner.requested_at) > timing.max_lifetime:
        return Why(Reason.TOO_OLD, f"older than max_lifetime ({timing.max_lifetime:g} s)")
    asked = _asked(runner)
    if asked is not None:
        return asked
    if runner.state is RunnerState.BUSY or machine is None or machine.boot is None:
        return None
    if runner.state is RunnerState.CLAIMED and snapshot.overdue(runner.state_at, timing.online_deadline):
        return Why(Reason.NEVER_ONLINE, f"not online {age:.0f} s after the claim")
    if runner.state in (RunnerState.CLAIMED, RunnerState.IDLE) and _vanished(snapshot, runner):
        return Why(Reason.REGISTRATION_VANISHED, "GitHub no longer lists it, the Machine waits for nothing")
    if runner.state in UNCLAIMED_STATES and not is_doubtful(snapshot, machine):
        return _unclaimed_too_long(snapshot, runner, machine)
    return None


def _asked(runner: Runner) -> Why | None:
    """What an operator asked for, once it can be done.

    A busy one is not retired: by force its Machine is destroyed, and otherwise it ends with its job. One that
    configures itself is waited for: a DELETE before it has registered would find nothing, and then it would.
    """
    if runner.end_asked is None or runner.state is RunnerState.BUSY:
        return None
    if runner.state is RunnerState.CLAIMED and not is_forced(runner):
        return None
    return Why(runner.end_asked, "an operator asked for its end")


def _asked_before_claim(runner: Runner, why: Why) -> bool:
    """Whether the Machine, which has received nothing, ends with it; a spare would serve the next job."""
    return why.reason is Reason.OPERATOR_RETIRED and runner.claimed_at is None


def _unclaimed_too_long(snapshot: Snapshot, runner: Runner, machine: Machine) -> Why | None:
    timing, boot = snapshot.timing, machine.boot
    since_request = snapshot.now - runner.requested_at
    if start_was_lost(snapshot, machine):
        return Why(Reason.NEVER_STARTED, LOST_START)
    waiting_for_boot = boot is not None and boot.ready_at is None
    if boot is not None and waiting_for_boot and snapshot.overdue(boot.launched_at, timing.boot_deadline):
        if boot.started_at is None:
            return Why(Reason.NEVER_STARTED, f"Fly did not start it within {timing.boot_deadline:g} s")
        return Why(Reason.NEVER_CLAIMED, f"its boot agent did not claim within {timing.boot_deadline:g} s")
    if runner.minted_at is None and since_request > timing.launch_deadline:
        # By token too: a dispatcher that died before it sealed one leaves a Machine that waits for nothing.
        return Why(
            Reason.MINT_LOST, "nothing was minted for it; what may be at GitHub is removed, a new name minted"
        )
    if runner.minted_at is not None and snapshot.now - runner.minted_at > timing.registration_max_age:
        return Why(
            Reason.REGISTRATION_EXPIRED, f"unclaimed for {timing.registration_max_age:g} s after the mint"
        )
    if not waiting_for_boot and snapshot.overdue(runner.requested_at, timing.boot_deadline):
        return Why(Reason.NEVER_CLAIMED, f"its ready Machine did not claim within {timing.boot_deadline:g} s")
    return None


def _vanished(snapshot: Snapshot, runner: Runner) -> bool:
    reading = snapshot.github.get(runner.scope)
    if reading is None or runner.claimed_at is None:
        return False
    since = reading.absent_since.get(runner.name)
    # A token-mode runner is not listed before its own config.sh ran: only what was online can vanish.
    known = runner.registration == "jit" or runner.online_at is not None
    return known and since is not None and reading.at - since >= snapshot.timing.absence_confirm


def _continue(snapshot: Snapshot, runner: Runner, machine: Machine | None) -> Iterator[Action]:
    """The next step of a retiring Runner: DELETE its registration, then end the Machine it was given to."""
    timing, now = snapshot.timing, snapshot.now
    why = Why(runner.reason or Reason.SURPLUS, "retiring")
    needs_delete = may_be_registered(runner) and (runner.finished_at is None or _lingers(snapshot, runner))
    if needs_delete and _delete_due(snapshot, runner, machine) and not mint_is_out(runner, snapshot):
        yield Deregister(runner.name, why)
    if machine is None or runner.claimed_at is None:
        return
    if needs_delete:
        # GitHub may go on refusing the removal, or nobody may ask it: that ends with the Machine's lifetime.
        if now - runner.claimed_at > timing.max_lifetime:
            detail = f"older than max_lifetime ({timing.max_lifetime:g} s), and still registered"
            yield from _destroy_unless_sent(snapshot, machine, Why(Reason.TOO_OLD, detail))
        return
    finished = runner.finished_at is not None
    grace = timing.finish_grace if finished else timing.retire_grace
    since = runner.finished_at if finished else runner.deregistered_at
    if since is not None and now - since > grace:
        detail = f"still there {grace:g} s after " + (
            "its job completed" if finished else "its registration's removal"
        )
        yield from _destroy_unless_sent(snapshot, machine, Why(Reason.DID_NOT_EXIT, detail))


def _delete_due(snapshot: Snapshot, runner: Runner, machine: Machine | None) -> bool:
    # After a Machine died under its job, GitHub says busy until the job's lock expires: ask less often.
    timing = snapshot.timing
    again = timing.finish_grace if machine is None and runner.busy_at is not None else timing.delete_again
    return snapshot.now - (runner.delete_sent_at or 0.0) > again


def _lingers(snapshot: Snapshot, runner: Runner) -> bool:
    """GitHub removes a finished runner's record by itself; one still listed well after is removed by us."""
    reading = snapshot.github.get(runner.scope)
    grace = snapshot.timing.finish_grace + snapshot.timing.retire_grace
    return (
        reading is not None
        and runner.finished_at is not None
        and reading.at - runner.finished_at > grace
        and runner.name in reading.runners
    )


def _destroy_unless_sent(snapshot: Snapshot, machine: Machine, why: Why) -> Iterator[Action]:
    if snapshot.now - (machine.destroy_sent_at or 0.0) > snapshot.timing.destroy_again:
        yield Destroy(machine.name, why)


def _of_pool(snapshot: Snapshot, books: Tally, retired: set[str]) -> Iterator[Action]:
    """Idle too long, surplus, drained; then spares that are old, outdated or too many."""
    supply = [runner for runner in books.supply if runner.name not in retired]
    idle = [runner for runner in supply if runner.state is RunnerState.IDLE]
    closed = _closed(snapshot, books)
    if closed is not None:
        for runner in supply:
            if runner.state is not RunnerState.CLAIMED:
                yield Retire(runner.name, closed)
    else:
        yield from _idle_too_long(snapshot, books, idle)
        unclaimed = [runner for runner in supply if runner.state in UNCLAIMED_STATES]
        excess = len(supply) - len(books.demand)
        for runner in unclaimed[::-1][: max(0, excess)]:
            detail = f"{len(supply)} Runners on their way for {len(books.demand)} queued jobs"
            yield Retire(runner.name, Why(Reason.SURPLUS, detail))
    yield from end_spares(snapshot, books)


def _closed(snapshot: Snapshot, books: Tally) -> Why | None:
    """Why the pool's Runners must take no job: drained, or GitHub would give them jobs of strangers.

    That nobody has read the group yet, as after a restart, is no reason to end what is there.
    """
    if books.pool.drained:
        return Why(Reason.POOL_DRAINED, "the pool takes no new work")
    why = snapshot.distrust.get(books.pool.name)
    return why if why is not None and why.reason is not Reason.GROUP_UNREAD else None


def _idle_too_long(snapshot: Snapshot, books: Tally, idle: list[Runner]) -> Iterator[Action]:
    limit = snapshot.timing.idle_timeout
    overdue = [runner for runner in idle if snapshot.overdue(runner.state_at, limit)]
    for runner in overdue:
        yield Retire(runner.name, Why(Reason.IDLE_TOO_LONG, f"online without a job for over {limit:g} s"))
    # A runner stayed idle although a job was queued all that time: GitHub does not dispatch that job now.
    passed_over = [
        job
        for job in books.demand
        if any((job.queued_at or job.accepted_at) < runner.state_at for runner in overdue)
    ]
    for job in passed_over[: len(overdue)]:
        wait = min(snapshot.timing.backoff_first * 2**job.deferrals, snapshot.timing.backoff_max)
        until = snapshot.now + wait
        detail = f"a runner was idle for {limit:g} s and GitHub did not give it the job (max-parallel?)"
        yield Defer(job.id, until, Why(Reason.NOT_DISPATCHED, detail, until))
