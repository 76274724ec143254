"""Settings, Import: a file is uploaded, read by the workers, and what it refused is shown."""

import json
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import func, select, update

from app.admin.keys import add_key
from app.admin.rules import Role, Scope
from app.base import clock
from app.base.actor import cli_actor
from app.base.ids import parse_public_id
from app.ingest import import_orders, import_parts, import_sweep
from app.ingest.backfill_models import OrderImport, OrderImportPart
from app.ingest.import_sweep import work_due
from app.orders.models import Order
from app.surveys.models import Survey
from tests.support.apps import api_app, whole_app
from tests.support.browser import serve
from tests.support.dashboard import browser_of, check_screen, dashboard_app, sign_in_as, signed_in_page
from tests.support.forms import form_token

IMPORT = "/admin/settings/import"


def lines(count: int) -> bytes:
    orders = [
        {
            "id": f"n{number}",
            "placed_at": "2026-01-02T10:00:00Z",
            "currency": "EUR" if number != 3 else "no",
            "total": "84.90",
            "customer": {"email": f"person{number}@example.com"},
        }
        for number in range(count)
    ]
    return "\n".join(json.dumps(each) for each in orders).encode()


async def send(client, shop, content: bytes, **fields: str):
    token = form_token((await client.get(IMPORT)).text)
    return await client.post(
        f"{IMPORT}/file",
        data={"csrf": token, "shop": shop.slug, "format": "", **fields},
        files={"file": ("orders.jsonl", content)} if content else None,
    )


async def api_of(context, brand, app_of=api_app) -> httpx2.AsyncClient:
    async with context.sessions.begin() as session:
        key = await add_key(session, brand.id, [Scope.admin], actor=cli_actor(brand.id))
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app_of(context)),
        base_url="http://test/api/v1",
        headers={"Authorization": f"Bearer {key}"},
    )


async def parts_of(context) -> int:
    async with context.sessions() as session:
        return await session.scalar(select(func.count()).select_from(OrderImportPart))


