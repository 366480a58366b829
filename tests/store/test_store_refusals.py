"""What refused lately, on every database: full regions, and classes whose Machines ended early."""

from store_samples import a_machine, a_runner

from runners.model.nouns import Boot
from runners.model.reason import Reason
from runners.model.states import MachineState, RunnerState
from runners.store import early_exits, full_regions, machines, runners

IMAGE = "registry.fly.io/runner@sha256:new"


async def test_a_region_is_remembered_once_per_class_until_a_later_create_opens_it(store):
    def op(conn):
        full_regions.put(conn, "small", "iad", 100.0, "first")
        full_regions.put(conn, "small", "iad", 200.0, "again")
        full_regions.put(conn, "large", "iad", 150.0, "large")
        known = [(each.machine_class, each.region, each.at) for each in full_regions.since(conn, 0.0)]
        early = full_regions.opened(conn, "small", "iad", 199.0)
        later = full_regions.opened(conn, "small", "iad", 201.0)
        return known, early, later, [each.machine_class for each in full_regions.since(conn, 0.0)]

    known, early, later, left = await store.run(op)
    assert known == [("large", "iad", 150.0), ("small", "iad", 200.0)]
    assert (early, later, left) == (False, True, ["large"])


async def test_a_refusal_says_why_and_what_is_too_old_is_neither_read_nor_kept(store):
    def op(conn):
        full_regions.put(conn, "small", "iad", 100.0, "no host there has room")
        full_regions.put(conn, "small", "ewr", 300.0, "no host there has room")
        return full_regions.since(conn, 200.0), full_regions.purge(conn, 200.0), full_regions.since(conn, 0.0)

    recent, purged, left = await store.run(op)
    assert recent == left
    assert purged == 1
    (refusal,) = left
    assert (refusal.region, refusal.app) == ("ewr", "")
    assert (refusal.why.reason, refusal.why.detail) == (Reason.NO_CAPACITY, "no host there has room")


def ended(conn, name, at, *, image=IMAGE):
    boot = Boot(name, 1, 1.0, ended_at=at, exit_code=1, exit_reason=Reason.EXIT_AGENT_ERROR)
    row = a_machine(name, image=image, state=MachineState.GONE, gone_at=at, boot=boot)
    machines.insert(conn, row, actor="test", reason=Reason.OBSERVED)


async def test_early_exits_are_those_of_the_present_image_only(store):
    def op(conn):
        ended(conn, "m-1", 100.0, image="old")
        ended(conn, "m-2", 110.0)
        ended(conn, "m-3", 50.0)
        return [each.at for each in early_exits.since(conn, 60.0, IMAGE)]

    assert await store.run(op) == [110.0]


async def test_a_class_is_known_by_when_a_runner_of_it_last_came_online_or_was_busy(store):
    def op(conn):
        for number, stamps in enumerate(({"online_at": 120.0}, {"busy_at": 130.0}, {}, {"online_at": 10.0})):
            row = a_machine(f"m-{number}", state=MachineState.BOUND)
            machines.insert(conn, row, actor="test", reason=Reason.OBSERVED)
            requested = 5.0 if number == 3 else 100.0
            one = a_runner(
                f"m-{number}-1",
                machine_name=row.name,
                state=RunnerState.BUSY,
                requested_at=requested,
                state_at=requested,
                **stamps,
            )
            runners.insert(conn, one, actor="test", reason=Reason.OBSERVED)
        return early_exits.online_since(conn, 50.0), a_machine("m-x").machine_class

    online, machine_class = await store.run(op)
    assert online == {machine_class: 130.0}
