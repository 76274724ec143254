"""The dashboard in tests: its application, a signed-in browser, and what each of its pages must
fulfil."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from fastapi import FastAPI
from playwright.async_api import Page

from app.admin import account_pages, sign_in_pages
from app.admin.dashboard import screens
from app.admin.links import make_login_link
from app.admin.rules import Role
from app.admin.staff import add_staff
from app.base import clock
from app.base.actor import cli_actor
from app.base.context import AppContext
from app.brands.models import Brand
from tests.support.browser import MATRIX, SCREENSHOTS, Site, View, app_of, overflow, violations


def dashboard_app(context: AppContext) -> FastAPI:
    """An application of all screens and of signing in."""
    app = app_of(context, sign_in_pages.router)
    app.include_router(account_pages.router)
    app.include_router(screens.router)
    return app


@asynccontextmanager
async def browser_of(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that keeps cookies, as a browser on another machine."""
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def sign_in_path(context: AppContext, brand: Brand, role: Role = Role.admin) -> str:
    """The path of a one-time link of a person with this role, who is added if need be."""
    email = f"{role}@example.com"
    async with context.sessions.begin() as session:
        await add_staff(session, brand.id, email, role, actor=cli_actor(brand.id))
        url = await make_login_link(session, context, email, now=clock.now(), brand_id=brand.id)
    return url.removeprefix(context.settings.public_url)


async def sign_in_as(
    client: httpx2.AsyncClient, context: AppContext, brand: Brand, role: Role = Role.admin
) -> None:
    """Sign this browser in as a person with this role."""
    assert (await client.post(await sign_in_path(context, brand, role))).status_code == 303


@asynccontextmanager
async def signed_in_page(
    site: Site, context: AppContext, brand: Brand, role: Role = Role.admin
) -> AsyncIterator[Page]:
    """A page of a real browser that is signed in."""
    path = await sign_in_path(context, brand, role)
    async with site.page() as page:
        await page.goto(site.url + path)
        await page.click("text=Sign in >> nth=-1")
        await page.wait_for_url("**/admin")
        yield page


_SMALL = """[...document.querySelectorAll('button, .button, .nav a, .seg a, .tabs a, .chip, .input, select, summary')]
.filter(one => one.checkVisibility()).map(one => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
.filter(([, box]) => box.height && box.height < 24).map(([html, box]) => `${html} ${box.height}`)"""


async def check_screen(page: Page, address: str, name: str, views: list[View] = MATRIX) -> None:
    """Assert that a screen fits every view, and is accessible at every width from 390 on.

    Schemes differ in colours alone, so contrast is what the dark one is checked for.
    """
    await page.goto(address)
    for width in dict.fromkeys(width for width, _ in views):
        await page.set_viewport_size({"width": width, "height": 844})
        for scheme in [scheme for each, scheme in views if each == width]:
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            if SCREENSHOTS:
                await page.screenshot(path=f"{SCREENSHOTS}/{name}_{width}_{scheme}.png", full_page=True)
            where = (name, width, scheme)
            assert await overflow(page) <= 0, where
            if width >= 390:
                only = None if scheme == "light" else "color-contrast"
                assert await violations(page, only) == [], where
        assert await page.evaluate(_SMALL) == [], (name, width)
