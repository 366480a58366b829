"""Site: one world served to browsers, with what a test asks of it again and again."""

import contextlib
from pathlib import Path

import httpx
from page_world import plan_now
from served import Server, Wire

from runners.api import page

DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
# What the page must do, it does within this; the stream's own pauses are far shorter.
PATIENCE_MS = 8000


LIVE = (Path(page.__file__).parent / "static/live.js").read_text(encoding="utf-8")
PAUSE = "GAP_MS = 1000;"


class Site:
    """A served world; browsers reach it over a wire that a test may cut."""

    def __init__(self, browser, world):
        self.browser = browser
        self.world = world
        self.contexts = []
        self.troubles = []
        self.expected = ()

    async def open(self, scopes, limits):
        self.server = Server(self.world.app)
        self.wire = await Wire(self.server.port).open()
        self.url = self.wire.url
        self.token = await self.world.token(*scopes, **limits)
        self.operator = await self.world.token("operate", "read")
        return self

    async def close(self):
        await self.leave(judge=False)
        self.world.changes.close()
        await self.wire.close()
        await self.server.close()
        with contextlib.suppress(AttributeError):
            await self.world.client.aclose()
        await self.world.store.close()
        self.judge()

    async def leave(self, judge=True):
        """End every visit; the fleet stays served."""
        for context in self.contexts:
            await context.close()
        self.contexts.clear()
        if judge:
            self.judge()

    def judge(self):
        """Nothing complained, or nothing but what the test expects."""
        unexpected = [each for each in self.troubles if not any(word in each for word in self.expected)]
        self.troubles.clear()
        assert not unexpected, unexpected

    async def tab(self, *, scheme="light", viewport=DESK, hurried=True, **more):
        """A new browser's page; whatever its console or its network complains of is remembered."""
        context = await self.browser.new_context(viewport=viewport, color_scheme=scheme, **more)
        self.contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        if hurried:
            await context.route("**/page/live.js", _hurried)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.troubles.append(f"dialog: {dialog.message}"))
        return page

    async def signed_in(self, path="/", **more):
        """A page of somebody who has signed in, live."""
        page = await self.tab(**more)
        async with httpx.AsyncClient(base_url=self.url) as client:
            await client.post("/signin", data={"token": self.token})
            held = [{"name": name, "value": value, "url": self.url} for name, value in client.cookies.items()]
        await page.context.add_cookies(held)
        await page.goto(self.url + path)
        if more.get("java_script_enabled", True):
            await self.live(page)
        return page

    async def live(self, page):
        """Until the page follows the stream and has drawn its first update."""
        await page.wait_for_selector('body[data-link="live"][data-update-ms]')

    async def operate(self, path, **body):
        async with httpx.AsyncClient(base_url=self.url) as client:
            headers = {"authorization": f"Bearer {self.operator}"}
            answer = await client.post(f"/v1/{path}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        await plan_now(self.world)

    def _console(self, said):
        if said.type in ("error", "warning"):
            self.troubles.append(f"{said.type}: {said.text}")


async def _hurried(route):
    """The page's own script, with a shorter pause between two updates: tests wait for many."""
    assert PAUSE in LIVE
    await route.fulfill(body=LIVE.replace(PAUSE, "GAP_MS = 50;"), content_type="text/javascript")
