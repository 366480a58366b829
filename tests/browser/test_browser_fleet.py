"""A whole dispatcher over the simulators, watched in a browser from a queued job to an empty fleet."""

import asyncio

import pytest
from playwright.async_api import expect

from runners.api.access import new_token
from runners.store import tokens
from tests.fleet_world import HandClock, open_world, pool

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]


class Paced(HandClock):
    """The hand-moved clock, which also goes by itself, as clocks do, and never as far as a heartbeat."""

    def now(self):
        self.time += 0.01
        return self.time

    async def sleep(self, seconds):
        if seconds < 1:
            await super().sleep(seconds)
        else:
            await asyncio.Event().wait()


class Watched:
    """A FleetWorld as a Site knows worlds."""

    def __init__(self, world):
        self.world = world
        self.app = world.app
        self.changes = world.fleet.changes
        self.clock = world.clock
        self.store = self

    async def close(self):
        """The world closes its own store."""

    async def token(self, *scopes, **limits):
        made = new_token(self.world.fleet.entropy, name="page", scopes=scopes, now=self.clock.now(), **limits)
        await self.world.run(lambda conn: tokens.insert(conn, made.row, made.secret_hash))
        return made.text.get_secret_value()


async def test_a_job_is_seen_to_wait_boot_run_and_leave(visit, shots, tmp_path):
    async with open_world(tmp_path, pools=[pool("gha-small")]) as world:
        world.clock.__class__ = Paced
        site = await visit(Watched(world))
        page = await site.signed_in()
        await expect(page.locator(".queue .well")).to_contain_text("Nobody waits")
        (job,) = await world.arrive("checkout flow")
        row = page.locator(f"#job-{job.id}")
        await expect(row).to_contain_text("checkout flow")
        await world.plan(2)
        await expect(row).to_contain_text("supply_on_its_way")
        cell = page.locator(".grid .cell")
        await expect(cell).to_have_count(1)
        world.pass_time(15.0)
        agent = world.agent()
        await agent.listen()
        await expect(cell).to_have_class("cell idle")
        given = await agent.begin()
        world.pass_time(4)
        await world.deliver()
        await expect(cell).to_have_class("cell busy")
        await expect(row).to_have_count(0)
        await expect(page.locator(".tiles li").nth(1)).to_contain_text("1 in progress")
        await page.screenshot(path=shots / "whole-fleet.png")
        await agent.finish(given)

        async def nothing_left():
            return not any(await world.rows())

        await world.until(nothing_left)
        world.fleet.changes.notify()
        await expect(page.locator(".runners")).to_contain_text("No runner is there now")
        await expect(page.locator(".phases tbody tr").first).to_contain_text("1")
        # The world ends before the browser does, and a page that is open would go on asking.
        await page.goto("about:blank")
