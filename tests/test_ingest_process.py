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
from app.ingest.models import Event
from app.ingest.rules import NOTHING_USED, EventStatus
from app.ingest.take_in import Incoming, replay, take_in
from app.orders.models import Order
from app.orders.rules import OrderStatus
from app.platforms.doors import READERS
from app.referrals.issue import Promoter, issue_offers
from app.referrals.models import Code, Redemption
from app.surveys.models import Survey
from app.surveys.rules import SurveyStatus
from tests.conftest import NOW


def order(number: object, **changes: object) -> dict:
    customer = {"id": f"c{number}", "email": f"person{number}@example.com", "first_name": "Ann", "country": "NL"}
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
    return {"type": f"order.{kind}", "timestamp": NOW.isoformat(), "data": {"order_id": str(number), "at": NOW.isoformat()} | more}


async def deliver(ground, shop, *bodies: dict | bytes) -> None:
    """Deliveries that arrived one after the other."""
    for body in bodies:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        deliver.number += 1
        async with ground.sessions.begin() as session:
            await take_in(session, [Incoming(shop.brand_id, shop.id, "checkout", "t", f"d{deliver.number}", raw, NOW)])


deliver.number = 0


async def run(ground, now=NOW) -> int:
    return await due.sweep_once(process.sweep(ground), now)


async def rows(ground, table, *where):
    async with ground.sessions() as session:
        return list(await session.scalars(select(table).where(*where).order_by(table.id)))


async def events(ground) -> list[Event]:
    async with ground.sessions() as session:
        return list(await session.scalars(select(Event).order_by(Event.sequence)))


async def count(ground, table) -> int:
    async with ground.sessions() as session:
        return await session.scalar(select(func.count()).select_from(table))


async def code_of(ground, brand, shop, name: str = "referrer") -> str:
    """The code of somebody who has recommended us."""
    async with ground.sessions.begin() as session:
        (customer,) = await identify(session, brand, shop, [Person(email=f"{name}@example.com", first_name="Rea")], now=NOW)
        await issue_offers(session, ground.tokens, brand, [Promoter(customer, shop.id, None)], now=NOW - timedelta(days=1))
        return await session.scalar(select(Code.code).where(Code.customer_id == customer))


async def test_a_paid_order_becomes_a_customer_an_order_and_a_survey(ground, shop):
    await deliver(ground, shop, paid(1))
    assert await run(ground) == 1
    (event,) = await events(ground)
    assert (event.status, event.reason, event.processed_at) == (EventStatus.processed, None, NOW)
    (customer,) = await rows(ground, Customer)
    assert customer.email == "person1@example.com"
    (made,) = await rows(ground, Order)
    assert (made.external_id, made.total, made.customer_id) == ("1", 8000, customer.id)
    (survey,) = await rows(ground, Survey)
    assert survey.status is SurveyStatus.planned
    assert await run(ground) == 0


async def test_what_is_reported_before_its_order_is_folded_in(ground, shop):
    await deliver(ground, shop, fact("delivered", 1), fact("refunded", 1, refund_id="r", amount="80.00"))
    assert await run(ground) == 2
    await deliver(ground, shop, paid(1))
    await run(ground)
    (made,) = await rows(ground, Order)
    assert (made.refunded, made.status) == (8000, OrderStatus.refunded)
    assert {event.status for event in await events(ground)} == {EventStatus.processed}


async def test_a_fact_beside_its_order_in_one_batch_counts(ground, shop):
    await deliver(ground, shop, fact("fulfilled", 1), paid(1), fact("delivered", 1), paid(2), fact("cancelled", 2))
    await run(ground)
    states = {made.external_id: made.status for made in await rows(ground, Order)}
    assert states == {"1": OrderStatus.delivered, "2": OrderStatus.cancelled}


async def test_an_order_told_several_times_is_one_order(ground, shop, brand):
    code = await code_of(ground, brand, shop)
    await deliver(ground, shop, paid(1, discount_codes=[code]), paid(1, discount_codes=[code]))
    await run(ground)
    await deliver(ground, shop, paid(1, discount_codes=[code]))
    await run(ground)
    assert [await count(ground, table) for table in (Order, Survey, Redemption)] == [1, 1, 1]


async def test_an_order_with_nobody_in_it_is_kept(ground, shop):
    await deliver(ground, shop, paid(1, customer=None), paid(2, customer={"email": "no address", "phone": "12"}))
    await run(ground)
    assert await count(ground, Order) == 2
    assert {survey.reason.value for survey in await rows(ground, Survey)} == {"no_address"}


# Bad input


