"""Compressed responses: for whom, and of what."""

import gzip

import httpx2
import pytest

from app.base.paths import ROOT
from app.base.web.compression import MINIMUM_SIZE
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
    source = (ROOT / "static" / "admin.css").read_bytes()
    plain, body = await raw(client, "/static/admin.css", **{"Accept-Encoding": "identity"})
    packed, smaller = await raw(client, "/static/admin.css", **{"Accept-Encoding": "gzip"})

    assert body == source
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(smaller) == source
    assert int(packed.headers["content-length"]) == len(smaller) < len(source) / 2
    assert packed.headers["content-type"] == plain.headers["content-type"]
    assert packed.headers["etag"] == plain.headers["etag"]
    for encoding in ("gzip", "identity"):
        again = {"Accept-Encoding": encoding, "If-None-Match": packed.headers["etag"]}
        unchanged, nothing = await raw(client, "/static/admin.css", **again)
        assert (unchanged.status_code, nothing) == (304, b"")
