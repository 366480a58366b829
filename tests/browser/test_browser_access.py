"""The page without a mouse, without sight, without motion; axe-core finds nothing serious, and would."""

from itertools import pairwise

import pytest
from browser_site import PHONE
from page_world import add_jobs, plan_now
from playwright.async_api import expect

from runners.model.reason import Reason
from runners.model.states import RunnerState
from runners.store import runners

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]
GRAVE = ("serious", "critical")


async def violations(page, axe):
    """What axe-core finds that is serious or critical; it is injected past the page's own policy."""
    await page.evaluate(axe)
    found = await page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return {each["id"]: each["nodes"][0]["html"] for each in found["violations"] if each["impact"] in GRAVE}


async def test_axe_finds_nothing_serious_on_any_page_in_light_or_dark(site, axe):
    site.expected = ("404",)
    await site.operate("pools/gha-large/drain", reason="INC-42")
    # Without motion: colours on their way from one scheme to the other are nobody's.
    page = await site.signed_in(reduced_motion="reduce")
    for path in ("/", "/jobs/1", "/runners/acme-gha-small-r-0000-1", "/jobs/4711", "/signin"):
        if path == "/signin":
            await page.context.clear_cookies()
        await page.goto(site.url + path)
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            assert await violations(page, axe) == {}, (path, scheme)


async def test_axe_finds_nothing_serious_on_a_phone_or_when_the_connection_is_lost(site, axe):
    site.expected = ("ERR_", "Failed to load")
    page = await site.signed_in(viewport=PHONE)
    site.wire.cut()
    await expect(page.locator("#lost")).to_be_visible()
    assert await violations(page, axe) == {}


async def test_axe_would_find_what_is_wrong(still, axe):
    page = await still.signed_in()
    await page.evaluate("""() => {
        const picture = document.createElement("img");
        picture.src = "/page/icon.svg";
        document.querySelector("main").append(picture);
        document.querySelector("h1").style.color = "#dddddd";
    }""")
    assert {"image-alt", "color-contrast"} <= set(await violations(page, axe))


async def test_the_page_has_landmarks_and_headings_in_order(glance):
    for landmark in ("banner", "main", "contentinfo"):
        await expect(glance.get_by_role(landmark)).to_have_count(1)
    regions = await glance.get_by_role("region").all()
    names = [await each.evaluate("each => each.querySelector('h2').textContent") for each in regions]
    assert names == [
        "At a glance", "What is wrong", "Pools", "Runners", "Queue", "Phase latencies",
        "Upstreams and budgets", "Events",
    ]  # fmt: skip
    levels = await glance.evaluate(
        "[...document.querySelectorAll('h1, h2, h3')].map((each) => Number(each.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


async def test_the_keyboard_leads_everywhere(still):
    page = await still.signed_in()
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    cells = page.locator("#crew-gha-small .cell")
    await page.keyboard.press("Tab")
    await expect(cells.nth(0)).to_be_focused()
    detail = page.locator("#cell-detail")
    await expect(detail).to_contain_text(f"{await cells.nth(0).get_attribute('aria-label')}, for")
    for key, index in (("ArrowRight", 1), ("End", 30), ("Home", 0), ("ArrowLeft", 0), ("ArrowRight", 1)):
        await page.keyboard.press(key)
        await expect(cells.nth(index)).to_be_focused()
    # One stop for each pool, however many runners it has.
    await page.keyboard.press("Tab")
    await expect(page.locator("#crew-gha-medium .cell").first).to_be_focused()
    await page.keyboard.press("Shift+Tab")
    await expect(cells.nth(1)).to_be_focused()
    name = (await cells.nth(1).get_attribute("href")).removeprefix("/runners/")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text(f"Runner {name}")


async def test_arrows_go_from_row_to_row_as_the_eye_does(still):
    page = await still.signed_in(viewport=PHONE)
    cells = page.locator("#crew-gha-small .cell")
    await cells.nth(2).focus()
    await page.keyboard.press("ArrowDown")
    below = await page.evaluate("document.activeElement.getBoundingClientRect().toJSON()")
    above = await cells.nth(2).bounding_box()
    assert below["x"] == pytest.approx(above["x"], abs=0.1)
    assert 0 < below["y"] - above["y"] < 40
    await page.keyboard.press("ArrowUp")
    await expect(cells.nth(2)).to_be_focused()


async def test_the_focus_stays_through_updates_and_goes_to_a_neighbour_when_its_runner_is_gone(site):
    page = await site.signed_in()
    cells = page.locator("#crew-gha-small .cell")
    await cells.nth(4).focus()
    name = (await cells.nth(4).get_attribute("href")).removeprefix("/runners/")
    neighbour = await cells.nth(5).get_attribute("href")
    await add_jobs(site.world, 1, first=7001)
    await plan_now(site.world)
    await expect(page.locator("#job-7001")).to_be_visible()
    await expect(cells.nth(4)).to_be_focused()
    for state in (RunnerState.RETIRING, RunnerState.GONE):
        move = {"at": site.world.clock.now(), "actor": "planner", "reason": Reason.JOB_COMPLETED}
        await site.world.store.run(lambda conn, to=state, said=move: runners.move(conn, name, to, **said))
    site.world.changes.notify()
    await expect(page.locator(f'[id="r-{name}"]')).to_have_count(0)
    focused = await page.evaluate("document.activeElement.getAttribute('href')")
    assert focused == neighbour


async def test_a_screen_reader_hears_what_goes_wrong_and_nothing_of_what_merely_changes(site):
    page = await site.signed_in()
    live = page.locator("[aria-live], [role=status], [role=alert], [role=log]")
    assert await live.evaluate_all("all => all.map((each) => each.id)") == ["lost", "said"]
    await page.evaluate("""() => {
        window.heard = [];
        const said = document.getElementById("said");
        new MutationObserver(() => heard.push(said.textContent))
            .observe(said, { childList: true, characterData: true, subtree: true });
    }""")
    for number in range(3):
        await add_jobs(site.world, 1, "gha-large", first=7001 + number)
        site.world.changes.notify()
        await expect(page.locator(f"#job-{7001 + number}")).to_be_visible()
    assert await page.evaluate("heard") == []
    await site.operate("fleet/pause")
    said = page.locator("#said")
    await expect(said).to_contain_text("What is wrong has changed")
    assert len(await page.evaluate("heard")) == 1


async def test_motion_is_left_out_for_who_asked_for_less(glance):
    cell, seconds = glance.locator(".grid .cell").first, {}
    for motion in ("reduce", "no-preference"):
        await glance.emulate_media(reduced_motion=motion)
        seconds[motion] = await cell.evaluate("each => getComputedStyle(each).transitionDuration")
    assert seconds["reduce"] == "0s"
    assert seconds["no-preference"] != "0s"


async def test_no_state_is_told_by_colour_alone(glance):
    cells = await glance.locator(".grid .cell").evaluate_all(
        "all => all.map((each) => [each.className.split(' ')[1], each.textContent])"
    )
    marks = dict(cells)
    assert len(marks) == 7
    assert len(set(marks.values())) == 7
    for level in await glance.locator(".problems .level, .badge").all_text_contents():
        assert level.strip()
