"""Imports of files of orders: idempotent, resumed after a crash, and with `--history` silent."""

import asyncio
import dataclasses
import json
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from app.base.actor import cli_actor
from app.base.errors import AppError
from app.ingest import backfill, import_orders
from app.ingest.backfill_models import OrderImport
from app.ingest.erase import PersonToErase, erase_people
from app.ingest.order_file import FileRecord, open_order_file
from app.ingest.process import process_waiting
from app.ingest.store import NewDelivery, store_deliveries
from app.insight.invariants import check
from app.orders.models import Order
from app.surveys.models import Survey
from app.surveys.rules import SkipReason, SurveyStatus
from tests.support.constants import NOW
from tests.support.samples import SAMPLES

SHOPIFY = SAMPLES / "order_files" / "shopify.csv"


class Refusals:
    """Remembers what was refused."""

    def __init__(self) -> None:
        self.records: list[FileRecord] = []
        self.resumed: list[bool] = []

    def begin(self, *, resumed: bool) -> None:
        self.resumed.append(resumed)

    def add(self, record: FileRecord) -> None:
        self.records.append(record)


async def run(context, shop, path, *, history=False, refusals=None):
    return await import_orders.import_orders(
        context,
        shop,
        open_order_file(path),
        history=history,
        actor=cli_actor(shop.brand_id),
        now=NOW,
        refusals=refusals or Refusals(),
    )


def order(number: int, **changes: object) -> dict:
    data = {
        "id": str(number),
        "placed_at": (NOW - timedelta(days=400)).isoformat(),
        "currency": "EUR",
        "subtotal": "80.00",
        "total": "80.00",
        "customer": {"email": f"person{number}@example.com", "country": "FR"},
    }
    return data | changes


def write(tmp_path, *lines: object):
    path = tmp_path / "orders.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


async def deliver(context, shop, body: dict, external_id: str) -> None:
    async with context.sessions.begin() as session:
        new = NewDelivery(
            shop.brand_id, shop.id, "checkout", body["type"], external_id, json.dumps(body).encode(), NOW
        )
        await store_deliveries(session, [new])
    await process_waiting(context, shop.brand_id, now=NOW)


async def rows_of(context) -> dict[str, list]:
    """Everything that an import may write, without when it was written."""
    found = {}
    async with context.sessions() as session:
        for table in (
            "orders",
            "order_facts",
            "surveys",
            "customers",
            "consent_facts",
            "redemptions",
        ):
            rows = await session.execute(
                text(f"SELECT to_jsonb({table}) - 'created_at' FROM {table} ORDER BY 1")
            )
            found[table] = [row[0] for row in rows]
    return found


@pytest.mark.parametrize("is_raced", [False, True])
async def test_facts_that_a_file_brings_with_their_order_count_once(
    context, shop, tmp_path, monkeypatch, is_raced
):
    refund = {"order_id": "1", "refund_id": "r", "amount": "10.00", "at": NOW.isoformat()}
    path = write(tmp_path, order(1), order(2), {"type": "order.refunded", "data": refund})
    if is_raced:
        # Somebody records the order after the import has looked which ones are known.
        paid = {"type": "order.paid", "timestamp": NOW.isoformat(), "data": order(1)}
        await deliver(context, shop, paid, "evt_1")

        async def none_known(*_given):
            return {}

        monkeypatch.setattr(backfill, "_known_orders", none_known)
    await run(context, shop, path)
    async with context.sessions() as session:
        refunded = {each.external_id: each.refunded for each in await session.scalars(select(Order))}
        assert await check(session, context.tokens) == []
    assert refunded == {"1": 1000, "2": 0}


async def test_history_counts_and_causes_nothing_and_the_same_file_changes_nothing(context, shop):
    refusals = Refusals()
    done = await run(context, shop, SHOPIFY, history=True, refusals=refusals)
    assert (done.records, done.new, done.known, done.unpaid, done.refused) == (4, 2, 0, 1, 1)
    assert [each.line for each in refusals.records] == [7]
    async with context.sessions() as session:
        orders = {each.number: each for each in await session.scalars(select(Order))}
        surveys = (await session.scalars(select(Survey))).all()
    assert all(each.history for each in orders.values())
    assert (orders["#1001"].refunded, orders["#1001"].fulfilled_at is not None) == (1200, True)
    assert (orders["#1004"].refunded, orders["#1004"].cancelled_at is not None) == (1000, True)
    assert {each.status for each in surveys} == {SurveyStatus.skipped}
    assert {each.reason for each in surveys} <= {
        SkipReason.excluded,
        SkipReason.refunded,
        SkipReason.cancelled,
    }
    before = await rows_of(context)
    again = await run(context, shop, SHOPIFY, history=True)
    assert (again.records, again.new, again.known, again.resumed_after) == (4, 0, 2, 0)
    assert await rows_of(context) == before
    async with context.sessions() as session:
        assert await check(session, context.tokens) == []


