"""The same burst with the same faults on a real PostgreSQL: the store's promises hold the whole fleet up."""

from tests.fleet_world import FleetWorld, pool
from tests.postgres import launch
from tests.scenarios.test_bursts import drive


async def test_a_burst_with_faults_ends_clean_on_postgresql_and_a_replica_takes_over(tmp_path):
    pools = [pool(max_machines=4, apps=["app-a", "app-b"])]
    with launch() as server:
        world = FleetWorld(
            tmp_path, pools=pools, fleet={"database_url": server.url()}, timing={"boot_deadline": 60}
        )
        await world.fleet.store.migrate()
        world.opened = True
        await world.open()
        try:
            world.fly.faults.add("never_boots")
            world.fly.faults.add("no_capacity", region="iad")
            world.net.rule("lose", "POST", "/generate-jitconfig$", times=1)
            jobs = await world.arrive(*(f"job-{number}" for number in range(6)))
            await world.plan()
            # The first dispatcher dies here; another one on the same database goes on after its lease.
            first, world.fleet = world.fleet, world.make_fleet("second")
            await world.http.aclose()
            world.http = world.connect()
            world.courier._http = world.http
            await world.open()
            world.pass_time(world.settings.timing.planner_period * 5)
            done = await drive(world, jobs)
            assert sorted(done) == sorted(job.id for job in jobs)
            await first.stop()
        finally:
            await world.close()
