"""Synchronisation: what webhooks missed is read from the platform, once, wherever it breaks off."""

import copy
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, text, update

from app.base.actor import cli_actor
from app.base.errors import AppError, Fault, Outcome, OutsideError
from app.base.fence import raise_fence
from app.brands.add import add_shop
from app.brands.models import Shop
from app.brands.rules import Platform
from app.demo.fakes.shopify.server import FakeShopify
from app.demo.fakes.shopify.state import FakeBucket, FakeShop
from app.demo.fakes.woocommerce import orders as woo_orders
from app.demo.fakes.woocommerce import state as woo_state
from app.demo.fakes.woocommerce.server import FakeWooCommerce
from app.ingest import sync, sync_read, sync_sweep
from app.ingest.backfill_models import ShopSync
from app.ingest.models import Delivery
from app.ingest.process import process_waiting
from app.ingest.rules import DeliveryStatus
from app.ingest.store import NewDelivery, store_deliveries
from app.ingest.sync_rows import claim_due, claim_now, find_sync_problems
from app.insight.invariants import check
from app.orders.models import Order
from app.platforms.connections import save_connection
from app.platforms.models import ShopConnection
from app.referrals.models import Redemption
from app.referrals.rules import RedemptionStatus, RefusalReason
from app.surveys.models import Survey
from tests.support.constants import NOW
from tests.support.factories.referrals import make_referrer
from tests.support.factories.shops import calling_fakes
from tests.support.fake_shopify import client_credentials, page
from tests.support.fake_woocommerce import connection_of
from tests.support.samples import sample

LARGE = FakeBucket(maximum=1e9, rate=1e9, available=1e9)
CONNECTED = NOW - timedelta(days=30)


def body(number: int, changed: datetime = NOW - timedelta(hours=3), **changes: Any) -> dict[str, Any]:
    found = copy.deepcopy(sample("shopify", "order_paid"))
    found |= {"id": number, "name": f"#{number}", "currency": "EUR", "discount_codes": []}
    found |= {"created_at": changed.isoformat(), "processed_at": changed.isoformat()}
    found["customer"] |= {"id": number, "email": f"buyer{number}@example.com"}
    found["email"] = found["contact_email"] = f"buyer{number}@example.com"
    return found | {"updated_at": changed.isoformat()} | changes


def refunded(order: dict[str, Any], amount: str) -> dict[str, Any]:
    at = NOW.isoformat()
    money = {"kind": "refund", "status": "success", "amount": amount, "currency": "EUR"}
    refund = {"id": 77, "created_at": at, "processed_at": at, "transactions": [money]}
    return order | {"refunds": [refund], "financial_status": "partially_refunded", "updated_at": at}


@pytest.fixture
async def remote(context, brand) -> AsyncIterator[tuple[Any, Shop, FakeShop, FakeShopify]]:
    """A connected shop, and what it is at Shopify."""
    async with context.sessions.begin() as session:
        actor = cli_actor(brand.id)
        shop, _ = await add_shop(
            session, context.tokens, brand, "fern", name="Fern", actor=actor, platform=Platform.shopify
        )
    fake_shop = FakeShop("fern.myshopify.com", bucket=LARGE)
    async with FakeShopify(fake_shop) as fake:
        context = calling_fakes(context)
        async with context.sessions.begin() as session:
            connection = client_credentials(fake, fake_shop)
            await save_connection(
                session, context.tokens, brand.id, shop.id, connection, actor=actor, now=CONNECTED
            )
            await session.execute(update(ShopConnection).values(created_at=CONNECTED))
        yield context, shop, fake_shop, fake


async def run(context, shop, since: datetime | None, *, history=False, now=NOW) -> tuple[Any, int]:
    async with context.sessions.begin() as session:
        claimed, before = await claim_now(session, shop, since=since, history=history, now=now)
    done = await sync.sync_now(context, claimed, now=lambda: now)
    return done.counts, before