async def test_an_order_that_a_webhook_brought_is_the_same_one_and_its_word_is_newer(context, shop, tmp_path):
    live = order(1, total="70.00", placed_at=(NOW - timedelta(days=20)).isoformat())
    await deliver(context, shop, {"type": "order.paid", "timestamp": NOW.isoformat(), "data": live}, "m1")
    refund = {"order_id": "1", "refund_id": "r1", "amount": "5.00", "at": NOW.isoformat()}
    await deliver(
        context, shop, {"type": "order.refunded", "timestamp": NOW.isoformat(), "data": refund}, "m2"
    )
    before = await rows_of(context)
    delivered = {"type": "order.delivered", "timestamp": NOW.isoformat(), "data": {"order_id": "1"}}
    path = write(tmp_path, live | {"total": "80.00"}, {"type": "order.refunded", "data": refund}, delivered)
    silent = await run(context, shop, path, history=True)
    assert (silent.new, silent.known) == (0, 1)
    # A fact that would start the clock of a live order's survey is none of history's.
    assert await rows_of(context) == before
    await run(context, shop, path)
    async with context.sessions() as session:
        (found,) = await session.scalars(select(Order))
    assert (found.total, found.refunded, found.history) == (7000, 500, False)
    assert found.delivered_at is not None


async def test_without_history_orders_are_as_if_their_webhooks_came_late(context, shop, tmp_path):
    path = write(tmp_path, order(1), order(2, placed_at=NOW.isoformat()))
    done = await run(context, shop, path)
    assert (done.new, done.known) == (2, 0)
    async with context.sessions() as session:
        rows = await session.execute(
            select(Order.external_id, Order.history, Survey.status, Survey.reason)
            .join(Survey, Survey.order_id == Order.id)
            .order_by(Order.external_id)
        )
        assert [tuple(row) for row in rows] == [
            ("1", False, SurveyStatus.skipped, SkipReason.too_late),
            ("2", False, SurveyStatus.planned, None),
        ]


async def test_an_import_that_broke_off_goes_on_where_it_was(context, shop, tmp_path, monkeypatch):
    bad = order(3) | {"total": "much"}
    path = write(tmp_path, order(1), order(2), bad, order(4), order(5))
    monkeypatch.setattr(import_orders, "BATCH", 2)
    whole, batches = backfill.record_backfill, []

    async def breaks_off(*args, **named):
        batches.append(len(args[4]))
        if len(batches) == 2:
            raise KeyboardInterrupt
        return await whole(*args, **named)

    monkeypatch.setattr(import_orders, "record_backfill", breaks_off)
    with pytest.raises(KeyboardInterrupt):
        await run(context, shop, path, history=True)
    refusals = Refusals()
    done = await run(context, shop, path, history=True, refusals=refusals)
    assert (done.resumed_after, done.records, done.new, done.refused) == (2, 5, 4, 1)
    assert refusals.resumed == [True]
    assert [each.line for each in refusals.records] == [3]
    assert batches == [2, 1, 1, 1]
    async with context.sessions() as session:
        assert (await session.scalars(select(OrderImport.finished_at))).one() is not None


async def test_an_old_order_does_not_bring_an_erased_person_back(context, brand, shop, tmp_path):
    await run(context, shop, write(tmp_path, order(1)), history=True)
    async with context.sessions.begin() as session:
        customer_id = await session.scalar(select(Order.customer_id))
        person = PersonToErase(frozenset({customer_id}))
        shops = {shop.id: shop}
        await erase_people(
            session, context.tokens, brand, shops, [person], actor=cli_actor(brand.id), now=NOW
        )
    again = order(2, customer={"email": "person1@example.com"})
    later = order(
        3, customer={"email": "person1@example.com"}, placed_at=(NOW + timedelta(days=1)).isoformat()
    )
    await run(context, shop, write(tmp_path, again, later), history=True)
    async with context.sessions() as session:
        rows = await session.execute(text("SELECT email FROM customers WHERE email LIKE 'person1@%'"))
        assert len(rows.all()) == 1
        owners = dict((await session.execute(select(Order.external_id, Order.customer_id))).all())
    assert owners["2"] == customer_id
    assert owners["3"] not in (None, customer_id)


async def test_two_processes_do_not_import_one_file_at_once_and_locked_rows_are_waited_for(
    context, shop, tmp_path, monkeypatch
):
    monkeypatch.setattr(import_orders, "BATCH", 2)
    monkeypatch.setattr(import_orders, "LOCKED_SECONDS", 0.05)
    path = write(tmp_path, *(order(number) for number in range(1, 8)))
    ends = await asyncio.gather(
        *(run(context, shop, path, history=True) for _ in range(2)), return_exceptions=True
    )
    (refused,) = (each for each in ends if isinstance(each, AppError))
    assert "Another process imports this file now." in refused.detail
    (done,) = (each for each in ends if not isinstance(each, BaseException))
    assert (done.records, done.new + done.known) == (7, 7)

    whole, calls = import_orders.record_backfill, []

    async def locked_at_first(*args, **named):
        found = await whole(*args, **named)
        calls.append(found)
        return dataclasses.replace(found, done=frozenset()) if len(calls) == 1 else found

    monkeypatch.setattr(import_orders, "record_backfill", locked_at_first)
    again = await run(context, shop, write(tmp_path, order(8), order(9)), history=True)
    assert (len(calls), again.records, again.new) == (2, 2, 2)
