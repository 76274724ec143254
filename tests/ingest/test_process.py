import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import event as sa_event
from sqlalchemy import func, select, text

from app.base import due
from app.brands.add import add_brand, add_shop
from app.customers.contact import Person
from app.customers.identify import identify
from app.customers.models import Customer, CustomerReference, Suppression
from app.ingest import process
from app.ingest.models import Delivery
from app.ingest.rules import NOTHING_USED, DeliveryStatus
from app.ingest.store import NewDelivery, replay, store_deliveries
from app.orders.models import Order
from app.orders.rules import OrderStatus
from app.platforms.registry import PARSERS
from app.referrals.issue import NewReferrer, issue_offers
from app.referrals.models import Code, Redemption
from app.surveys.models import Survey
from app.surveys.rules import SurveyStatus
from tests.support.constants import NOW


def order(number: object, **changes: object) -> dict:
    customer = {
        "id": f"c{number}",
        "email": f"person{number}@example.com",
        "first_name": "Ann",
        "country": "NL",
    }
    data = {
        "id": str(number),
        "currency": "EUR",
        "subtotal": "80.00",
        "total": "80.00",
        "placed_at": NOW.isoformat(),
        "customer": customer,
    }
    return data | changes


def paid(number: object, **changes: object) -> dict:
    return {"type": "order.paid", "timestamp": NOW.isoformat(), "data": order(number, **changes)}


def fact(kind: str, number: object, **more: object) -> dict:
    return {
        "type": f"order.{kind}",
        "timestamp": NOW.isoformat(),
        "data": {"order_id": str(number), "at": NOW.isoformat()} | more,
    }


async def deliver(context, shop, *bodies: dict | bytes) -> None:
    """Deliveries that arrived one after the other."""
    for body in bodies:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        deliver.number += 1
        async with context.sessions.begin() as session:
            await store_deliveries(
                session,
                [NewDelivery(shop.brand_id, shop.id, "checkout", "t", f"d{deliver.number}", raw, NOW)],
            )


deliver.number = 0


async def run(context, now=NOW) -> int:
    return await due.sweep_once(process.sweep(context), now)


async def rows(context, table, *where):
    async with context.sessions() as session:
        return list(await session.scalars(select(table).where(*where).order_by(table.id)))


async def events(context) -> list[Delivery]:
    async with context.sessions() as session:
        return list(await session.scalars(select(Delivery).order_by(Delivery.sequence)))


async def count(context, table) -> int:
    async with context.sessions() as session:
        return await session.scalar(select(func.count()).select_from(table))


async def code_of(context, brand, shop, name: str = "referrer") -> str:
    """The code of somebody who has recommended us."""
    async with context.sessions.begin() as session:
        (customer,) = await identify(
            session, brand, shop, [Person(email=f"{name}@example.com", first_name="Rea")], now=NOW
        )
        await issue_offers(
            session,
            context.tokens,
            brand,
            [NewReferrer(customer, shop.id, None)],
            now=NOW - timedelta(days=1),
        )
        return await session.scalar(select(Code.code).where(Code.customer_id == customer))


async def test_a_paid_order_becomes_a_customer_an_order_and_a_survey(context, shop):
    await deliver(context, shop, paid(1))
    assert await run(context) == 1
    (event,) = await events(context)
    assert (event.status, event.reason, event.processed_at) == (DeliveryStatus.processed, None, NOW)
    (customer,) = await rows(context, Customer)
    assert customer.email == "person1@example.com"
    (made,) = await rows(context, Order)
    assert (made.external_id, made.total, made.customer_id) == ("1", 8000, customer.id)
    (survey,) = await rows(context, Survey)
    assert survey.status is SurveyStatus.planned
    assert await run(context) == 0


async def test_what_is_reported_before_its_order_is_folded_in(context, shop):
    await deliver(context, shop, fact("delivered", 1), fact("refunded", 1, refund_id="r", amount="80.00"))
    assert await run(context) == 2
    await deliver(context, shop, paid(1))
    await run(context)
    (made,) = await rows(context, Order)
    assert (made.refunded, made.status) == (8000, OrderStatus.refunded)
    assert {event.status for event in await events(context)} == {DeliveryStatus.processed}


