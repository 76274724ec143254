"""Compressed responses: for whom, and of what."""

import gzip
from collections.abc import AsyncIterator
from functools import partial

import httpx2
import pytest
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, Response, StreamingResponse

from app.base.paths import ROOT
from app.base.web.compression import MINIMUM_SIZE, CompressionMiddleware
from tests.support.apps import whole_app


@pytest.fixture
async def client(context):
    transport = httpx2.ASGITransport(app=whole_app(context))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def raw(client, path, **headers):
    """The response with its body as it was sent."""
    async with client.stream("GET", path, headers=headers) as response:
        return response, b"".join([chunk async for chunk in response.aiter_raw()])


async def test_a_response_is_compressed_for_who_accepts_it(client):
    plain, body = await raw(client, "/openapi.json", **{"Accept-Encoding": "identity"})
    packed, smaller = await raw(client, "/openapi.json", **{"Accept-Encoding": "gzip"})

    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(smaller) == body
    assert len(smaller) < len(body) / 3
    assert "accept-encoding" in packed.headers["vary"].lower()


@pytest.mark.parametrize(
    "page",
    [
        b"<!doctype html><style>p{color:red}</style>" + b"<p>much the same</p>" * 100,
        b"<!doctype html>" + b"<p>much the same</p>" * 100 + b"<style>p{color:red}</style>",
        b"<!doctype html><style>" + b"<p>much the same</p>" * 100,
        b"<!doctype html>" + b"<p>none at all</p>" * 100,
    ],
    ids=["first", "last", "never closed", "none"],
)
async def test_a_page_with_a_stylesheet_in_it_is_the_same_when_it_is_unpacked(page):
    app = CompressionMiddleware(HTMLResponse(page))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        for _ in range(2):
            packed, smaller = await raw(client, "/", **{"Accept-Encoding": "gzip"})
            assert packed.headers["content-encoding"] == "gzip"
            assert gzip.decompress(smaller) == page
            assert len(smaller) < len(page) / 3


TEXT = b"<p>much the same, again and again</p>" * 100


async def parts() -> AsyncIterator[bytes]:
    yield TEXT
    yield TEXT


@pytest.mark.parametrize(
    ("response", "encoding"),
    [
        (lambda: HTMLResponse(TEXT), "gzip"),
        (lambda: HTMLResponse(TEXT, 404, {"Cache-Control": "no-store"}), "gzip"),
        (lambda: Response(TEXT, media_type="application/json", headers={"Vary": "Cookie"}), "gzip"),
        (lambda: HTMLResponse(TEXT * 100), "gzip"),
        (lambda: StreamingResponse(parts(), media_type="text/csv"), "gzip"),
        (lambda: HTMLResponse(TEXT[:MINIMUM_SIZE]), "gzip"),
        (lambda: HTMLResponse(TEXT[: MINIMUM_SIZE - 1]), None),
        (lambda: HTMLResponse(TEXT, 206), None),
        (lambda: Response(TEXT, media_type="image/png"), None),
        (lambda: HTMLResponse(TEXT, headers={"Content-Encoding": "br"}), "br"),
        (lambda: Response(status_code=204), None),
    ],
)
async def test_a_response_is_that_of_the_framework(response, encoding):
    """A text that comes whole is compressed without the framework's own responder."""

    async def app(scope, receive, send):
        await response()(scope, receive, send)

    made = {}
    for name, middleware in (
        ("ours", CompressionMiddleware),
        ("theirs", partial(GZipMiddleware, minimum_size=MINIMUM_SIZE)),
    ):
        transport = httpx2.ASGITransport(app=middleware(app))
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            got, body = await raw(client, "/", **{"Accept-Encoding": "gzip"})
        plain = gzip.decompress(body) if got.headers.get("content-encoding") == "gzip" else body
        length = got.headers.pop("content-length", None)
        assert length is None or int(length) == len(body)
        made[name] = (got.status_code, plain, length is None, sorted(got.headers.items()))
    assert made["ours"] == made["theirs"]
    assert dict(made["ours"][3]).get("content-encoding") == encoding


async def test_a_small_response_is_sent_as_it_is(client):
    response, body = await raw(client, "/healthz", **{"Accept-Encoding": "gzip"})

    assert "content-encoding" not in response.headers
    assert len(body) < MINIMUM_SIZE


async def test_a_page_that_a_cookie_opens_is_never_compressed(client):
    response, body = await raw(client, "/admin", **{"Accept-Encoding": "gzip"})

    assert response.status_code == 401
    assert len(body) > MINIMUM_SIZE
    assert "content-encoding" not in response.headers


async def test_a_static_file_is_compressed_and_asked_for_again_by_its_tag(client):
    source = (ROOT / "static" / "dashboard.css").read_bytes()
    plain, body = await raw(client, "/static/dashboard.css", **{"Accept-Encoding": "identity"})
    packed, smaller = await raw(client, "/static/dashboard.css", **{"Accept-Encoding": "gzip"})

    assert body == source
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(smaller) == source
    assert int(packed.headers["content-length"]) == len(smaller) < len(source) / 2
    assert packed.headers["content-type"] == plain.headers["content-type"]
    assert packed.headers["etag"] == plain.headers["etag"]
    for encoding in ("gzip", "identity"):
        again = {"Accept-Encoding": encoding, "If-None-Match": packed.headers["etag"]}
        unchanged, nothing = await raw(client, "/static/dashboard.css", **again)
        assert (unchanged.status_code, nothing) == (304, b"")
