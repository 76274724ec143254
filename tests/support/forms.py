"""Forms of the dashboard, sent as a browser sends them."""

import re

import httpx2

_FIELD = re.compile(r'name="csrf" value="([^"]+)"')


def form_token(text: str) -> str:
    """The token of the first form of a page."""
    found = _FIELD.search(text)
    assert found, "the page has no form that posts"
    return found[1]


async def send_form(
    client: httpx2.AsyncClient, page: str, path: str, data: dict[str, str] | None = None
) -> httpx2.Response:
    """Open a page, then send a form of it."""
    shown = await client.get(page)
    return await client.post(path, data={"csrf": form_token(shown.text), **(data or {})})
