import gzip

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from app.base.web.problems import install_problems
from app.base.web.stylesheets import SHEETS, dashboard_stylesheet_url, router, stylesheet_url


@pytest.fixture
async def client():
    app = FastAPI()
    install_problems(app)
    app.include_router(router)
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://test") as client:
        yield client


async def test_a_stylesheet_has_a_brands_colours_and_face_and_is_kept_for_ever(client):
    url = stylesheet_url("offer", "ffcc00", "serif")
    sheet = await client.get(url, headers={"Accept-Encoding": "gzip"})
    assert (sheet.status_code, sheet.headers["content-encoding"]) == (200, "gzip")
    assert sheet.headers["content-type"].startswith("text/css")
    assert "immutable" in sheet.headers["cache-control"]
    assert "--display:var(--serif)" in sheet.text
    assert "--brand:#ffcc00" in sheet.text
    assert "prefers-color-scheme:dark" in sheet.text
    assert (await client.get(url, headers={"Accept-Encoding": "identity"})).text == sheet.text
    assert stylesheet_url("offer", None, None) == stylesheet_url("offer", "0f5fa8", "sans")


async def test_a_stylesheet_of_another_release_is_not_kept(client):
    url = stylesheet_url("letter", "ffcc00", "sans")
    sheet = await client.get(url[:-14] + "0123456789.css")
    assert (sheet.status_code, sheet.headers["cache-control"]) == (200, "public, max-age=60")


@pytest.mark.parametrize(
    "name",
    [
        "letter-red-sans-0123456789",
        "letter-b23c1-sans-0123456789",
        "letter-B23C17-sans-0123456789",
        "letter-b23c17-comic-0123456789",
        "other-b23c17-sans-0123456789",
        "letter-b23c17}-sans-0123456789",
        "letter",
    ],
)
async def test_nothing_but_a_known_colour_and_face_is_a_stylesheet(client, name):
    assert (await client.get(f"/look/{name}.css")).status_code == 404


@pytest.mark.parametrize(("sheet", "most"), [("letter", 3_500), ("offer", 5_500)])
async def test_stylesheets_are_light(client, sheet, most):
    assert sheet in SHEETS
    text = (await client.get(stylesheet_url(sheet, "0a1f44", "serif"))).text
    assert len(gzip.compress(text.encode(), 9)) <= most
    assert "/*" not in text
    assert "\n" not in text


async def test_the_dashboards_stylesheet_is_one_for_all_and_kept_for_ever(client):
    sheet = await client.get(dashboard_stylesheet_url(), headers={"Accept-Encoding": "gzip"})
    assert (sheet.status_code, sheet.headers["content-encoding"]) == (200, "gzip")
    assert "immutable" in sheet.headers["cache-control"]
    assert ".side{" in sheet.text
    assert ".stat" in sheet.text
    assert len(gzip.compress(sheet.text.encode(), 9)) <= 8_000
    other = await client.get("/look/dashboard-0123456789.css")
    assert other.headers["cache-control"] == "public, max-age=60"
    assert (await client.get("/look/letter-0123456789.css")).status_code == 404