async def test_bad_deliveries_say_why_and_delay_nobody(ground, shop):
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
    await deliver(ground, shop, *bad[:5], paid(1), *bad[5:], odd)
    assert await run(ground) == 12
    by_status: dict = {}
    for event in await events(ground):
        by_status.setdefault(event.status, []).append(event)
    assert len(by_status[EventStatus.failed]) == len(bad)
    assert all(event.reason and event.reason.endswith(".") for event in by_status[EventStatus.failed])
    assert {made.external_id for made in await rows(ground, Order)} == {"1", "5"}
    assert "عبد الله" in {customer.last_name.strip("\u202b") for customer in await rows(ground, Customer) if customer.last_name}


async def test_a_topic_we_do_not_use_is_ignored(ground, shop):
    await deliver(ground, shop, {"type": "cart.abandoned", "data": {}})
    assert await run(ground) == 1
    (event,) = await events(ground)
    assert (event.status, event.reason) == (EventStatus.ignored, NOTHING_USED)


async def poison(ground, *, errcode: str = "22000", only: str = "TRUE") -> None:
    """From now on the database breaks on orders named poison…."""
    body = f"IF NEW.external_id LIKE 'poison%' AND {only} THEN RAISE EXCEPTION 'person@example.com' USING ERRCODE = '{errcode}'; END IF;"
    async with ground.sessions.begin() as session:
        await session.execute(
            text(f"CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$")
        )
        await session.execute(text("CREATE TRIGGER spoil BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION spoil()"))


async def test_one_that_breaks_us_stands_alone_and_can_be_replayed(ground, shop):
    await poison(ground)
    bodies = [paid(number) for number in range(40)]
    bodies[7], bodies[30] = paid("poison1"), paid("poison2")
    await deliver(ground, shop, *bodies)
    assert await run(ground) == 40
    found = await events(ground)
    assert [event.status for event in found].count(EventStatus.processed) == 38
    failed = [event for event in found if event.status is EventStatus.failed]
    assert [found.index(event) for event in failed] == [7, 30]
    assert "@" not in failed[0].reason
    assert failed[0].reason.endswith(".")
    assert await count(ground, Order) == 38
    assert await count(ground, Survey) == 38
    assert await count(ground, Customer) == 38

    async with ground.sessions.begin() as session:
        await session.execute(text("DROP TRIGGER spoil ON orders"))
        for event in failed:
            await replay(session, shop.brand_id, event.id)
    assert await run(ground) == 2
    assert {event.status for event in await events(ground)} == {EventStatus.processed}
    assert await count(ground, Order) == 40


async def test_a_deadlock_is_nobodys_fault_and_tried_again(ground, shop):
    async with ground.sessions.begin() as session:
        await session.execute(text("CREATE SEQUENCE tries"))
    await poison(ground, errcode="40P01", only="nextval('tries') < 3")
    await deliver(ground, shop, paid("poison"), paid(1))
    assert await run(ground) == 2
    assert {event.status for event in await events(ground)} == {EventStatus.processed}


async def test_a_database_in_trouble_fails_no_delivery(ground, shop):
    await poison(ground, errcode="53100")
    await deliver(ground, shop, paid("poison"), paid(1))
    with pytest.raises(Exception, match="person"):
        await run(ground)
    assert {event.status for event in await events(ground)} == {EventStatus.new}


# Order of arrival, and many at once


async def test_the_first_to_arrive_wins_the_last_use_whatever_shop_it_came_to(ground, brand, shop):
    async with ground.sessions.begin() as session:
        other, _ = await add_shop(session, ground.tokens, brand, "other", name="Other")
    code = await code_of(ground, brand, shop)
    async with ground.sessions.begin() as session:
        await session.execute(text("UPDATE codes SET max_uses = 1"))
    await deliver(ground, other, paid("z", discount_codes=[code]))
    await deliver(ground, shop, paid("a", discount_codes=[code]))
    await run(ground)
    async with ground.sessions() as session:
        found = await session.execute(
            select(Order.external_id, Redemption.status).join(Redemption, Redemption.order_id == Order.id)
        )
        outcome = {row.external_id: row.status.value for row in found}
    assert outcome == {"z": "pending", "a": "refused"}


async def test_processors_side_by_side_take_each_delivery_once_and_in_order(ground, brand, shop):
    code = await code_of(ground, brand, shop)
    async with ground.sessions.begin() as session:
        await session.execute(text("UPDATE codes SET max_uses = 3"))
    await deliver(ground, shop, *(paid(number, discount_codes=[code]) for number in range(40)))
    moved = await asyncio.gather(*(process.process_waiting(ground, shop.brand_id, now=NOW, limit=4) for _ in range(16)))
    assert sum(moved) == 40
    assert {event.status for event in await events(ground)} == {EventStatus.processed}
    async with ground.sessions() as session:
        winners = await session.scalars(
            select(Order.external_id).join(Redemption, Redemption.order_id == Order.id).where(Redemption.status != "refused")
        )
        assert sorted(winners, key=int) == ["0", "1", "2"]