async def row_of(context) -> ShopSync:
    async with context.sessions() as session:
        return (await session.scalars(select(ShopSync))).one()


async def rows_of(context) -> dict[str, list]:
    found = {}
    async with context.sessions() as session:
        for table in ("orders", "order_facts", "surveys", "customers", "consent_facts"):
            rows = await session.execute(
                text(f"SELECT to_jsonb({table}) - 'created_at' FROM {table} ORDER BY 1")
            )
            found[table] = [row[0] for row in rows]
    return found


async def deliver(context, shop, topic: str, order: dict[str, Any]) -> None:
    async with context.sessions.begin() as session:
        raw = json.dumps(order).encode()
        new = NewDelivery(shop.brand_id, shop.id, "shopify", topic, f"{topic}{order['id']}", raw, NOW)
        await store_deliveries(session, [new])
    await process_waiting(context, shop.brand_id, now=NOW)


async def test_a_webhook_and_the_synchronisation_of_an_order_give_the_same_rows(remote):
    context, shop, fake_shop, _ = remote
    known = body(1)
    await deliver(context, shop, "orders/updated", known)
    before = await rows_of(context)
    fake_shop.orders += [known]
    counts, _ = await run(context, shop, NOW - timedelta(days=2))
    assert (counts.orders, counts.new, counts.known, counts.failed) == (1, 0, 1, 0)
    assert await rows_of(context) == before

    fake_shop.orders[0] = refunded(known, "12.00")
    fake_shop.orders += [body(2), body(3, financial_status="pending"), body(4, total_price="-1")]
    for _ in range(2):
        counts, _ = await run(context, shop, NOW - timedelta(days=2))
        await deliver(context, shop, "orders/updated", fake_shop.orders[0])
    assert (counts.orders, counts.new, counts.known, counts.failed) == (4, 0, 2, 1)
    async with context.sessions() as session:
        orders = {each.external_id: each for each in await session.scalars(select(Order))}
        failed = (
            await session.scalars(select(Delivery).where(Delivery.status == DeliveryStatus.failed))
        ).all()
        assert await check(session, context.tokens) == []
    assert {name: each.refunded for name, each in orders.items()} == {"1": 1200, "2": 0}
    assert [(each.topic, each.reason) for each in failed] == [
        ("orders/updated", "total_price must not be negative.")
    ]


async def test_a_woocommerce_shops_orders_come_with_the_part_of_a_refund_for_shipping(context, brand):
    async with context.sessions.begin() as session:
        actor = cli_actor(brand.id)
        shop, _ = await add_shop(
            session, context.tokens, brand, "oak", name="Oak", actor=actor, platform=Platform.woocommerce
        )
    woo_shop = woo_state.FakeShop("oak")
    buyer = woo_orders.FakeBuyer("ana@example.com")
    for number in (1, 2):
        at = NOW - timedelta(hours=number)
        woo_orders.place_order(woo_shop, buyer, Decimal(80), shipping=Decimal(5), number=number, at=at)
    woo_orders.refund_order(woo_shop, 1, Decimal(15), shipping=Decimal(5), at=NOW)
    async with FakeWooCommerce(woo_shop) as fake:
        context = calling_fakes(context)
        async with context.sessions.begin() as session:
            connection = connection_of(fake, woo_shop)
            await save_connection(
                session, context.tokens, brand.id, shop.id, connection, actor=actor, now=CONNECTED
            )
        counts, _ = await run(context, shop, NOW - timedelta(days=2))
        assert fake.violations == []
    assert (counts.orders, counts.new, counts.failed) == (2, 2, 0)
    async with context.sessions() as session:
        rows = await session.execute(
            select(Order.external_id, Order.refunded, Order.refunded_shipping).order_by(Order.external_id)
        )
        assert [tuple(row) for row in rows] == [("1", 1500, 500), ("2", 0, 0)]


