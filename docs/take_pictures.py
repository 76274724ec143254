"""Takes the pictures in `docs/pictures`: each entry of the dashboard, of a demo that is running.

uv run tenfold demo --orders 60
uv run python docs/take_pictures.py LINK     the dashboard's link that the demo prints

The pictures have the machine's fonts; those in the documents are of one with Inter and Lohit.
"""

import asyncio
import sys
from pathlib import Path

from playwright.async_api import Page, async_playwright

PICTURES = Path(__file__).parent / "pictures"
BROWSERS = (Path("/usr/lib/chromium/chromium-headless-shell"), Path("/usr/bin/chromium"))
"""Debian's, the first that is there, as the tests take it."""
ENTRIES = {
    "overview": "/admin",
    "answers": "/admin/answers",
    "referrers": "/admin/referrers",
    "orders": "/admin/orders",
    "rewards": "/admin/rewards",
    "programme": "/admin/programme/terms",
    "settings": "/admin/settings/shops",
}


async def take(link: str, width: int = 1440, height: int = 1000) -> None:
    """Sign in by the link, and take a picture of each entry; the overview in dark too."""
    site = link.split("/admin/", maxsplit=1)[0]
    async with async_playwright() as playwright:
        found = next(each for each in BROWSERS if each.exists())
        browser = await playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--hide-scrollbars"]
        )
        page = await browser.new_page(viewport={"width": width, "height": height})
        await page.goto(link)
        await page.click("text=Sign in >> nth=-1")
        await page.wait_for_url("**/admin")
        for name, path in ENTRIES.items():
            await _picture(page, site + path, name)
        await page.emulate_media(color_scheme="dark")
        await _picture(page, site, "overview_dark", path="/admin")
        await browser.close()


async def _picture(page: Page, address: str, name: str, path: str = "") -> None:
    await page.goto(address + path, wait_until="networkidle")
    await page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    asyncio.run(take(sys.argv[1]))
