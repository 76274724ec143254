"""Exports over real HTTP: whole lists of any length, and an error that the client sees."""

import asyncio
import csv
import hashlib
import io
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from html import unescape

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import func, select, text, update
from structlog.testing import capture_logs

from app.admin.export_rules import ExportName
from app.admin.keys import add_key
from app.admin.models import StaffSession
from app.admin.rules import Role, Scope
from app.base.actor import cli_actor
from app.base.audit import AuditValue
from app.base.ids import public_id
from app.messaging.models import Message
from tests.support.apps import api_app, whole_app
from tests.support.dashboard import browser_of, dashboard_app, sign_in_as
from tests.support.factories.rows import START, Rows

MANY = 2_600
"""More than two chunks."""
CHANGED = {
    "responses": "'survey_id', surveys.id",
    "referrers": "'customer_id', null, 'slug', 'slug-' || nth",
    "codes": "'code', 'MANY' || nth, 'active', false",
    "redemptions": "'order_id', orders.id, 'holds_use', false",
    "ledger_entries": "'transaction_key', 'many:' || nth",
}
"""By table: what is unique in each copy of a row."""


NUMBERED = {
    "responses": ("surveys", "cause_kind = 'occasion'"),
    "redemptions": ("orders", "external_id LIKE 'many-%'"),
}
"""By table: the copies of other rows, one of which each copy needs for itself."""


async def copy_rows(session, table: str, changed: str) -> None:
    """Add `MANY` copies of the table's first row, each with an id of its own."""
    source = f"generate_series(1, {MANY}) AS nth"
    if table in NUMBERED:
        other, condition = NUMBERED[table]
        numbered = f"SELECT id, row_number() OVER () AS place FROM {other} WHERE {condition}"
        source += f" JOIN ({numbered}) AS {other} ON {other}.place = nth"
    await session.execute(
        text(f"""
            INSERT INTO {table} SELECT made.* FROM {source},
            LATERAL (SELECT * FROM {table} ORDER BY id LIMIT 1) AS one,
            LATERAL jsonb_populate_record(
                one::{table}, jsonb_build_object('id', md5('{table}' || nth)::uuid, {changed})) AS made
        """)
    )


async def fill(session, brand, shop) -> None:
    """More than `MANY` rows of each list."""
    rows = Rows(session, brand, shop)
    happy = await rows.answer(10, comment="fine")
    await rows.redemption(await rows.code(happy.customer_id, happy.survey_id))
    await copy_rows(session, "orders", "'external_id', 'many-' || nth")
    occasion = "'cause_kind', 'occasion', 'cause_id', md5('occasion' || nth)::uuid, 'order_id', null"
    await copy_rows(session, "surveys", occasion)
    for table, changed in CHANGED.items():
        await copy_rows(session, table, changed)
    await session.commit()
    # As autovacuum does: without it the plans are those of an empty database.
    await session.execute(text("ANALYZE"))
    await session.commit()