async def test_an_uploaded_file_is_read_in_turns_once_with_its_refusals(context, brand, shop, monkeypatch):
    monkeypatch.setattr(import_orders, "BATCH", 2)
    monkeypatch.setattr(import_sweep, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(import_parts, "PART_BYTES", 100)
    async with browser_of(dashboard_app(context)) as client:
        await sign_in_as(client, context, brand)
        assert (await send(client, shop, b"")).status_code == 422
        wrong = await send(client, shop, b"no,such\n1,2\n")
        assert (wrong.status_code, "no export of Shopify" in wrong.text) == (422, True)
        stale = await client.post(
            f"{IMPORT}/file", data={"csrf": "x", "shop": shop.slug}, files={"file": ("a", b"{}")}
        )
        assert stale.status_code == 403

        sent = await send(client, shop, lines(6), history="on")
        page = sent.headers["location"]
        assert await parts_of(context) > 5
        begins = await client.get(page)
        assert ("Begins" in begins.text, begins.headers["refresh"].endswith(page)) == (True, True)
        assert await work_due(context, brand.id, now=clock.now()) == 1
        half = await client.get(page)
        assert "% of the file is read" in half.text
        while await work_due(context, brand.id, now=clock.now()):
            pass
        done = await client.get(page)
        assert "refresh" not in done.headers
        assert "of 6 that were read" in done.text
        assert "currency cannot be used" in done.text
        assert "4,currency cannot be used" in (await client.get(f"{page}/refused.csv")).text
        assert await parts_of(context) == 0
        async with context.sessions() as session:
            assert await session.scalar(select(func.count()).where(Order.history)) == 5
            assert await session.scalar(select(func.count()).where(Survey.due_at.is_not(None))) == 0

        by_api = await api_of(context, brand)
        (listed,) = (await by_api.get("/imports")).json()["data"]
        assert page.endswith(listed["id"])
        assert (listed["shop"], listed["records"], listed["position"]) == (shop.slug, 6, listed["size"])
        assert (await by_api.get(f"/imports/{listed['id']}")).json() == listed
        refused = (await by_api.get(f"/imports/{listed['id']}/refusals")).json()["data"]
        assert [each["line"] for each in refused] == [4]

        again = await send(client, shop, lines(6), history="on")
        assert again.headers["location"] == page
        while await work_due(context, brand.id, now=clock.now()):
            pass
        assert "Known before" in (await client.get(page)).text
        async with context.sessions() as session:
            row = (await session.scalars(select(OrderImport))).one()
            assert (row.new, row.known, row.refused) == (0, 5, 1)


async def test_a_file_that_is_stopped_or_whose_worker_died_ends_or_goes_on(context, brand, shop, monkeypatch):
    monkeypatch.setattr(import_orders, "BATCH", 2)
    monkeypatch.setattr(import_sweep, "TURN_SECONDS", 0.0)
    async with browser_of(dashboard_app(context)) as client:
        await sign_in_as(client, context, brand)
        page = (await send(client, shop, lines(5))).headers["location"]
        assert await work_due(context, brand.id, now=clock.now()) == 1
        # A worker that died holds it until its lease ends.
        async with context.sessions.begin() as session:
            await session.execute(update(OrderImport).values(leased_until=clock.now() + import_sweep.LEASE))
        assert await work_due(context, brand.id, now=clock.now()) == 0
        taken = await send(client, shop, lines(5))
        assert (taken.status_code, "being read now" in taken.text) == (409, True)
        later = clock.now() + import_sweep.LEASE + timedelta(seconds=1)
        assert await work_due(context, brand.id, now=later) == 1
        token = form_token((await client.get(page)).text)
        assert (await client.post(f"{page}/stop", data={"csrf": token})).status_code == 303
        stopped = await client.get(page)
        assert ("Stopped" in stopped.text, "refresh" in stopped.headers) == (True, False)
        assert await work_due(context, brand.id, now=later) == 0
        assert await parts_of(context) == 0
        # Uploaded again it goes on where it was.
        assert (await send(client, shop, lines(5))).headers["location"] == page
        while await work_due(context, brand.id, now=later):
            pass
        async with context.sessions() as session:
            row = await session.get_one(OrderImport, (brand.id, parse_public_id("imp", page.rsplit("/")[-1])))
            assert (row.records, row.new, row.refused, row.problem) == (5, 4, 1, None)


async def test_only_the_upload_may_be_large_and_nobody_else_s_file_is_read(context, brand, shop):
    async with browser_of(whole_app(context)) as client:
        large = b"x" * (2 * 1024 * 1024)
        refused = await client.post("/admin/settings/keys/new", content=large)
        assert refused.status_code == 413
        await sign_in_as(client, context, brand, Role.marketer)
        token = form_token((await client.get("/admin/account")).text)
        sent = {"csrf": token, "shop": shop.slug, "format": ""}
        answer = await client.post(f"{IMPORT}/file", data=sent, files={"file": ("a", large)})
        assert answer.status_code == 403
    async with browser_of(whole_app(context)) as client:
        await sign_in_as(client, context, brand)
        answer = await send(client, shop, large)
        assert (answer.status_code, "no export of Shopify" in answer.text) == (422, True)


async def test_a_file_is_uploaded_by_the_api_as_the_body_of_one_request(context, brand, shop):
    async with await api_of(context, brand, whole_app) as client:
        large = lines(3) + b"\n" + json.dumps({"id": "n" * 1024 * 1024}).encode()
        sent = {"params": {"shop": shop.slug, "history": "true"}, "content": large}
        once = {**sent, "headers": {"Idempotency-Key": "k"}}
        taken = await client.post("/imports", **once)
        assert (taken.status_code, taken.json()["size"], taken.json()["notes"]) == (202, len(large), [])
        assert (await client.post("/imports", **once)).json() == taken.json()
        other = await client.post("/imports", **{**once, "content": lines(3)})
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        for wrong, refusal in (
            ({"content": b"no,such\n1,2\n"}, (422, "bad_file")),
            ({"content": b""}, (422, "bad_file")),
            ({"params": {"shop": shop.slug, "format": "shopify"}}, (422, "bad_file")),
            ({"params": {"shop": shop.slug, "format": "x"}}, (422, "invalid")),
            ({"params": {"shop": "another"}}, (404, "not_found")),
            ({"headers": {"Content-Length": str(2**30)}}, (413, "too_large")),
        ):
            answer = await client.post("/imports", **{**sent, **wrong})
            assert (answer.status_code, answer.json()["code"]) == refusal
        path = f"/imports/{taken.json()['id']}"
        stopped = (await client.post(f"{path}/stop")).json()
        assert (stopped["problem"], await parts_of(context)) == ("It was stopped.", 0)
        assert (await client.post(f"{path}/stop")).status_code == 404
        assert (await client.post("/imports", **sent)).json()["id"] == taken.json()["id"]
        while await work_due(context, brand.id, now=clock.now()):
            pass
        done = (await client.get(path)).json()
        assert (done["records"], done["new"], done["refused"], done["problem"]) == (4, 3, 1, None)


@pytest.mark.slow
async def test_the_screens_of_imports_fit_and_are_accessible(context, brand, shop, browser):
    async with serve(dashboard_app(context), browser) as site, signed_in_page(site, context, brand) as page:
        await page.goto(site.url + IMPORT)
        await page.set_input_files(
            "[name=file]", {"name": "o.jsonl", "mimeType": "text/plain", "buffer": lines(6)}
        )
        await page.click("text=Upload and import")
        await page.wait_for_url("**/imp_*")
        assert await work_due(context, brand.id, now=clock.now()) == 1
        await check_screen(page, page.url, "import")
        await check_screen(page, site.url + IMPORT, "imports")