async def test_with_history_unknown_orders_cause_nothing(remote):
    context, shop, fake_shop, _ = remote
    fake_shop.orders += [body(1, NOW - timedelta(days=300)), body(2)]
    counts, _ = await run(context, shop, NOW - timedelta(days=400), history=True)
    assert (counts.new, counts.known) == (2, 0)
    async with context.sessions() as session:
        assert (await session.scalars(select(Order.history))).all() == [True, True]
        assert set((await session.scalars(select(Survey.reason))).all()) == {"excluded"}


async def test_a_run_that_broke_off_goes_on_where_it_was_and_only_one_runs(remote, monkeypatch):
    context, shop, fake_shop, fake = remote
    fake_shop.orders += [body(number, NOW - timedelta(hours=3, seconds=-number)) for number in range(1, 36)]
    monkeypatch.setattr(sync_read, "BATCH", 10)
    calls = []

    async def fail_third(request):
        if request.path.endswith("graphql.json"):
            calls.append(1)
            if len(calls) == 3:
                return await page()(request)
        return None

    fake.intercept = fail_third
    since = NOW - timedelta(days=2)
    with pytest.raises(OutsideError, match="page instead of data"):
        await run(context, shop, since)
    row = await row_of(context)
    assert (row.orders, row.finished_at, row.leased_until) == (20, None, None)
    assert "page instead of data" in (row.problem or "")
    assert row.due_at == NOW + sync.OUTAGE
    async with context.sessions.begin() as session:
        await claim_now(session, shop, since=since, history=False, now=NOW)
    with pytest.raises(AppError, match="It has read 20 orders"):
        await run(context, shop, since)
    assert await sync_sweep.work_due(context, shop.brand_id, now=NOW + sync.OUTAGE) == 1
    row = await row_of(context)
    assert (row.orders, row.new, row.finished_at is not None) == (35, 35, True)
    assert len(calls) == 5
    async with context.sessions() as session:
        assert len((await session.scalars(select(Order.id))).all()) == 35


async def test_a_turn_that_is_over_leaves_the_run_for_the_next_one(remote, monkeypatch):
    context, shop, fake_shop, fake = remote
    fake_shop.orders += [body(number, NOW - timedelta(hours=3, seconds=-number)) for number in range(1, 26)]
    monkeypatch.setattr(sync_read, "BATCH", 10)
    monkeypatch.setattr(sync_sweep, "TURN_SECONDS", 0.0)
    calls = []

    async def count(request):
        if request.path.endswith("graphql.json"):
            calls.append(1)

    fake.intercept = count
    turns = []
    for _ in range(3):
        assert await sync_sweep.work_due(context, shop.brand_id, now=NOW) == 1
        row = await row_of(context)
        assert (row.leased_until, row.problem) == (None, None)
        turns.append((row.orders, len(calls), row.due_at == NOW, row.finished_at is not None))
    assert turns == [(10, 1, True, False), (20, 2, True, False), (25, 3, False, True)]


async def test_a_run_that_another_process_has_claimed_is_left_to_it(remote, monkeypatch):
    context, shop, fake_shop, fake = remote
    fake_shop.orders += [body(number) for number in range(1, 4)]
    later = NOW + timedelta(hours=1)

    async def claim(request):
        if request.path.endswith("graphql.json"):
            async with context.sessions.begin() as session:
                assert await claim_due(session, shop.brand_id, now=later) is not None

    fake.intercept = claim
    assert await sync_sweep.work_due(context, shop.brand_id, now=NOW) == 1
    row = await row_of(context)
    assert row.leased_until is not None
    assert row.leased_until > later
    assert (row.orders, row.cursor, row.problem) == (0, None, None)
    async with context.sessions() as session:
        assert (await session.scalars(select(Order.id))).all() == []