async def test_a_fact_beside_its_order_in_one_batch_counts(context, shop):
    await deliver(
        context, shop, fact("fulfilled", 1), paid(1), fact("delivered", 1), paid(2), fact("cancelled", 2)
    )
    await run(context)
    states = {made.external_id: made.status for made in await rows(context, Order)}
    assert states == {"1": OrderStatus.delivered, "2": OrderStatus.cancelled}


async def test_an_order_told_several_times_is_one_order(context, shop, brand):
    code = await code_of(context, brand, shop)
    await deliver(context, shop, paid(1, discount_codes=[code]), paid(1, discount_codes=[code]))
    await run(context)
    await deliver(context, shop, paid(1, discount_codes=[code]))
    await run(context)
    assert [await count(context, table) for table in (Order, Survey, Redemption)] == [1, 1, 1]


async def test_an_order_with_nobody_in_it_is_kept(context, shop):
    await deliver(
        context, shop, paid(1, customer=None), paid(2, customer={"email": "no address", "phone": "12"})
    )
    await run(context)
    assert await count(context, Order) == 2
    assert {survey.reason.value for survey in await rows(context, Survey)} == {"no_address"}


# Bad input


async def test_bad_deliveries_say_why_and_delay_nobody(context, shop):
    bad = [
        b"", b"{", b"\xff", b"[" * 50_000, b'{"type":"order.paid","data":{"id":NaN}}', json.dumps(paid(2, currency="XXQ")).encode(),
        json.dumps(paid(3, total="-1.00")).encode(), json.dumps(paid(4, total="1.005")).encode(), json.dumps(paid("a\0b")).encode(),
        json.dumps(paid("a\ud800")).encode(),
    ]  # fmt: skip
    odd = paid(
        5,
        customer={
            "id": "5",
            "email": "five@example.com",
            "first_name": "Zoë 👩‍👩‍👧\0\ud800",
            "last_name": "\u202bعبد الله",
            "country": "XX",
        },
    )
    await deliver(context, shop, *bad[:5], paid(1), *bad[5:], odd)
    assert await run(context) == 12
    by_status: dict = {}
    for event in await events(context):
        by_status.setdefault(event.status, []).append(event)
    assert len(by_status[DeliveryStatus.failed]) == len(bad)
    assert all(event.reason and event.reason.endswith(".") for event in by_status[DeliveryStatus.failed])
    assert {made.external_id for made in await rows(context, Order)} == {"1", "5"}
    assert "عبد الله" in {
        customer.last_name.strip("\u202b") for customer in await rows(context, Customer) if customer.last_name
    }


async def test_a_topic_we_do_not_use_is_ignored(context, shop):
    await deliver(context, shop, {"type": "cart.abandoned", "data": {}})
    assert await run(context) == 1
    (event,) = await events(context)
    assert (event.status, event.reason) == (DeliveryStatus.ignored, NOTHING_USED)


async def poison(context, *, errcode: str = "22000", only: str = "TRUE") -> None:
    """From now on the database breaks on orders named poison…."""
    body = f"IF NEW.external_id LIKE 'poison%' AND {only} THEN RAISE EXCEPTION 'person@example.com' USING ERRCODE = '{errcode}'; END IF;"
    async with context.sessions.begin() as session:
        await session.execute(
            text(
                f"CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$"
            )
        )
        await session.execute(
            text("CREATE TRIGGER spoil BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION spoil()")
        )


