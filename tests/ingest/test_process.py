import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event as sa_event
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from app.base import due
from app.base.actor import cli_actor
from app.base.retry import LOCK_NOT_AVAILABLE, sqlstate_of
from app.brands.add import add_brand, add_shop
from app.brands.programme import Channel
from app.customers.consent import latest_consent
from app.customers.models import Customer, CustomerReference, Suppression
from app.ingest import claim, erase_sweep, process
from app.ingest.isolate import MOST_TIMEOUTS
from app.ingest.rules import NOTHING_USED, DeliveryStatus
from app.ingest.store import NewDelivery, replay, store_deliveries
from app.orders.models import Order
from app.orders.rules import OrderStatus
from app.referrals.models import Redemption
from app.surveys.models import Survey
from app.surveys.rules import SurveyStatus
from tests.support.constants import NOW
from tests.support.deliveries import code_of, count, deliver, deliveries, fact, paid, rows, run


async def test_paid_order_becomes_a_customer_an_order_and_a_survey(context, shop):
    await deliver(context, shop, paid(1))
    assert await run(context) == 1
    (delivery,) = await deliveries(context)
    assert (delivery.status, delivery.reason, delivery.processed_at) == (DeliveryStatus.processed, None, NOW)
    (customer,) = await rows(context, Customer)
    assert customer.email == "person1@example.com"
    (made,) = await rows(context, Order)
    assert (made.external_id, made.total, made.customer_id) == ("1", 8000, customer.id)
    (survey,) = await rows(context, Survey)
    assert survey.status is SurveyStatus.planned
    assert await run(context) == 0


async def test_fact_that_is_reported_before_its_order_counts(context, shop):
    await deliver(context, shop, fact("delivered", 1), fact("refunded", 1, refund_id="r", amount="80.00"))
    assert await run(context) == 2
    await deliver(context, shop, paid(1))
    await run(context)
    (made,) = await rows(context, Order)
    assert (made.refunded, made.status) == (8000, OrderStatus.refunded)
    assert {delivery.status for delivery in await deliveries(context)} == {DeliveryStatus.processed}


async def test_fact_in_the_batch_of_its_order_counts(context, shop):
    await deliver(
        context, shop, fact("fulfilled", 1), paid(1), fact("delivered", 1), paid(2), fact("cancelled", 2)
    )
    await run(context)
    states = {made.external_id: made.status for made in await rows(context, Order)}
    assert states == {"1": OrderStatus.delivered, "2": OrderStatus.cancelled}


async def test_repeated_order_is_one_order(context, shop, brand):
    code = await code_of(context, brand, shop)
    await deliver(context, shop, paid(1, discount_codes=[code]), paid(1, discount_codes=[code]))
    await run(context)
    await deliver(context, shop, paid(1, discount_codes=[code]))
    await run(context)
    assert [await count(context, table) for table in (Order, Survey, Redemption)] == [1, 1, 1]


async def test_order_without_a_customer_is_recorded(context, shop):
    await deliver(
        context, shop, paid(1, customer=None), paid(2, customer={"email": "no address", "phone": "12"})
    )
    await run(context)
    assert await count(context, Order) == 2
    assert {survey.reason.value for survey in await rows(context, Survey)} == {"no_address"}


# Bad input