@pytest.mark.parametrize(
    ("fault", "retry_after", "wait"),
    [
        (Fault.busy, None, sync.BUSY),
        (Fault.busy, 9.0, sync.BUSY),
        (Fault.busy, 11.0, timedelta(seconds=11)),
        (Fault.outage, 11.0, sync.OUTAGE),
        (Fault.access, None, None),
        (Fault.request, None, None),
    ],
)
def test_a_platform_is_left_alone_as_long_as_it_needs(fault, retry_after, wait):
    error = OutsideError(Outcome.refused, "why", fault=fault, retry_after=retry_after)
    assert sync.pause_after(error) == wait


async def test_connected_shops_are_synchronised_each_night_back_to_the_last_run(remote):
    context, shop, fake_shop, _ = remote
    fake_shop.orders += [body(1, CONNECTED - timedelta(days=1)), body(2, NOW - timedelta(days=5)), body(3)]
    # Nothing has run since the shop was connected, so all since then is read, and nothing before.
    work = sync_sweep.sweep(context)
    assert list(await work.brands(NOW)) == [shop.brand_id]
    assert await work.work(shop.brand_id, NOW) == 1
    row = await row_of(context)
    assert (row.orders, row.since, row.problem) == (2, CONNECTED, None)
    assert NOW < row.due_at <= NOW + timedelta(days=1, hours=3)
    assert await work.work(shop.brand_id, NOW) == 0
    assert list(await work.brands(NOW)) == []
    night = row.due_at
    assert await work.work(shop.brand_id, night) == 1
    assert (await row_of(context)).since == min(night - timedelta(days=2), NOW - timedelta(hours=1))
    async with context.sessions.begin() as session:
        await raise_fence(session, "a copy")
    late = night + timedelta(days=2)
    assert await work.work(shop.brand_id, late) == 0, "a fenced copy of the database reads no shop"


async def test_a_shop_that_uninstalled_the_app_waits_for_the_next_night(remote):
    context, shop, fake_shop, _ = remote
    work = sync_sweep.sweep(context)
    fake_shop.is_installed = False
    await work.work(shop.brand_id, NOW)
    row = await row_of(context)
    assert "not installed" in (row.problem or "")
    async with context.sessions() as session:
        assert await find_sync_problems(session) == [("fern", row.problem)]
    assert row.due_at > NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("scopes", "reason"), [(set(), RefusalReason.existing_customer), ({"read_all_orders"}, None)]
)
async def test_who_ordered_before_what_shopify_shows_is_no_new_customer(remote, brand, scopes, reason):
    context, shop, fake_shop, _ = remote
    fake_shop.scopes = (fake_shop.scopes - {"read_all_orders"}) | scopes
    fake_shop.withholds_before = NOW - timedelta(days=60)
    code = await make_referrer(context, brand, shop, now=NOW - timedelta(days=5), email="ana@example.com")
    friend = body(2, discount_codes=[{"code": code.display, "amount": "6.00", "type": "percentage"}])
    # One more that waits for its payment: the shop shows it, and it is no earlier order.
    unpaid = body(3, financial_status="pending", customer=friend["customer"])
    await deliver(context, shop, "orders/paid", friend)

    async def redemption() -> tuple[RedemptionStatus, RefusalReason | None]:
        async with context.sessions() as session:
            found = (await session.scalars(select(Redemption))).one()
        return found.status, found.reason

    fake_shop.orders += [friend, unpaid]
    await run(context, shop, NOW - timedelta(days=2))
    assert await redemption() == (RedemptionStatus.pending, None)
    fake_shop.orders[:0] = [body(1, NOW - timedelta(days=200), customer=friend["customer"])]
    await run(context, shop, NOW - timedelta(days=2))
    status = RedemptionStatus.refused if reason else RedemptionStatus.pending
    assert await redemption() == (status, reason)
    # The next webhook does not say it, and does not take it back.
    await deliver(context, shop, "orders/updated", friend | {"updated_at": NOW.isoformat(), "tags": "x"})
    assert await redemption() == (status, reason)