async def test_one_that_breaks_us_stands_alone_and_can_be_replayed(context, shop):
    await poison(context)
    bodies = [paid(number) for number in range(40)]
    bodies[7], bodies[30] = paid("poison1"), paid("poison2")
    await deliver(context, shop, *bodies)
    assert await run(context) == 40
    found = await events(context)
    assert [event.status for event in found].count(DeliveryStatus.processed) == 38
    failed = [event for event in found if event.status is DeliveryStatus.failed]
    assert [found.index(event) for event in failed] == [7, 30]
    assert "@" not in failed[0].reason
    assert failed[0].reason.endswith(".")
    assert await count(context, Order) == 38
    assert await count(context, Survey) == 38
    assert await count(context, Customer) == 38

    async with context.sessions.begin() as session:
        await session.execute(text("DROP TRIGGER spoil ON orders"))
        for event in failed:
            await replay(session, shop.brand_id, event.id)
    assert await run(context) == 2
    assert {event.status for event in await events(context)} == {DeliveryStatus.processed}
    assert await count(context, Order) == 40


async def test_a_deadlock_is_nobodys_fault_and_tried_again(context, shop):
    async with context.sessions.begin() as session:
        await session.execute(text("CREATE SEQUENCE tries"))
    await poison(context, errcode="40P01", only="nextval('tries') < 3")
    await deliver(context, shop, paid("poison"), paid(1))
    assert await run(context) == 2
    assert {event.status for event in await events(context)} == {DeliveryStatus.processed}


async def test_a_database_in_trouble_fails_no_delivery(context, shop):
    await poison(context, errcode="53100")
    await deliver(context, shop, paid("poison"), paid(1))
    with pytest.raises(Exception, match="person"):
        await run(context)
    assert {event.status for event in await events(context)} == {DeliveryStatus.new}


# Order of arrival, and many at once


async def test_the_first_to_arrive_wins_the_last_use_whatever_shop_it_came_to(context, brand, shop):
    async with context.sessions.begin() as session:
        other, _ = await add_shop(session, context.tokens, brand, "other", name="Other")
    code = await code_of(context, brand, shop)
    async with context.sessions.begin() as session:
        await session.execute(text("UPDATE codes SET max_uses = 1"))
    await deliver(context, other, paid("z", discount_codes=[code]))
    await deliver(context, shop, paid("a", discount_codes=[code]))
    await run(context)
    async with context.sessions() as session:
        found = await session.execute(
            select(Order.external_id, Redemption.status).join(Redemption, Redemption.order_id == Order.id)
        )
        outcome = {row.external_id: row.status.value for row in found}
    assert outcome == {"z": "pending", "a": "refused"}


async def test_processors_side_by_side_take_each_delivery_once_and_in_order(context, brand, shop):
    code = await code_of(context, brand, shop)
    async with context.sessions.begin() as session:
        await session.execute(text("UPDATE codes SET max_uses = 3"))
    await deliver(context, shop, *(paid(number, discount_codes=[code]) for number in range(40)))
    moved = await asyncio.gather(
        *(process.process_waiting(context, shop.brand_id, now=NOW, limit=4) for _ in range(16))
    )
    assert sum(moved) == 40
    assert {event.status for event in await events(context)} == {DeliveryStatus.processed}
    async with context.sessions() as session:
        winners = await session.scalars(
            select(Order.external_id)
            .join(Redemption, Redemption.order_id == Order.id)
            .where(Redemption.status != "refused")
        )
        assert sorted(winners, key=int) == ["0", "1", "2"]


async def test_brands_take_turns_and_do_not_see_each_other(context, brand, shop):
    async with context.sessions.begin() as session:
        second = await add_brand(session, "second", name="Second")
        theirs, _ = await add_shop(session, context.tokens, second, "second", name="Second")
    await deliver(context, shop, paid(1))
    await deliver(context, theirs, paid(1))
    assert await run(context) == 2
    assert {made.brand_id for made in await rows(context, Order)} == {brand.id, second.id}
    assert await count(context, Customer) == 2


async def test_a_batch_of_large_bodies_is_cut_by_size(context, shop, monkeypatch):
    monkeypatch.setattr(process, "BATCH_BYTES", 3000)
    await deliver(context, shop, *(paid(number, payment_fingerprint="x" * 1000) for number in range(6)))
    assert 1 <= await process.process_waiting(context, shop.brand_id, now=NOW) < 6
    await run(context)
    assert await count(context, Order) == 6