@asynccontextmanager
async def served(app: FastAPI, key: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application on a port of this machine."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn offers no event to wait for
        await asyncio.sleep(0.01)
    base = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/api/v1"
    try:
        async with httpx2.AsyncClient(
            base_url=base, headers={"Authorization": f"Bearer {key}"}, timeout=60
        ) as client:
            yield client
    finally:
        server.should_exit = True
        await running


@pytest.fixture
async def client(context, session, brand, shop):
    await fill(session, brand, shop)
    async with context.sessions.begin() as own:
        key = await add_key(own, brand.id, [Scope.admin, Scope.pii], actor=cli_actor(brand.id))
    async with served(whole_app(context), key) as client:
        yield client


TABLES = {
    ExportName.responses: "responses",
    ExportName.referrers: "referrers",
    ExportName.codes: "codes",
    ExportName.redemptions: "redemptions",
    ExportName.ledger: "ledger_entries",
    ExportName.customers: "customers",
    ExportName.orders: "orders",
    ExportName.rewards: "rewards",
    ExportName.messages: "messages",
    ExportName.audit: "audit_entries",
}


@pytest.mark.slow
async def test_every_export_has_all_rows_once_and_one_that_breaks_off_is_an_error(client, session):
    for name, table in TABLES.items():
        stored = await session.scalar(text(f"SELECT count(*) FROM {table}"))
        answer = await client.get(f"/exports/{name}.csv?end=true")
        assert answer.status_code == 200, answer.text
        # The export itself is in the audit log.
        stored += name is ExportName.audit
        *ids, end = [
            row["id"] for row in csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
        ]
        last = answer.content.splitlines(keepends=True)[-1]
        digest = hashlib.sha256(answer.content.removesuffix(last)).hexdigest()
        assert last.decode().startswith(f"end,{stored},{digest}"), name
        assert (len(ids), len(set(ids)), end) == (stored, stored, "end"), name
        assert stored >= MANY or table not in CHANGED, name
        assert ids == sorted(ids), name
    # No row of the product's own has such a currency; the last one of the list cannot be shown.
    last = "SELECT id FROM redemptions ORDER BY id DESC LIMIT 1"
    await session.execute(text(f"UPDATE redemptions SET currency = '???' WHERE id = ({last})"))
    await session.commit()
    # Without settings of its own structlog prints every row of the page with the error.
    with capture_logs() as logs, pytest.raises(httpx2.RemoteProtocolError):
        await client.get("/exports/redemptions.csv")
    assert "a request failed" in [each["event"] for each in logs]
    broken, whole, *_ = (await client.get("/exports")).json()["data"]
    assert (broken["name"], broken["state"], broken["rows"]) == ("redemptions", "broken_off", MANY + 1)
    assert (whole["name"], whole["state"], whole["people"]) == ("audit", "whole", True)


async def test_json_lines_are_the_rows_of_the_list_and_end_with_their_number(context, brand, session, shop):
    rows = Rows(session, brand, shop)
    happy = await rows.answer(10, comment="=1+1")
    await rows.answer(3)
    await rows.redemption(await rows.code(happy.customer_id, happy.survey_id))
    await session.commit()
    async with context.sessions.begin() as own:
        key = await add_key(own, brand.id, [Scope.read], actor=cli_actor(brand.id))
    transport = httpx2.ASGITransport(app=api_app(context))
    headers = {"Authorization": f"Bearer {key}"}
    base = "http://test/api/v1"
    async with httpx2.AsyncClient(transport=transport, base_url=base, headers=headers) as reader:

        async def taken(address):
            answer = await reader.get(address)
            assert answer.status_code == 200, answer.text
            *lines, end = answer.text.splitlines(keepends=True)
            digest = hashlib.sha256("".join(lines).encode()).hexdigest()
            assert json.loads(end) == {"end": True, "rows": len(lines), "sha256": digest}
            return [json.loads(line) for line in lines]

        listed = (await reader.get("/responses")).json()["data"]
        assert await taken("/exports/responses.jsonl") == listed[::-1]
        assert await taken("/exports/responses.jsonl?band=promoter") == listed[1:]
        assert await taken("/exports/responses.jsonl?suspicion=suspected,left_out") == []
        assert await taken("/exports/responses.jsonl?testimonial=false") == listed[::-1]
        assert await taken(f"/exports/responses.jsonl?shop={shop.slug}&to=2020-01-01") == []
        (referrer,) = await taken("/exports/referrers.jsonl?span=2026&currency=EUR")
        assert (referrer["orders"], referrer["email"]) == (0, "a***@***")
        for address, found in {
            "codes.jsonl?kind=friend": 0,
            "codes.jsonl?kind=share": 1,
            "redemptions.jsonl?status=approved": 1,
            "redemptions.jsonl?reason=expired": 0,
            "orders.jsonl?status=paid": 3,
            f"messages.jsonl?template=offer&shop={shop.slug}": 1,
            "messages.jsonl?status=failed": 0,
            "ledger.jsonl?account=reward_cost": 1,
            f"rewards.jsonl?referrer={referrer['id']}": 1,
        }.items():
            assert len(await taken(f"/exports/{address}")) == found, address
        for address, code in {
            "codes.csv?status=active": "bad_filter",
            "codes.csv?kind=odd": "bad_filter",
            "responses.csv?suspicion=real,odd": "bad_filter",
            "messages.csv?template=odd": "bad_filter",
            "customers.csv?email=a@example.com": "missing_scope",
            "audit.csv": "missing_scope",
            "rewards.csv?referrer=cus_x": "not_found",
            "codes.csv?nonsense=1": "invalid",
        }.items():
            assert (await reader.get(f"/exports/{address}")).json()["code"] == code, address


async def test_the_screen_takes_lists_once_it_is_confirmed_who_takes_them(context, brand, session, shop):
    rows = Rows(session, brand, shop)
    await rows.answer(10)
    await session.commit()
    path = "/admin/settings/exports"
    async with browser_of(dashboard_app(context)) as client:
        await sign_in_as(client, context, brand, Role.support)
        page = (await client.get(path)).text
        assert "Nobody has taken a list yet." in page
        assert "/audit.csv" not in page
        assert (await client.get(f"{path}/audit.csv")).status_code == 403
        taken = await client.get(f"{path}/customers.csv?end=true&email=ana1@example.com&shop={shop.slug}")
        assert "ana1@example.com" in taken.text
        assert taken.text.splitlines()[-1].startswith("end,1,")
        page = (await client.get(path)).text
        assert "People, CSV" in page
        assert "email …" in page
        assert "ana1@example.com" not in page
        assert (await client.get(f"{path}/codes.csv?status=x")).status_code == 422
        changes = await session.scalar(
            select(AuditValue.after).where(AuditValue.field == "filters", AuditValue.brand_id == brand.id)
        )
        assert changes == {"email": "…"}
        await session.execute(update(StaffSession).values(confirmed_at=START - timedelta(days=1)))
        await session.commit()
        asked = await client.get(f"{path}/customers.csv")
        assert asked.status_code == 303
        assert "/confirm?next=%2Fadmin%2Fsettings%2Fexports" in asked.headers["location"]


async def test_the_links_of_a_list_take_what_it_shows(context, brand, session, shop):
    rows = Rows(session, brand, shop)
    happy = await rows.answer(10)
    await rows.answer(2, comment="Late")
    code = await rows.code(happy.customer_id, happy.survey_id)
    await rows.redemption(code)
    messages = await session.scalar(select(func.count()).select_from(Message))
    await session.commit()
    lists = {
        f"/admin/answers?state=all&band=detractor&to={START:%Y-%m-%d}": 1,
        f"/admin/answers?state=all&to={START - timedelta(days=1):%Y-%m-%d}": 0,
        "/admin/answers?state=testimonials": 0,
        "/admin/answers?state=suspects": 0,
        "/admin/referrers?order=newest&span=2026": 1,
        "/admin/codes?kind=share": 1,
        "/admin/codes?state=disabled": 0,
        f"/admin/orders?status=approved&shop={shop.slug}": 1,
        "/admin/orders?reason=expired": 0,
        "/admin/ledger?account=reward_cost&from=2026-03-01": 1,
        "/admin/settings/audit?action=signed_in": 1,
        "/admin/rewards": 1,
        f"/admin/rewards?q={public_id('ref', code.referrer_id)}": 1,
        "/admin/rewards?q=nobody": None,
        "/admin/programme/messages": messages,
        "/admin/programme/messages/offer": 1,
        "/admin/programme/messages/reward": 0,
    }
    async with browser_of(dashboard_app(context)) as client:
        await sign_in_as(client, context, brand)
        for path, count in lists.items():
            page = (await client.get(path)).text
            links = re.findall(r'href="(/admin/settings/exports/[^"]+)" download', page)
            assert len(links) == (0 if count is None else 2), path
            for link in links:
                taken = (await client.get(unescape(link))).text.splitlines()
                assert len(taken) == count + (2 if ".csv" in link else 1), link
        await sign_in_as(client, context, brand, Role.viewer)
        assert "/admin/settings/exports" not in (await client.get("/admin/codes")).text
