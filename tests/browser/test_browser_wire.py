"""The wire between page and dispatcher: it breaks, it freezes, it comes back, and the page says so."""

import pytest
from page_world import add_jobs, plan_now
from playwright.async_api import expect

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]
GONE = ("ERR_", "Failed to load resource")


async def test_a_lost_connection_is_marked_and_the_page_recovers_by_itself(site, shots):
    site.expected = GONE
    page = await site.signed_in()
    site.wire.cut()
    await expect(page.locator("#link-word")).to_have_text("Connection lost")
    banner = page.locator("#lost")
    await expect(banner).to_be_visible()
    await expect(banner).to_have_attribute("role", "alert")
    await expect(banner).to_contain_text("This is the fleet as of")
    assert (await page.title()).startswith("(lost)")
    await page.screenshot(path=shots / "connection-lost.png")
    await add_jobs(site.world, 1, first=7001, name="queued meanwhile")
    await plan_now(site.world)
    site.wire.mend()
    await expect(page.locator("#job-7001")).to_contain_text("queued meanwhile")
    await expect(page.locator("#link-word")).to_have_text("Live")
    await expect(banner).to_be_hidden()
    assert not (await page.title()).startswith("(lost)")


async def test_a_connection_that_died_without_a_word_is_noticed_by_its_silence(site):
    site.expected = GONE
    page = await site.tab()
    await page.clock.install()
    await page.goto(site.url)
    await page.fill("#token", site.token)
    await page.press("#token", "Enter")
    await site.live(page)
    site.wire.freeze()
    await page.clock.fast_forward(30_000)
    await expect(page.locator("#link-word")).to_have_text("Live")
    await page.clock.fast_forward(9_000)
    await expect(page.locator("#link-word")).to_have_text("Connection lost")
    site.wire.mend()
    await expect(page.locator("#link-word")).to_have_text("Live")


async def test_an_update_that_fails_leaves_the_page_as_it_was_and_says_so(site):
    site.expected = GONE
    page = await site.signed_in()
    await page.route("**/live?*", lambda route: route.fulfill(status=503, body="{}"))
    await add_jobs(site.world, 1, first=7001)
    await plan_now(site.world)
    await expect(page.locator("#link-word")).to_have_text("Connection lost")
    await expect(page.locator("#job-1")).to_be_visible()
    await page.unroute("**/live?*")
    await add_jobs(site.world, 1, first=7002)
    await plan_now(site.world)
    await expect(page.locator("#job-7002")).to_be_visible()
    await expect(page.locator("#link-word")).to_have_text("Live")


async def test_a_page_that_nobody_sees_asks_for_nothing_and_catches_up_when_it_is_seen(site):
    page = await site.signed_in()
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/live?" in request.url else None)
    await page.evaluate("""() => {
        Object.defineProperty(document, "hidden", { get: () => window.away, configurable: true });
        window.away = true;
    }""")
    await page.wait_for_timeout(150)
    asked.clear()
    await add_jobs(site.world, 1, first=7001)
    await plan_now(site.world)
    await page.wait_for_timeout(400)
    assert asked == []
    await page.evaluate(
        "() => { window.away = false; document.dispatchEvent(new Event('visibilitychange')); }"
    )
    await expect(page.locator("#job-7001")).to_be_visible()


async def test_a_storm_of_changes_is_asked_about_at_most_once_a_second(site):
    page = await site.signed_in(hurried=False)
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/live?" in request.url else None)
    for number in range(12):
        await add_jobs(site.world, 1, first=8000 + number)
        site.world.changes.notify()
        await page.wait_for_timeout(100)
    await expect(page.locator("#job-8011")).to_be_visible()
    assert len(asked) <= 4
