"""What is decided before a body is read, and by what a browser is signed in."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx2
import pytest
from fastapi.routing import APIRoute

from app.admin.api import PARTS
from app.admin.api.route import ApiRoute
from app.admin.keys import add_key
from app.admin.links import make_login_link
from app.admin.rules import Role, Scope
from app.admin.staff import add_staff
from app.base import clock
from app.base.actor import cli_actor
from app.base.config import EmailProvider, Environment
from app.base.context import AppContext
from app.base.due import sweep_once
from app.brands.add import add_brand
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.messaging.providers.outbox.client import Outbox
from app.messaging.send_sweeps import sweep
from tests.support.apps import whole_app
from tests.support.constants import NOW
from tests.support.factories.messages import queue
from tests.support.forms import send_form

NEAR, FAR = ("127.0.0.1", 1000), ("203.0.113.9", 1000)


def browser(
    context: AppContext, *, host: str = "127.0.0.1", peer: tuple[str, int] = NEAR, **settings: object
):
    """A browser of an installation with these settings."""
    changed = replace(context, settings=context.settings.model_copy(update=settings))
    app = whole_app(changed)
    scheme = "https" if str(settings.get("public_url", "")).startswith("https") else "http"
    transport = httpx2.ASGITransport(app=app, client=peer)
    return httpx2.AsyncClient(transport=transport, base_url=f"{scheme}://{host}")


async def sign_in(
    client: httpx2.AsyncClient, context: AppContext, brand: Brand, role: Role
) -> httpx2.Response:
    email = f"{role}@{brand.slug}.example"
    async with context.sessions.begin() as session:
        await add_staff(session, brand.id, email, role, actor=cli_actor(brand.id))
        link = await make_login_link(session, context, email, now=clock.now())
    return await client.post("/admin/login/" + link.rsplit("/", 1)[1])


@pytest.fixture
async def api(context: AppContext, brand: Brand) -> AsyncIterator[httpx2.AsyncClient]:
    async with context.sessions.begin() as session:
        key = await add_key(session, brand.id, list(Scope), actor=cli_actor(brand.id))
    async with browser(context) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        yield client


async def test_every_route_of_the_api_knows_the_caller_before_it_reads_the_body(context):
    found = [route for part in PARTS for route in part.router.routes if isinstance(route, APIRoute)]
    assert len(found) > 20
    async with browser(context) as client:
        for route in found:
            assert isinstance(route, ApiRoute)
            method = min(route.methods)
            path = "/api/v1" + route.path.replace("{", "").replace("}", "")
            answer = await client.request(
                method, path, content=b'{"not": "json', headers={"content-type": "application/json"}
            )
            assert (method, path, answer.status_code) == (method, path, 401)
            assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer tf_", "Basic dGY6", "Bearer tf_" + "A" * 5000, "bearer \u00e4"]
)
async def test_what_is_no_key_is_401(context, shown):
    async with browser(context) as client:
        answer = await client.get("/api/v1/brand", headers={"Authorization": shown.encode("latin-1")})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    ("method", "path", "body", "where"),
    [
        ("PATCH", "/api/v1/brand", b'{"name": "a\\u0000b"}', "body.name"),
        ("PATCH", "/api/v1/brand", b'{"name": "\\ud800"}', "body.name"),
        ("PATCH", "/api/v1/brand", b'{"name": "\xed\xa0\x80"}', "body.name"),
        ("PATCH", "/api/v1/brand", b'{"\\ud800": 1}', "body"),
        ("PATCH", "/api/v1/brand", b'{"countries": {"DE\\u0000": {}}}', "body.countries"),
        (
            "PUT",
            "/api/v1/programme",
            b'{"survey": {"exclude": {"tags": ["ok", "\\uDFFF"]}}}',
            "body.survey.exclude.tags[1]",
        ),
        ("POST", "/api/v1/codes/validate", b'{"code": "A\\u0000", "order": {}}', "body.code"),
        ("POST", "/api/v1/codes/redeem", b'{"code": "A", "order": {"id": "\\ud83d"}}', "body.order.id"),
    ],
)
async def test_text_that_cannot_be_stored_is_422_and_its_place_is_named(api, method, path, body, where):
    answer = await api.request(method, path, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert where in answer.json()["detail"]


async def test_an_emoji_and_an_escaped_backslash_are_ordinary_text(api):
    answer = await api.patch(
        "/api/v1/brand",
        content=b'{"name": "Acme \\ud83d\\ude00 \\\\u0000"}',
        headers={"content-type": "application/json"},
    )
    assert (answer.status_code, answer.json()["name"]) == (200, "Acme \U0001f600 \\u0000")


@pytest.mark.parametrize(
    "number", [b"9" * 5000, b"1e999", b"NaN", b"-Infinity", b'"1e999999999"', b'"' + b"1" * 5000 + b'"']
)
async def test_an_absurd_number_is_a_refusal_and_no_failure(api, number):
    for path, body in (
        ("/api/v1/programme", b'{"reward": {"value": %s}}' % number),
        ("/api/v1/programme", b'{"survey": {"delay_hours": %s}}' % number),
    ):
        answer = await api.put(path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code in {400, 422}
        assert len(answer.content) < 600


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "/shop",
        "//shop.example",
        "shop.example",
        "https://",
        "https:///x",
        "ftp://shop.example",
        "data:text/html,x",
        "https://a@shop.example",
        'https://shop.example/"><script>',
        "https://shop.example:x",
        "https://shop\\.example",
        " https://shop.example",
    ],
)
async def test_a_shop_has_a_web_address_or_none(api, shop: Shop, url):
    answer = await api.patch(f"/api/v1/shops/{shop.slug}", json={"url": url})
    assert answer.status_code == 422, answer.text


async def test_a_cookie_over_https_is_this_hosts_alone_and_ends_with_the_session(context, brand):
    async with browser(context, host="nps.example", peer=FAR, public_url="https://nps.example") as client:
        cookie = (await sign_in(client, context, brand, Role.admin)).headers["set-cookie"]
        assert cookie.startswith("__Host-tenfold_session=")
        assert {part.strip().lower() for part in cookie.split(";")[1:]} >= {
            "secure",
            "httponly",
            "path=/",
            "samesite=lax",
        }
        assert "domain" not in cookie.lower()
        assert (await client.get("/admin")).status_code == 200
        left = (await send_form(client, "/admin", "/admin/logout")).headers["set-cookie"]
        assert left.startswith('__Host-tenfold_session=""')
        assert {"secure", "path=/"} <= {part.strip().lower() for part in left.split(";")[1:]}
        assert (await client.get("/admin")).status_code == 401


async def test_a_cookie_without_the_prefix_signs_nobody_in_over_https(context, brand):
    async with browser(context, public_url="https://nps.example") as client:
        value = (
            (await sign_in(client, context, brand, Role.admin))
            .headers["set-cookie"]
            .split("=")[1]
            .split(";")[0]
        )
    async with browser(context, public_url="https://nps.example") as client:
        answer = await client.get("/admin", headers={"Cookie": f"tenfold_session={value}"})
        assert answer.status_code == 401


@pytest.mark.parametrize(
    "path",
    ["/", "/admin/", "/outbox/", "/healthz/", "/api/v1/brand/", "//evil.example/", "/admin//", "/static"],
)
async def test_no_redirect_leads_to_the_host_that_the_caller_named(context, path):
    async with browser(context, host="evil.example") as client:
        answer = await client.get(path)
        assert "evil" not in answer.headers.get("location", "")
        assert answer.headers.get("location", "/admin") == "/admin"


@pytest.fixture
async def written(context: AppContext, brand: Brand, shop: Shop) -> None:
    """A message of brand `acme` in the outbox."""
    await queue(context, brand, shop, 1)
    await sweep_once(sweep(context, {channel: Outbox(context) for channel in Channel}), NOW)


async def item_of(client: httpx2.AsyncClient) -> str:
    page = await client.get("/outbox")
    assert page.status_code == 200
    return "/outbox/att_" + page.text.split("/outbox/att_")[1].split('"')[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "localhost:8000"])
async def test_this_machine_reads_the_outbox_in_development(context, written, host):
    async with browser(context, host=host) as client:
        for part in ("", "/html"):
            assert (await client.get(await item_of(client) + part)).status_code == 200


@pytest.mark.parametrize(
    ("host", "peer", "headers"),
    [
        ("nps.example", FAR, {}),
        ("127.0.0.1", FAR, {}),
        ("nps.example", NEAR, {}),
        ("127.0.0.1", NEAR, {"X-Forwarded-For": "203.0.113.9"}),
        ("127.0.0.1", NEAR, {"Host": "[::1"}),
        ("127.0.0.1", NEAR, {"Host": "127.0.0.1.evil.example"}),
    ],
)
async def test_everybody_else_signs_in_to_read_the_outbox(context, written, host, peer, headers):
    async with browser(context) as client:
        item = await item_of(client)
    async with browser(context, host=host, peer=peer) as client:
        for path in ("/outbox", item, f"{item}/html"):
            assert (await client.get(path, headers=headers)).status_code == 401


async def test_staff_reads_its_own_brands_outbox_alone_and_only_who_may_see_people(context, brand, written):
    async with context.sessions.begin() as session:
        other = await add_brand(session, "other", name="Other")
    production = {"env": Environment.production, "public_url": "https://nps.example", "host": "nps.example"}
    async with browser(context) as client:
        item = await item_of(client)
    wanted = (
        (brand, Role.support, 200, 200),
        (other, Role.marketer, 200, 404),
        (brand, Role.viewer, 403, 403),
    )
    for owner, role, listed, shown in wanted:
        async with browser(context, peer=FAR, **production) as client:
            assert (await client.get("/outbox")).status_code == 401
            await sign_in(client, context, owner, role)
            page = await client.get("/outbox")
            assert page.status_code == listed
            assert ("/outbox/att_" in page.text) == (shown == 200)
            for path in (item, f"{item}/html"):
                assert (await client.get(path)).status_code == shown


async def test_production_with_a_real_provider_has_no_outbox(context, brand, written):
    settings = {
        "env": Environment.production,
        "public_url": "https://nps.example",
        "email_provider": EmailProvider.sendgrid,
    }
    async with browser(context) as client:
        item = await item_of(client)
    async with browser(context, **settings) as client:
        await sign_in(client, context, brand, Role.marketer)
        assert (await client.get("/admin")).status_code == 200
        for path in ("/outbox", item, f"{item}/html"):
            assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize("body", [b"\xff\xfe{", b"[" * 100_000], ids=["no UTF-8", "too deep"])
async def test_a_body_that_is_no_json_is_told_so(api: httpx2.AsyncClient, body: bytes) -> None:
    response = await api.post("/api/v1/keys", content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (422, "invalid")
    assert "as JSON" in response.json()["detail"]


async def test_what_is_allowed_is_told_of_the_path_and_no_other(api: httpx2.AsyncClient) -> None:
    allowed = {
        path: (await api.options(f"/api/v1{path}")).headers["Allow"]
        for path in ("/keys", "/brand", "/messages/resend", "/staff/invitations")
    }
    assert allowed == {
        "/keys": "GET, POST",
        "/brand": "GET, PATCH",
        "/messages/resend": "POST",
        "/staff/invitations": "POST",
    }
