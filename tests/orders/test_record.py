"""Orders and what is reported about them: once each, in any order, also at the same time."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from uuid import UUID

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.brands.add import add_shop
from app.brands.models import Brand, Shop
from app.customers.identify import identify
from app.customers.person import Person
from app.orders.erase import erase_orders
from app.orders.export import export_orders
from app.orders.facts import record_facts
from app.orders.models import Order, OrderFact
from app.orders.record import record_orders
from app.orders.rules import OrderStatus
from app.platforms.events import (
    DisputeStatus,
    FactEvent,
    Item,
    OrderCancelled,
    OrderDelivered,
    OrderDisputed,
    OrderFulfilled,
    OrderPaid,
    OrderRefunded,
    ParcelCancelled,
    ParcelDelivered,
    ParcelSent,
)
from tests.support.constants import NOW

HOUR = timedelta(hours=1)
PAID = OrderPaid(
    order_id="1001",
    number="#1001",
    placed_at=NOW,
    currency="EUR",
    subtotal=8000,
    total=8000,
    discount_total=0,
    person=Person(email="ann@example.com", country="DE"),
    discount_codes=("ANA-7K4QX",),
    items=(Item("Teapot", 2, "tea", 4000),),
    shipping_address=("1 Main St", "Flat 3", "10115", "Berlin", "DE"),
    shipping_country="DE",
    payment_fingerprint="card_1",
    confirmation="P0HNKQN95",
    ordered_before=True,
)
_ROW = [
    Order.number,
    Order.subtotal,
    Order.total,
    Order.discount_total,
    Order.shipping_total,
    Order.discount_codes,
    Order.items,
    Order.country,
    Order.address_key,
    Order.payment_key,
    Order.confirmation_key,
    Order.ordered_before,
    Order.placed_at,
    Order.paid_at,
    Order.version_at,
    Order.stated_at,
]
FACTS: list[FactEvent] = [
    OrderFulfilled("1001", NOW + HOUR),
    OrderDelivered("1001", NOW + 2 * HOUR),
    OrderRefunded("1001", "r1", Decimal("30.00"), NOW + 3 * HOUR),
    OrderCancelled("1001", NOW + 4 * HOUR),
]


async def paid(
    context: AppContext, brand: Brand, shop: Shop, *orders: OrderPaid, customer_id: UUID | None = None
) -> list[UUID]:
    """The ids of orders, recorded in a transaction of its own."""
    async with context.sessions.begin() as session:
        recorded = await record_orders(
            session, context.tokens, brand, shop, [(order, customer_id) for order in orders]
        )
        return recorded.ids


async def reported(context: AppContext, brand: Brand, shop: Shop, *facts: FactEvent) -> list[UUID]:
    """The orders touched by facts, recorded in a transaction of its own."""
    async with context.sessions.begin() as session:
        return await record_facts(session, brand, shop, facts)


async def order_of(session: AsyncSession, external_id: str = "1001") -> Order:
    """The row as it is now."""
    newest = select(Order).where(Order.external_id == external_id).execution_options(populate_existing=True)
    return (await session.execute(newest)).scalar_one()


def state(order: Order) -> tuple[object, ...]:
    return (order.fulfilled_at, order.delivered_at, order.cancelled_at, order.refunded, order.status)


async def test_an_order_is_stored_as_it_was_reported(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    async with context.sessions.begin() as own:
        [ann] = await identify(own, brand, shop, [PAID.person], now=NOW)
    [order_id] = await paid(context, brand, shop, PAID, customer_id=ann)
    order = await order_of(session)
    assert (order.id, order.customer_id, order.total, order.currency, order.number) == (
        order_id,
        ann,
        8000,
        "EUR",
        "#1001",
    )
    assert order.discount_codes == ["ANA-7K4QX"]
    assert order.items == [{"sku": "tea", "title": "Teapot", "quantity": 2, "unit_price": 4000}]
    assert (order.placed_at, order.paid_at, order.country, order.test, order.history) == (
        NOW,
        NOW,
        "DE",
        False,
        False,
    )
    assert state(order) == (None, None, None, 0, OrderStatus.paid)


async def test_newest_version_of_an_order_counts_in_whatever_order_they_come(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    newer = replace(PAID, total=9000, number="#1001-B", version_at=NOW + HOUR)
    [first, again] = await paid(context, brand, shop, PAID, newer)
    [later] = await paid(context, brand, shop, replace(PAID, total=1))
    assert first == again == later
    order = await order_of(session)
    assert (order.total, order.number, order.version_at) == (9000, "#1001-B", NOW + HOUR)
    await paid(context, brand, shop, replace(PAID, total=7000, version_at=NOW + 2 * HOUR))
    assert (await order_of(session)).total == 7000


async def test_version_that_leaves_things_out_keeps_them_and_one_that_adds_them_fills_them_in(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    bare = replace(
        PAID,
        number="1001",
        subtotal=None,
        discount_total=None,
        person=Person(),
        discount_codes=(),
        items=(),
        shipping_address=(),
        shipping_country=None,
        payment_fingerprint=None,
        version_at=NOW + HOUR,
    )
    await paid(context, brand, shop, bare)
    order = await order_of(session)
    assert (order.number, order.subtotal, order.discount_total, order.address_key) == ("1001", 8000, 0, None)
    full = replace(PAID, subtotal=8500, discount_total=500, shipping_total=300)
    await paid(context, brand, shop, full)
    order = await order_of(session)
    assert (order.number, order.subtotal, order.discount_total, order.shipping_total) == (
        "#1001",
        8500,
        500,
        300,
    )
    assert (order.discount_codes, order.country) == (["ANA-7K4QX"], "DE")
    assert order.address_key is not None
    assert order.payment_key is not None
    filled = {column.key: getattr(order, column.key) for column in _ROW}
    await paid(context, brand, shop, replace(full, order_id="2"))
    await paid(context, brand, shop, replace(bare, order_id="2", number="2"))
    other = await order_of(session, "2")
    assert {column.key: getattr(other, column.key) for column in _ROW} == filled


async def test_removed_items_make_an_order_smaller_and_what_is_refunded_is_measured_by_that(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    await paid(context, brand, shop, PAID)
    await reported(context, brand, shop, OrderRefunded("1001", "r1", Decimal(30), NOW))
    assert (await order_of(session)).status is OrderStatus.paid
    await paid(context, brand, shop, replace(PAID, total=3000, version_at=NOW + HOUR))
    assert (await order_of(session)).status is OrderStatus.refunded
    await paid(context, brand, shop, replace(PAID, total=9000, version_at=NOW + 2 * HOUR))
    order = await order_of(session)
    assert (order.status, order.refunded) == (OrderStatus.paid, 3000)


async def test_order_that_the_shop_calls_refunded_is_refunded_wholly(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    await reported(context, brand, shop, OrderRefunded("1001", "r1", Decimal(30), NOW))
    await paid(context, brand, shop, replace(PAID, refunded_wholly=True))
    order = await order_of(session)
    assert (order.refunded, order.status) == (8000, OrderStatus.refunded)
    later = replace(PAID, refunded_wholly=True, total=9000, version_at=NOW + HOUR)
    await paid(context, brand, shop, later)
    assert (await order_of(session)).refunded == 9000


async def test_parcels_are_stored_and_folded_in_any_order(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    """Two pieces in two parcels, of which the first is cancelled and sent again."""
    events: list[FactEvent] = [
        ParcelSent("1001", "p1", NOW + HOUR, 1),
        ParcelSent("1001", "p2", NOW + 2 * HOUR, 1),
        ParcelCancelled("1001", "p1", NOW + 3 * HOUR),
        ParcelDelivered("1001", "p2", NOW + 4 * HOUR),
        ParcelSent("1001", "p3", NOW + 5 * HOUR, 1),
        ParcelDelivered("1001", "p3", NOW + 6 * HOUR),
    ]
    orders = list(permutations(events))[::36]
    for number, order in enumerate(orders):
        told = [replace(fact, order_id=str(number)) for fact in order]
        await reported(context, brand, shop, *told[:3])
        await paid(context, brand, shop, replace(PAID, order_id=str(number)))
        await reported(context, brand, shop, *told[3:])
        assert state(await order_of(session, str(number))) == (
            NOW + 5 * HOUR,
            NOW + 6 * HOUR,
            None,
            0,
            OrderStatus.delivered,
        )


async def test_refund_reported_twice_keeps_the_larger_amount_with_its_shipping(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    refunds = [
        OrderRefunded("1001", "r1", Decimal(amount), NOW, Decimal(shipping))
        for amount, shipping in ((20, 5), (30, 3), (30, 0))
    ]
    for number, order in enumerate(permutations(refunds)):
        await paid(context, brand, shop, replace(PAID, order_id=str(number), shipping_total=500))
        for refund in order:
            await reported(context, brand, shop, replace(refund, order_id=str(number)))
        row = await order_of(session, str(number))
        assert (row.refunded, row.refunded_shipping) == (3000, 300)


async def test_ids_are_returned_in_order_for_new_and_known_orders(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    orders = [replace(PAID, order_id=str(number)) for number in (5, 3, 9, 1)]
    known = await paid(context, brand, shop, *orders[1:3])
    ids = await paid(context, brand, shop, *orders, orders[0])
    assert ids[1:3] == known
    assert ids[0] == ids[4]
    for order, order_id in zip(orders, ids, strict=False):
        assert (await order_of(session, order.order_id)).id == order_id
    assert await paid(context, brand, shop) == []


async def test_one_id_in_two_shops_is_two_orders(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    async with context.sessions.begin() as own:
        second, _ = await add_shop(
            own, context.tokens, brand, "second", name="Second", actor=cli_actor(brand.id)
        )
    [here] = await paid(context, brand, shop, PAID)
    [there] = await paid(context, brand, second, PAID)
    assert here != there
    assert await reported(context, brand, second, FACTS[0]) == [there]
    row = (await session.execute(select(Order).where(Order.id == here))).scalar_one()
    assert row.status is OrderStatus.paid


async def test_orders_without_a_customer_tests_and_history_are_marked(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    await paid(context, brand, shop, replace(PAID, test=True, person=Person()))
    order = await order_of(session)
    assert (order.customer_id, order.test) == (None, True)
    async with context.sessions.begin() as own:
        old = replace(PAID, order_id="old")
        await record_orders(own, context.tokens, brand, shop, [(old, None)], history=True)
    assert (await order_of(session, "old")).history is True


async def test_address_and_payment_are_stored_as_keyed_hashes_only(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    respelled = replace(
        PAID, order_id="2", shipping_address=("1 MAIN ST.", "flat-3", "10115", "berlin", "de")
    )
    vague = replace(
        PAID,
        order_id="3",
        shipping_address=("1 Main St", "", "10115", "Berlin", "DE"),
        payment_fingerprint=None,
    )
    await paid(context, brand, shop, PAID, respelled, vague)
    first, second, third = [await order_of(session, each) for each in ("1001", "2", "3")]
    assert first.address_key == second.address_key is not None
    assert first.payment_key == second.payment_key is not None
    assert first.payment_key != first.address_key
    assert (third.address_key, third.payment_key) == (None, None)


async def test_text_that_cannot_be_stored_is_cleaned(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    odd = replace(
        PAID,
        order_id="x\x001",
        number="",
        tags=("a\x00b", "", "\ud800"),
        items=(Item("T\ud800ea\x00", 1),),
        source="w\x00eb" * 999,
    )
    await paid(context, brand, shop, odd)
    order = await order_of(session, "x 1")
    assert (order.number, order.tags, order.items[0]["title"]) == ("x 1", ["a b"], "Tea")


@pytest.mark.parametrize("place", range(5))
async def test_every_order_of_arrival_makes_the_same_row(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop, place: int
) -> None:
    """All 120 orders in which five things can arrive, each step in a transaction of its own;
    `place` is when the order comes."""
    arrivals = {
        str(number): [replace(fact, order_id=str(number)) for fact in facts]
        for number, facts in enumerate(permutations(FACTS))
    }
    for step in range(place):
        assert await reported(context, brand, shop, *(facts[step] for facts in arrivals.values())) == []
    ids = await paid(context, brand, shop, *(replace(PAID, order_id=key) for key in arrivals))
    for step in range(place, len(FACTS)):
        assert await reported(context, brand, shop, *(facts[step] for facts in arrivals.values())) == ids
    expected = (NOW + HOUR, NOW + 2 * HOUR, NOW + 4 * HOUR, 3000, OrderStatus.cancelled)
    assert {state(await order_of(session, key)) for key in arrivals} == {expected}


async def test_repeated_fact_changes_nothing(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    [order_id] = await paid(context, brand, shop, PAID)
    later = [replace(fact, at=fact.at + HOUR) for fact in FACTS]
    for _ in range(2):
        assert await reported(context, brand, shop, *later[:3], *FACTS[:3]) == [order_id]
        assert await reported(context, brand, shop, *later[:3]) == [order_id]
    assert state(await order_of(session)) == (NOW + HOUR, NOW + 2 * HOUR, None, 3000, OrderStatus.delivered)
    assert (await session.execute(select(func.count()).select_from(OrderFact))).scalar_one() == 3


@pytest.mark.parametrize("latest", [DisputeStatus.won, DisputeStatus.lost])
async def test_latest_word_about_a_dispute_is_stored_in_whatever_order_it_comes(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop, latest: DisputeStatus
) -> None:
    words = [
        OrderDisputed("1001", "d1", DisputeStatus.open, NOW + HOUR, Decimal(80)),
        OrderDisputed("1001", "d1", DisputeStatus.open, NOW + 2 * HOUR, Decimal(80)),
        OrderDisputed("1001", "d1", latest, NOW + 3 * HOUR),
        OrderDisputed("1001", "d1", DisputeStatus.won, NOW + 3 * HOUR),
    ]
    for number, order in enumerate(permutations(words)):
        external_id = str(number)
        told = [replace(word, order_id=external_id) for word in order]
        await reported(context, brand, shop, *told[:1])
        await paid(context, brand, shop, replace(PAID, order_id=external_id))
        for word in told[1:]:
            await reported(context, brand, shop, word)
        assert (await order_of(session, external_id)).dispute is latest
    facts = select(OrderFact.key, OrderFact.dispute, OrderFact.at, OrderFact.amount).distinct()
    assert (await session.execute(facts)).all() == [("d1", latest, NOW + 3 * HOUR, None)]


async def test_refunds_add_up_before_they_are_rounded(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    await reported(context, brand, shop, OrderRefunded("1001", "r1", Decimal("9.998"), NOW))
    await paid(context, brand, shop, PAID)
    await reported(context, brand, shop, OrderRefunded("1001", "r2", Decimal("0.006"), NOW))
    assert ((await order_of(session)).refunded, (await order_of(session)).status) == (1000, OrderStatus.paid)
    await reported(context, brand, shop, OrderRefunded("1001", "r3", Decimal(70), NOW))
    assert ((await order_of(session)).refunded, (await order_of(session)).status) == (
        8000,
        OrderStatus.refunded,
    )


async def test_refund_is_in_the_currency_of_its_order(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    for currency, minor in (("JPY", 12), ("KWD", 12345)):
        await reported(context, brand, shop, OrderRefunded(currency, "r1", Decimal("12.345"), NOW))
        await paid(context, brand, shop, replace(PAID, order_id=currency, currency=currency))
        assert (await order_of(session, currency)).refunded == minor


async def test_concurrent_order_and_facts_do_not_miss_each_other(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    for number in range(18):
        key = str(number)
        facts = [replace(fact, order_id=key) for fact in FACTS]
        arrivals = [
            paid(context, brand, shop, replace(PAID, order_id=key)),
            *(reported(context, brand, shop, fact) for fact in facts),
            paid(context, brand, shop, replace(PAID, order_id=key)),
        ]
        turn = number % len(arrivals)
        await asyncio.gather(*arrivals[turn:], *arrivals[:turn])
        expected = (NOW + HOUR, NOW + 2 * HOUR, NOW + 4 * HOUR, 3000, OrderStatus.cancelled)
        assert state(await order_of(session, key)) == expected


async def test_fact_waits_for_an_order_being_inserted(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    async with context.sessions.begin() as writing:
        [order_id] = (await record_orders(writing, context.tokens, brand, shop, [(PAID, None)])).ids
        report = asyncio.create_task(reported(context, brand, shop, FACTS[2]))
        await asyncio.sleep(0.3)
        assert not report.done()
    assert await report == [order_id]
    assert (await order_of(session)).refunded == 3000


async def test_order_waits_for_a_fact_being_recorded(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    async with context.sessions.begin() as reporting:
        assert await record_facts(reporting, brand, shop, [FACTS[2]]) == []
        order = asyncio.create_task(paid(context, brand, shop, PAID))
        await asyncio.sleep(0.3)
        assert not order.done()
    await order
    assert (await order_of(session)).refunded == 3000


async def test_a_rolled_back_report_leaves_nothing(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    async with context.sessions() as own:
        await record_facts(own, brand, shop, [FACTS[2]])
        await own.rollback()
    await paid(context, brand, shop, PAID)
    assert (await order_of(session)).refunded == 0


async def test_order_and_facts_in_one_transaction_see_each_other(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    async with context.sessions.begin() as own:
        [order_id] = (await record_orders(own, context.tokens, brand, shop, [(PAID, None)])).ids
        assert await record_facts(own, brand, shop, [*FACTS, OrderDelivered("unknown", NOW)]) == [order_id]
    assert (await order_of(session)).status is OrderStatus.cancelled


async def test_batches_in_opposite_order_do_not_deadlock(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    orders = [replace(PAID, order_id=f"o{number}") for number in range(60)]
    facts = [
        OrderRefunded(order.order_id, "r", Decimal(number + 1), NOW) for number, order in enumerate(orders)
    ]
    first, backwards, *_ = await asyncio.gather(
        paid(context, brand, shop, *orders),
        paid(context, brand, shop, *orders[::-1]),
        reported(context, brand, shop, *facts),
        reported(context, brand, shop, *facts[::-1]),
        reported(context, brand, shop, *facts[30:], *facts[:30]),
    )
    assert first == backwards[::-1]
    rows = await session.execute(select(Order.external_id, Order.refunded))
    assert {row.external_id: row.refunded for row in rows} == {
        f"o{number}": (number + 1) * 100 for number in range(60)
    }


async def test_five_hundred_orders_take_few_statements(context: AppContext, brand: Brand, shop: Shop) -> None:
    orders = [replace(PAID, order_id=str(number)) for number in range(500)]
    facts = [OrderDelivered(order.order_id, NOW) for order in orders]
    statements: list[str] = []
    event.listen(
        context.engine.sync_engine, "before_cursor_execute", lambda *given: statements.append(given[2])
    )
    assert len(set(await paid(context, brand, shop, *orders))) == 500
    assert len(statements) <= 4
    statements.clear()
    assert len(await reported(context, brand, shop, *facts)) == 500
    assert len(statements) <= 5


async def test_orders_are_exported_and_erased(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    async with context.sessions.begin() as own:
        [ann] = await identify(own, brand, shop, [PAID.person], now=NOW)
    assert ann is not None
    await paid(context, brand, shop, PAID, customer_id=ann)
    [order] = await export_orders(session, brand.id, ann)
    exported = order.model_dump()
    assert (exported["shop"], exported["total"], exported["status"]) == ("acme", "80.00", "paid")
    assert exported["items"] == [{"sku": "tea", "title": "Teapot", "quantity": 2, "unit_price": "40.00"}]
    async with context.sessions.begin() as own:
        await erase_orders(own, brand.id, [ann])
        await erase_orders(own, brand.id, [ann])
    await paid(context, brand, shop, PAID, customer_id=ann)
    order = await order_of(session)
    assert (order.address_key, order.payment_key, order.total) == (None, None, 8000)
    await paid(context, brand, shop, replace(PAID, version_at=NOW + HOUR), customer_id=ann)
    assert (await order_of(session)).address_key is not None
