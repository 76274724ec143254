"""Exports over real HTTP: whole lists of any length, and an error that the client sees."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import text
from structlog.testing import capture_logs

from app.admin.export import ExportName
from app.admin.keys import add_key
from app.admin.rules import Scope
from app.base.actor import cli_actor
from tests.support.apps import whole_app
from tests.support.factories.rows import Rows

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
        key = await add_key(own, brand.id, [Scope.read, Scope.pii], actor=cli_actor(brand.id))
    async with served(whole_app(context), key) as client:
        yield client


async def test_every_export_has_all_rows_once(client, session):
    for name, table in zip(ExportName, CHANGED, strict=True):
        answer = await client.get(f"/exports/{name}.csv")
        assert answer.status_code == 200
        ids = [
            row["id"] for row in csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
        ]
        stored = await session.scalar(text(f"SELECT count(*) FROM {table}"))
        assert (len(ids), len(set(ids))) == (stored, stored), name
        assert stored >= MANY, name
        assert ids == sorted(ids), name


async def test_an_export_that_breaks_off_is_an_error_to_the_client(client, session):
    # No row of the product's own has such a currency; the last one of the list cannot be shown.
    last = "SELECT id FROM redemptions ORDER BY id DESC LIMIT 1"
    await session.execute(text(f"UPDATE redemptions SET currency = '???' WHERE id = ({last})"))
    await session.commit()
    # Without settings of its own structlog prints every row of the page with the error.
    with capture_logs() as logs, pytest.raises(httpx2.RemoteProtocolError):
        await client.get("/exports/redemptions.csv")
    assert "a request failed" in [each["event"] for each in logs]
