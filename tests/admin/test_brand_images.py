"""Logo and picture by the API, and as pages show them."""

from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from httpx2 import ASGITransport, AsyncClient
from PIL import Image
from sqlalchemy import func, select

from app.admin.keys import add_key
from app.admin.rules import Scope
from app.base.actor import cli_actor
from app.brands.add import add_brand
from app.brands.images import KEPT
from app.brands.models import BrandImage
from tests.support.apps import whole_app


def png(colour: str, size: tuple[int, int] = (300, 80)) -> bytes:
    out = BytesIO()
    Image.new("RGBA", size, colour).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
async def client(context, brand, shop) -> AsyncIterator[AsyncClient]:
    async with context.sessions.begin() as session:
        key = await add_key(session, brand.id, (Scope.read, Scope.write), actor=cli_actor(brand.id))
    async with AsyncClient(
        transport=ASGITransport(app=whole_app(context)),
        base_url="http://test",
        headers={"Authorization": f"Bearer {key}"},
    ) as client:
        yield client


async def test_images_are_put_shown_replaced_and_deleted(client, context, brand):
    answer = await client.put("/api/v1/brand/logo", content=png("red"))
    assert answer.status_code == 200, answer.text
    logo = answer.json()["branding"]["logo"]
    assert (logo["width"], logo["height"]) == (300, 80)
    assert "card" not in answer.json()["branding"]
    image = await client.get(logo["path"])
    assert image.headers["content-type"] == "image/png"
    assert image.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert image.headers["x-content-type-options"] == "nosniff"
    assert Image.open(BytesIO(image.content)).size == (300, 80)

    dark = (await client.put("/api/v1/brand/logo/dark", content=png("pink"))).json()["branding"]["logo_dark"]
    second = (await client.put("/api/v1/brand/logo", content=png("blue"))).json()["branding"]["logo"]
    assert (await client.get(logo["path"])).status_code == 200, "sent mails show it"
    left = (await client.delete("/api/v1/brand/logo")).json()["branding"]
    assert left == {"logo": None, "logo_dark": dark}
    assert (await client.get(second["path"])).status_code == 404
    assert (await client.get(dark["path"])).status_code == 200
    assert (await client.delete("/api/v1/brand/logo")).status_code == 200
    picture = (await client.put("/api/v1/brand/picture", content=png("green"))).json()["branding"]["picture"]
    assert (await client.get(picture["path"])).headers["content-type"] == "image/jpeg"
    assert (await client.delete("/api/v1/brand/picture")).json()["branding"]["picture"] is None
    await client.delete("/api/v1/brand/logo/dark")
    async with context.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(BrandImage)) == 2, (
            "the first logo's files"
        )


async def test_only_so_many_files_are_kept(client, context):
    for number in range(KEPT // 2 + 2):
        await client.put("/api/v1/brand/logo", content=png(f"#0000{number:02x}"))
    async with context.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(BrandImage)) == KEPT
    (logo,) = [(await client.get("/api/v1/brand")).json()["branding"]["logo"]]
    assert (await client.get(logo["path"])).status_code == 200


async def test_what_is_no_image_changes_nothing(client):
    assert (await client.put("/api/v1/brand/logo", content=b"<svg/>")).json()["code"] == "bad_image"
    heavy = await client.put("/api/v1/brand/logo", content=bytes(201 * 1024))
    assert (heavy.status_code, heavy.json()["code"]) == (413, "too_large")
    assert (await client.get("/api/v1/brand")).json()["branding"] == {}


async def test_a_file_is_found_under_its_own_brand_alone(client, context, brand):
    path = (await client.put("/api/v1/brand/logo", content=png("red"))).json()["branding"]["logo"]["path"]
    async with context.sessions.begin() as session:
        other = await add_brand(session, "other", name="Other")
    for wrong in (
        path.replace(f"/media/{brand.id}/", f"/media/{other.id}/"),
        path.replace(f"/media/{brand.id}/", "/media/2147483647/"),
        path.replace(".png", ".jpg"),
    ):
        assert (await client.get(wrong)).status_code == 404, wrong
    for bad in ("/media/1/x.png", f"/media/{2**40}/{'0' * 32}.png"):
        assert (await client.get(bad)).status_code == 422, bad
