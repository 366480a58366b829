"""The page in a browser: it signs in, it is live, what is drained shows drained, and nothing complains."""

import pytest
from browser_site import DESK, PHONE
from page_world import HOSTILE, add_jobs, plan_now
from playwright.async_api import expect

from runners.api.page import words
from runners.model.reason import Reason
from runners.model.states import RunnerState
from runners.store import runners

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]


async def test_the_page_follows_the_fleet_without_being_loaded_anew(site):
    page = await site.signed_in()
    await page.evaluate("window.stillHere = true")
    before = int(await page.text_content("#revision"))
    await add_jobs(site.world, 1, first=7001, name="brand new job")
    await plan_now(site.world)
    row = page.locator("#job-7001")
    await expect(row).to_contain_text("brand new job")
    await expect(row).to_contain_text("supply_on_its_way")
    assert int(await page.text_content("#revision")) > before
    await expect(page.locator(".events > li").first).to_contain_text("job/7001")
    assert await page.evaluate("window.stillHere")


async def test_a_runner_changes_its_look_in_its_place(site):
    page = await site.signed_in()
    cells = await page.locator(".grid .cell.booting").all()
    name = (await cells[0].get_attribute("href")).removeprefix("/runners/")
    cell = page.locator(f'[id="r-{name}"] .cell')
    place = await cell.bounding_box()
    move = {"at": site.world.clock.now(), "actor": "hook", "reason": Reason.OBSERVED}
    await site.world.store.run(lambda conn: runners.move(conn, name, RunnerState.BUSY, **move))
    site.world.changes.notify()
    await expect(cell).to_have_class("cell busy")
    await expect(cell).to_have_text("●")
    assert await cell.get_attribute("aria-label") == f"{name}: busy, reached started"
    assert await cell.bounding_box() == place


async def test_a_pool_that_is_drained_shows_drained_with_who_and_why(site):
    page = await site.signed_in()
    pool = page.locator("#pool-gha-large")
    await expect(pool.locator(".badge")).to_have_text("Open")
    await site.operate("pools/gha-large/drain", reason="Fly has trouble in fra")
    await expect(pool.locator(".badge")).to_have_text("Drained")
    await expect(pool).to_contain_text("Fly has trouble in fra")
    await expect(page.locator("#wrong-drained-gha-large")).to_contain_text("By order")
    await site.operate("pools/gha-large/undrain")
    await expect(pool.locator(".badge.drained")).to_have_count(0)


async def test_a_paused_fleet_shows_paused_everywhere(site):
    page = await site.signed_in()
    await site.operate("fleet/pause", reason="database upgrade")
    await expect(page.locator("#wrong-paused")).to_contain_text("database upgrade")
    await expect(page.locator(".badge.paused")).to_have_count(4)
    await site.operate("fleet/resume")
    await expect(page.locator("#wrong-paused")).to_have_count(0)


async def test_names_that_others_chose_are_text(glance):
    await expect(glance.locator("#job-201 a")).to_have_text(HOSTILE)
    await expect(glance.locator("#job-201 .badge")).to_have_text("merge queue")
    assert await glance.locator("main script").count() == 0


async def test_a_script_that_was_smuggled_in_does_not_run(site):
    site.expected = ("Content Security Policy",)
    page = await site.signed_in()
    await page.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "window.smuggled = true";
        document.body.append(script);
        document.body.insertAdjacentHTML("beforeend", '<img src="x:" onerror="window.smuggled = true">');
    }""")
    await page.wait_for_timeout(50)
    assert not await page.evaluate("window.smuggled")
    assert any("Content Security Policy" in each for each in site.troubles)


async def test_ages_go_on_while_nothing_changes_and_in_the_servers_words(glance):
    age = glance.locator("#job-1 time[data-since]")
    before = await age.text_content()
    await expect(age).not_to_have_text(before)
    given = [-1, 0, 59, 60, 61, 3599, 3600, 7325, 86_399, 86_400, 273_600]
    told = await glance.evaluate(
        "async (given) => given.map((await import('/page/times.js')).duration)", given
    )
    assert told == [words.duration(each) for each in given]


async def test_a_wrong_clock_in_the_browser_makes_nothing_older(still):
    page = await still.tab()
    await page.clock.install(time="2031-01-01T00:00:00Z")
    await page.goto(still.url)
    await page.fill("#token", still.token)
    await page.press("#token", "Enter")
    await still.live(page)
    await expect(page.locator("#age")).to_have_text("  s old".replace("  ", ", 0 "))


async def test_a_job_and_a_runner_have_pages_that_are_live_too(site):
    page = await site.signed_in("/jobs/14")
    await expect(page.locator("h1")).to_have_text("Job package")
    await expect(page.locator(".lede").first).to_contain_text("supply_on_its_way")
    await site.operate("pools/gha-small/drain")
    await expect(page.locator(".lede").first).to_contain_text("pool_drained")
    await page.goto(site.url + "/runners/acme-gha-small-r-0000-1")
    await site.live(page)
    await expect(page.locator("h2").first).to_have_text("It is busy")
    await page.click(".crumb a")
    await expect(page.locator("h1")).to_contain_text("acme")


async def test_without_scripts_the_page_is_whole_and_says_that_it_stands_still(still, shots):
    page = await still.signed_in(java_script_enabled=False)
    await expect(page.locator("noscript .banner")).to_be_visible()
    await expect(page.locator("#job-1")).to_contain_text(" min")
    await expect(page.locator("#link-word")).to_have_text("Loaded once")
    await page.screenshot(path=shots / "no-scripts.png")
    await page.click("text=Sign out")
    await expect(page.locator("label")).to_contain_text("API token")


async def test_a_wrong_token_is_said_and_signing_out_ends_the_page_in_every_tab(site, shots):
    site.expected = ("401",)
    page = await site.tab()
    await page.goto(site.url)
    await page.fill("#token", "fgr_wrong")
    await page.press("#token", "Enter")
    await expect(page.locator('[role="alert"]')).to_contain_text("That token opens nothing")
    await page.screenshot(path=shots / "signin-wrong.png")
    await page.fill("#token", site.token)
    await page.click("text=Sign in")
    await site.live(page)
    other = await page.context.new_page()
    await other.goto(site.url)
    await site.live(other)
    await page.click("text=Sign out")
    await expect(page.locator("#token")).to_be_visible()
    await expect(other.locator("#link-word")).to_have_text("Signed out")
    await expect(other.locator("#lost a")).to_have_attribute("href", "/signin?next=%2F")
    assert "fgr_" not in str(await page.context.cookies())


async def test_pictures_of_a_busy_fleet(site, shots):
    await site.operate("pools/gha-large/drain", reason="Fly has trouble in fra, see INC-42")
    await site.operate("pools/gha-medium/scale", max_machines=20, reason="budget")
    page = await site.signed_in(reduced_motion="reduce")
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(int(part) for part in ground.strip("rgb()").split(",")) < 200) == (scheme == "dark")
        for name, viewport in (("desk", DESK), ("phone", PHONE)):
            await page.set_viewport_size(viewport)
            await page.screenshot(path=shots / f"fleet-{name}-{scheme}.png", full_page=True)
            wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{name} scrolls sideways by {wide} px"
