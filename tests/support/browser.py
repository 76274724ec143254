"""A real Chromium for page tests: one process per worker, a site on a free port, and what every
page must fulfil."""

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.base import AXE_FILE_PATH
from fastapi import APIRouter, FastAPI
from playwright.async_api import Browser, Page, Response, async_playwright

from app.base.context import AppContext
from app.base.paths import ROOT
from app.base.web import stylesheets
from app.base.web.compression import CompressedFiles, CompressionMiddleware
from app.base.web.middleware import RequestMiddleware
from app.base.web.problems import install_problems
from app.brands import routes as brand_routes

_BROWSERS = (Path("/usr/lib/chromium/chromium-headless-shell"), Path("/usr/bin/chromium"))
"""The first has no window: it renders as the other one does, for half the processor time. It is the
program itself, since a script that starts it would be killed without it."""
CHROMIUM = next((path for path in _BROWSERS if path.exists()), _BROWSERS[-1])
SCREENSHOTS = os.environ.get("TENFOLD_SCREENSHOTS")
"""A directory to save a picture of every checked page in."""
AXE = Path(AXE_FILE_PATH).read_text()
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

View = tuple[int, str]
"""A width in CSS pixels and a colour scheme."""
MATRIX: list[View] = [(width, scheme) for width in (320, 390, 768, 1440) for scheme in ("light", "dark")]

needs_chromium = pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's Chromium is not installed")


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DevTools address of this worker's one Chromium process."""
    profile = tmp_path_factory.mktemp("chromium")
    process = subprocess.Popen(
        [
            CHROMIUM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--hide-scrollbars",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port_file = profile / "DevToolsActivePort"
        deadline = time.monotonic() + 60
        while not (port_file.exists() and port_file.read_text().count("\n")):
            assert process.poll() is None, "Chromium ended at once"
            assert time.monotonic() < deadline, "Chromium did not start"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port_file.read_text().split()[0]}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """The worker's Chromium; a test opens contexts of its own in it and closes them."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(chromium)
        yield browser
        await browser.close()


@pytest.fixture(params=[pytest.param(MATRIX, id="every-view", marks=pytest.mark.slow)])
def views(request: pytest.FixtureRequest) -> list[View]:
    """Every width and colour scheme that a page is checked in. A test that takes this is slow."""
    return request.param


@dataclass
class Site:
    """A running web process and the browser to read it with."""

    url: str
    browser: Browser
    app: FastAPI
    link: str = ""
    """The path of the page that the test is about."""

    @asynccontextmanager
    async def page(
        self, *, width: int = 390, scheme: str = "light", script: bool = True
    ) -> AsyncIterator[Page]:
        """A page in a browser context of its own."""
        context = await self.browser.new_context(
            viewport={"width": width, "height": _height(width)},
            color_scheme=scheme,  # type: ignore[arg-type]
            java_script_enabled=script,
        )
        page = await context.new_page()
        try:
            yield page
        finally:
            await context.close()


@asynccontextmanager
async def serve(app: FastAPI, browser: Browser, link: str = "") -> AsyncIterator[Site]:
    """Serve the application on a free port."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn offers no event to wait for
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Site(f"http://127.0.0.1:{port}", browser, app, link)
    finally:
        server.should_exit = True
        await running


def app_of(context: AppContext, router: APIRouter) -> FastAPI:
    """An application of one package's pages, with the middleware and the static files of the whole
    one."""
    app = FastAPI()
    app.state.context = context
    app.add_middleware(CompressionMiddleware)
    app.add_middleware(RequestMiddleware)
    install_problems(app)
    app.include_router(router)
    app.include_router(stylesheets.router)
    app.include_router(brand_routes.router)
    app.mount("/static", CompressedFiles(ROOT / "static"))
    return app


async def violations(page: Page, only: str | None = None, *, tags: Sequence[str] = AXE_RULES) -> list[str]:
    """What axe finds wrong, by the rules of these tags or by one rule.

    Its script is injected past the page's own content security policy.
    """
    if not await page.evaluate("'axe' in window"):
        session = await page.context.new_cdp_session(page)
        await session.send("Runtime.evaluate", {"expression": AXE})
    rules = {"type": "rule", "values": [only]} if only else tags
    return await page.evaluate(
        # What is in order is not described: that takes most of the time.
        """async rules => (await axe.run({runOnly: rules, resultTypes: ['violations']})).violations
        .map(one => `${one.id}: ${one.nodes[0].html}`)""",
        rules,
    )


async def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return int(
        await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    )


async def small_targets(page: Page, least: int = 44) -> list[str]:
    """Buttons, keys and fields smaller than a finger; links inside a sentence are exempt."""
    return await page.evaluate(
        """least => [...document.querySelectorAll('button, .button, .key, textarea, input:not([type=hidden], .key input), .check')]
        .filter(one => one.checkVisibility() && !(one.matches('.check input')))
        .map(one => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
        .filter(([, box]) => box.height < least || box.width < least)
        .map(([html, box]) => `${html} ${box.width}x${box.height}`)""",
        least,
    )


async def weights(page: Page, url: str) -> list[int]:
    """Open a page and return the bytes of every response, body and headers, as they were sent."""
    responses: list[Response] = []

    def keep(response: Response) -> None:
        responses.append(response)

    page.on("response", keep)
    await page.goto(url, wait_until="networkidle")
    page.remove_listener("response", keep)
    sizes = [await each.request.sizes() for each in responses if each.url.startswith("http")]
    return [each["responseBodySize"] + each["responseHeadersSize"] for each in sizes]


async def check_page(site: Site, name: str, path: str, views: list[View], *, status: int = 200) -> None:
    """Assert that a page is accessible, fits every view, loads from its own host alone and obeys
    its own policy."""
    async with site.page() as page:
        errors: list[str] = []
        hosts: set[str] = set()
        page.on("console", lambda message: _keep_policy_errors(message.text, errors))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: _keep_host(request.url, hosts))
        for width, scheme in views:
            await page.set_viewport_size({"width": width, "height": _height(width)})
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            response = await page.goto(site.url + path)
            assert response is not None
            assert response.status == status
            if SCREENSHOTS:
                await page.screenshot(path=f"{SCREENSHOTS}/{name}_{width}_{scheme}.png", full_page=True)
            where = f"{name} {width} {scheme}"
            assert await overflow(page) <= 0, where
            assert await violations(page) == [], where
            assert await small_targets(page) == [], where
            assert errors == [], where
            assert hosts == {site.url.split("/")[2]}, where


def _height(width: int) -> int:
    """The height of a phone's window or of a screen's."""
    return 844 if width < 800 else 800


def _keep_policy_errors(text: str, errors: list[str]) -> None:
    if "Content Security" in text:
        errors.append(text)


def _keep_host(url: str, hosts: set[str]) -> None:
    if "://" in url:
        hosts.add(url.split("/")[2])