async def test_brands_take_turns_and_do_not_see_each_other(ground, brand, shop):
    async with ground.sessions.begin() as session:
        second = await add_brand(session, "second", name="Second")
        theirs, _ = await add_shop(session, ground.tokens, second, "second", name="Second")
    await deliver(ground, shop, paid(1))
    await deliver(ground, theirs, paid(1))
    assert await run(ground) == 2
    assert {made.brand_id for made in await rows(ground, Order)} == {brand.id, second.id}
    assert await count(ground, Customer) == 2


async def test_a_batch_of_large_bodies_is_cut_by_size(ground, shop, monkeypatch):
    monkeypatch.setattr(process, "BATCH_BYTES", 3000)
    await deliver(ground, shop, *(paid(number, payment_fingerprint="x" * 1000) for number in range(6)))
    assert 1 <= await process.process_waiting(ground, shop.brand_id, now=NOW) < 6
    await run(ground)
    assert await count(ground, Order) == 6


async def test_a_large_batch_asks_the_database_no_more_often_than_a_small_one(ground, brand, shop):
    code = await code_of(ground, brand, shop)
    statements = []
    sa_event.listen(ground.engine.sync_engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    async def queries(numbers) -> int:
        await deliver(ground, shop, *(paid(number, discount_codes=[code]) for number in numbers))
        statements.clear()
        await process.process_waiting(ground, shop.brand_id, now=NOW)
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


async def test_forgetting_parts_what_came_before_from_what_comes_after(ground, brand, shop):
    await deliver(ground, shop, paid(1), paid(2), erased(1), paid(3, customer={"id": "c1", "email": "person1@example.com"}))
    assert await run(ground) == 4
    people = {customer.email: customer for customer in await rows(ground, Customer)}
    assert set(people) == {None, "person2@example.com", "person1@example.com"}
    orders = {made.external_id: made.customer_id for made in await rows(ground, Order)}
    assert orders["1"] == people[None].id
    assert orders["3"] == people["person1@example.com"].id
    bodies = [event.body for event in await events(ground)]
    assert [bool(body) for body in bodies] == [False, True, False, True]
    surveys = {survey.order_id: survey for survey in await rows(ground, Survey)}
    for made in await rows(ground, Order):
        if made.external_id in ("1", "3"):
            assert surveys[made.id].status is SurveyStatus.skipped
    assert await run(ground) == 0


async def test_an_address_nobody_has_is_suppressed_before_its_order_comes(ground, brand, shop):
    await deliver(ground, shop, erased(9))
    await run(ground)
    assert await count(ground, Customer) == 0
    assert await count(ground, Suppression) == 1
    await deliver(ground, shop, paid(9))
    await run(ground)
    (survey,) = await rows(ground, Survey)
    assert survey.status is SurveyStatus.skipped


async def test_a_failed_delivery_that_names_them_is_emptied(ground, brand, shop):
    await deliver(ground, shop, paid(1, currency="XXQ"), paid(1), erased(1))
    await run(ground)
    first = (await events(ground))[0]
    assert (first.body, first.status) == (b"", EventStatus.failed)
    await deliver(ground, shop, erased(1))
    await run(ground)
    async with ground.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(CustomerReference)) == 0


def test_every_source_has_a_reader():
    assert set(READERS) == {"checkout", "shopify", "api", "import"}


async def test_a_yes_that_is_worked_off_late_does_not_undo_a_later_no(ground, brand, shop):
    person = {"id": "c1", "email": "person1@example.com"}
    early = json.dumps(paid(1, customer=person | {"email_consent": True})).encode()
    later = json.dumps(
        {"type": "customer.updated", "timestamp": NOW.isoformat(), "data": person | {"email_consent": False}}
    ).encode()
    async with ground.sessions.begin() as session:
        await take_in(session, [Incoming(shop.brand_id, shop.id, "checkout", "t", "late-1", early, NOW)])
        await session.execute(text("UPDATE events SET status = 'failed', reason = 'a test'"))
    async with ground.sessions.begin() as session:
        await take_in(session, [Incoming(shop.brand_id, shop.id, "checkout", "t", "late-2", later, NOW + timedelta(minutes=1))])
    await run(ground, NOW + timedelta(minutes=2))
    (failed,) = [each for each in await events(ground) if each.status is EventStatus.failed]
    async with ground.sessions.begin() as session:
        await replay(session, brand.id, failed.id)
    await run(ground, NOW + timedelta(days=3))
    async with ground.sessions() as session:
        assert await session.scalar(text("SELECT given FROM consents WHERE channel = 'email'")) is False