async def test_a_large_batch_asks_the_database_no_more_often_than_a_small_one(context, brand, shop):
    code = await code_of(context, brand, shop)
    statements = []
    sa_event.listen(
        context.engine.sync_engine, "before_cursor_execute", lambda *args: statements.append(args[2])
    )

    async def queries(numbers) -> int:
        await deliver(context, shop, *(paid(number, discount_codes=[code]) for number in numbers))
        statements.clear()
        await process.process_waiting(context, shop.brand_id, now=NOW)
        return len(statements)

    few = await queries(range(20))
    many = await queries(range(100, 400))
    assert many <= few


# Forgetting


def erased(number: object) -> dict:
    return {
        "type": "customer.erased",
        "timestamp": NOW.isoformat(),
        "data": {"id": f"c{number}", "email": f"Person{number}@Example.com"},
    }


async def test_forgetting_parts_what_came_before_from_what_comes_after(context, brand, shop):
    await deliver(
        context,
        shop,
        paid(1),
        paid(2),
        erased(1),
        paid(3, customer={"id": "c1", "email": "person1@example.com"}),
    )
    assert await run(context) == 4
    people = {customer.email: customer for customer in await rows(context, Customer)}
    assert set(people) == {None, "person2@example.com", "person1@example.com"}
    orders = {made.external_id: made.customer_id for made in await rows(context, Order)}
    assert orders["1"] == people[None].id
    assert orders["3"] == people["person1@example.com"].id
    bodies = [event.body for event in await events(context)]
    assert [bool(body) for body in bodies] == [False, True, False, True]
    surveys = {survey.order_id: survey for survey in await rows(context, Survey)}
    for made in await rows(context, Order):
        if made.external_id in ("1", "3"):
            assert surveys[made.id].status is SurveyStatus.skipped
    assert await run(context) == 0


async def test_an_address_nobody_has_is_suppressed_before_its_order_comes(context, brand, shop):
    await deliver(context, shop, erased(9))
    await run(context)
    assert await count(context, Customer) == 0
    assert await count(context, Suppression) == 1
    await deliver(context, shop, paid(9))
    await run(context)
    (survey,) = await rows(context, Survey)
    assert survey.status is SurveyStatus.skipped


async def test_a_failed_delivery_that_names_them_is_emptied(context, brand, shop):
    await deliver(context, shop, paid(1, currency="XXQ"), paid(1), erased(1))
    await run(context)
    first = (await events(context))[0]
    assert (first.body, first.status) == (b"", DeliveryStatus.failed)
    await deliver(context, shop, erased(1))
    await run(context)
    async with context.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(CustomerReference)) == 0


def test_every_source_has_a_reader():
    assert set(PARSERS) == {"checkout", "shopify", "api", "import"}


async def test_a_yes_that_is_worked_off_late_does_not_undo_a_later_no(context, brand, shop):
    person = {"id": "c1", "email": "person1@example.com"}
    early = json.dumps(paid(1, customer=person | {"email_consent": True})).encode()
    later = json.dumps(
        {"type": "customer.updated", "timestamp": NOW.isoformat(), "data": person | {"email_consent": False}}
    ).encode()
    async with context.sessions.begin() as session:
        await store_deliveries(
            session, [NewDelivery(shop.brand_id, shop.id, "checkout", "t", "late-1", early, NOW)]
        )
        await session.execute(text("UPDATE deliveries SET status = 'failed', reason = 'a test'"))
    async with context.sessions.begin() as session:
        await store_deliveries(
            session,
            [
                NewDelivery(
                    shop.brand_id, shop.id, "checkout", "t", "late-2", later, NOW + timedelta(minutes=1)
                )
            ],
        )
    await run(context, NOW + timedelta(minutes=2))
    (failed,) = [each for each in await events(context) if each.status is DeliveryStatus.failed]
    async with context.sessions.begin() as session:
        await replay(session, brand.id, failed.id)
    await run(context, NOW + timedelta(days=3))
    async with context.sessions() as session:
        assert await session.scalar(text("SELECT given FROM consents WHERE channel = 'email'")) is False