async def test_bad_deliveries_fail_with_a_reason_and_delay_no_other(context, shop):
    bad = [
        b"", b"{", b"\xff", b"[" * 50_000, b'{"type":"order.paid","data":{"id":NaN}}', json.dumps(paid(2, currency="XXQ")).encode(),
        json.dumps(paid(3, total="-1.00")).encode(), json.dumps(paid(4, total="1,005")).encode(), json.dumps(paid("a\0b")).encode(),
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
    for delivery in await deliveries(context):
        by_status.setdefault(delivery.status, []).append(delivery)
    assert len(by_status[DeliveryStatus.failed]) == len(bad)
    assert all(
        delivery.reason and delivery.reason.endswith(".") for delivery in by_status[DeliveryStatus.failed]
    )
    assert {made.external_id for made in await rows(context, Order)} == {"1", "5"}
    assert "عبد الله" in {
        customer.last_name.strip("\u202b") for customer in await rows(context, Customer) if customer.last_name
    }


async def test_unused_topic_is_ignored(context, shop):
    await deliver(context, shop, {"type": "cart.abandoned", "data": {}})
    assert await run(context) == 1
    (delivery,) = await deliveries(context)
    assert (delivery.status, delivery.reason) == (DeliveryStatus.ignored, NOTHING_USED)


async def break_on_poison(context, *, errcode: str = "22000", only: str = "TRUE") -> None:
    """From now on the database raises an error for orders named poison…."""
    body = f"IF NEW.external_id LIKE 'poison%' AND {only} THEN RAISE EXCEPTION 'person@example.com' USING ERRCODE = '{errcode}'; END IF;"
    async with context.sessions.begin() as session:
        await session.execute(
            text(
                f"CREATE FUNCTION break_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$"
            )
        )
        await session.execute(
            text("CREATE TRIGGER break_it BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION break_it()")
        )


async def test_delivery_that_cannot_be_processed_fails_alone_and_can_be_replayed(context, shop):
    await break_on_poison(context)
    bodies = [paid(number) for number in range(40)]
    bodies[7], bodies[30] = paid("poison1"), paid("poison2")
    await deliver(context, shop, *bodies)
    assert await run(context) == 40
    found = await deliveries(context)
    assert [delivery.status for delivery in found].count(DeliveryStatus.processed) == 38
    failed = [delivery for delivery in found if delivery.status is DeliveryStatus.failed]
    assert [found.index(delivery) for delivery in failed] == [7, 30]
    assert "@" not in failed[0].reason
    assert failed[0].reason.endswith(".")
    assert await count(context, Order) == 38
    assert await count(context, Survey) == 38
    assert await count(context, Customer) == 38

    async with context.sessions.begin() as session:
        await session.execute(text("DROP TRIGGER break_it ON orders"))
        for delivery in failed:
            await replay(session, shop.brand_id, delivery.id, actor=cli_actor(shop.brand_id))
    assert await run(context) == 2
    assert {delivery.status for delivery in await deliveries(context)} == {DeliveryStatus.processed}
    assert await count(context, Order) == 40


def wait_less_for_locks(context) -> None:
    """Every transaction waits 0.2 s for a lock, as a worker's waits 2 s."""

    def limit(connection) -> None:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '200ms'")

    sa_event.listen(context.engine.sync_engine, "begin", limit)


async def test_a_locked_row_is_passed_by_and_the_others_of_its_brand_are_processed(context, brand, shop):
    await deliver(context, shop, paid(1))
    await run(context)
    wait_less_for_locks(context)
    mine = paid(2, customer={"email": "person1@example.com", "first_name": "Anna", "country": "NL"})
    await deliver(context, shop, paid(3), mine, *(paid(number) for number in range(4, 12)))
    async with context.sessions.begin() as locker:
        await locker.execute(select(Customer).where(Customer.brand_id == brand.id).with_for_update())
        assert await process.process_waiting(context, brand.id, now=NOW) == 10
        assert await count(context, Order) == 10
        waiting = [each for each in await deliveries(context) if each.status is DeliveryStatus.new]
        assert [json.loads(each.body)["data"]["id"] for each in waiting] == ["2"]
        with pytest.raises(DBAPIError) as raised:
            await process.process_waiting(context, brand.id, now=NOW)
        assert sqlstate_of(raised.value) == LOCK_NOT_AVAILABLE
    await run(context)
    assert await count(context, Order) == 11


async def test_a_batch_that_waits_for_one_row_as_a_whole_gives_up_early(context, brand, shop):
    await deliver(context, shop, paid(1))
    await run(context)
    wait_less_for_locks(context)
    mine = {"email": "person1@example.com", "first_name": "Anna", "country": "NL"}
    await deliver(context, shop, *(paid(number, customer=mine) for number in range(2, 102)), paid(102))
    async with context.sessions.begin() as locker:
        await locker.execute(select(Customer).where(Customer.brand_id == brand.id).with_for_update())
        timeouts = []
        sa_event.listen(context.engine.sync_engine, "handle_error", timeouts.append)
        with pytest.raises(DBAPIError):
            await process.process_waiting(context, brand.id, now=NOW)
        assert len(timeouts) <= MOST_TIMEOUTS
    await run(context)
    assert await count(context, Order) == 102


async def test_batch_is_tried_again_after_a_deadlock(context, shop):
    async with context.sessions.begin() as session:
        await session.execute(text("CREATE SEQUENCE tries"))
    await break_on_poison(context, errcode="40P01", only="nextval('tries') < 3")
    await deliver(context, shop, paid("poison"), paid(1))
    assert await run(context) == 2
    assert {delivery.status for delivery in await deliveries(context)} == {DeliveryStatus.processed}


async def test_full_disk_of_the_database_fails_no_delivery(context, shop):
    await break_on_poison(context, errcode="53100")
    await deliver(context, shop, paid("poison"), paid(1))
    with pytest.raises(Exception, match="person"):
        await run(context)
    assert {delivery.status for delivery in await deliveries(context)} == {DeliveryStatus.new}


# Order of arrival, and many at once


async def test_first_order_to_arrive_wins_the_last_use_in_whatever_shop(context, brand, shop):
    async with context.sessions.begin() as session:
        other, _ = await add_shop(
            session, context.tokens, brand, "other", name="Other", actor=cli_actor(brand.id)
        )
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


async def test_concurrent_processors_take_each_delivery_once_and_in_order(context, brand, shop):
    code = await code_of(context, brand, shop)
    async with context.sessions.begin() as session:
        await session.execute(text("UPDATE codes SET max_uses = 3"))
    await deliver(context, shop, *(paid(number, discount_codes=[code]) for number in range(40)))

    async def few(brand_id: int, now: datetime) -> int:
        return await process.process_waiting(context, brand_id, now=now, limit=4)

    sweep = replace(process.sweep(context), work=few)
    moved = await asyncio.gather(*(due.sweep_once(sweep, NOW) for _ in range(16)))
    assert sum(moved) == 40
    assert {delivery.status for delivery in await deliveries(context)} == {DeliveryStatus.processed}
    async with context.sessions() as session:
        winners = await session.scalars(
            select(Order.external_id)
            .join(Redemption, Redemption.order_id == Order.id)
            .where(Redemption.status != "refused")
        )
        assert sorted(winners, key=int) == ["0", "1", "2"]


async def test_brands_with_the_same_order_id_are_separate(context, brand, shop):
    async with context.sessions.begin() as session:
        second = await add_brand(session, "second", name="Second")
        theirs, _ = await add_shop(
            session, context.tokens, second, "second", name="Second", actor=cli_actor(second.id)
        )
    await deliver(context, shop, paid(1))
    await deliver(context, theirs, paid(1))
    assert await run(context) == 2
    assert {made.brand_id for made in await rows(context, Order)} == {brand.id, second.id}
    assert await count(context, Customer) == 2


async def test_batch_of_large_bodies_is_limited_by_size(context, shop, monkeypatch):
    monkeypatch.setattr(claim, "BATCH_BYTES", 3000)
    await deliver(context, shop, *(paid(number, payment_fingerprint="x" * 1000) for number in range(6)))
    assert 1 <= await process.process_waiting(context, shop.brand_id, now=NOW) < 6
    await run(context)
    assert await count(context, Order) == 6


async def test_large_batch_needs_no_more_statements_than_a_small_one(context, brand, shop):
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


# Erasure


def erased(number: object) -> dict:
    return {
        "type": "customer.erased",
        "timestamp": NOW.isoformat(),
        "data": {"id": f"c{number}", "email": f"Person{number}@Example.com"},
    }


async def test_erasure_erases_what_came_before_and_not_what_comes_after(context, brand, shop):
    await deliver(
        context,
        shop,
        paid(1),
        paid(2),
        erased(1),
        paid(3, customer={"id": "c1", "email": "person1@example.com"}),
    )
    assert await run(context) == 4
    await due.sweep_once(erase_sweep.sweep(context), NOW)
    people = {customer.email: customer for customer in await rows(context, Customer)}
    assert set(people) == {None, "person2@example.com", "person1@example.com"}
    orders = {made.external_id: made.customer_id for made in await rows(context, Order)}
    assert orders["1"] == people[None].id
    assert orders["3"] == people["person1@example.com"].id
    bodies = [delivery.body for delivery in await deliveries(context)]
    assert [bool(body) for body in bodies] == [False, True, False, True]
    surveys = {survey.order_id: survey for survey in await rows(context, Survey)}
    for made in await rows(context, Order):
        if made.external_id in ("1", "3"):
            assert surveys[made.id].status is SurveyStatus.skipped
    assert await run(context) == 0


async def test_unknown_erased_address_is_suppressed_before_its_order_comes(context, brand, shop):
    await deliver(context, shop, erased(9))
    await run(context)
    assert await count(context, Customer) == 0
    assert await count(context, Suppression) == 1
    await deliver(context, shop, paid(9))
    await run(context)
    (survey,) = await rows(context, Survey)
    assert survey.status is SurveyStatus.skipped


async def test_failed_delivery_of_an_erased_person_is_emptied(context, brand, shop):
    await deliver(context, shop, paid(1, currency="XXQ"), paid(1), erased(1))
    await run(context)
    await due.sweep_once(erase_sweep.sweep(context), NOW)
    first = (await deliveries(context))[0]
    assert (first.body, first.status) == (b"", DeliveryStatus.ignored)
    await deliver(context, shop, erased(1))
    await run(context)
    async with context.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(CustomerReference)) == 0


async def test_consent_that_is_processed_late_does_not_undo_a_later_refusal(context, brand, shop):
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
    (failed,) = [each for each in await deliveries(context) if each.status is DeliveryStatus.failed]
    async with context.sessions.begin() as session:
        await replay(session, brand.id, failed.id, actor=cli_actor(brand.id))
    await run(context, NOW + timedelta(days=3))
    async with context.sessions() as session:
        assert await session.scalar(select(latest_consent(Channel.email)).select_from(Customer)) is False
