"""Erasure goes by identity: nobody else is touched, and everything about the person is found."""

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from app.base import due
from app.base.actor import cli_actor
from app.base.audit import AuditAction, AuditEntry, AuditValue
from app.base.ids import new_id
from app.brands.add import add_brand, add_shop
from app.brands.find import load_shops
from app.customers.erased import Identities
from app.customers.models import Customer, CustomerReference, ErasedIdentity, FormerReference, Suppression
from app.ingest import erase_sweep, process
from app.ingest.bodies import ERASED_CONTENT
from app.ingest.erase import PersonToErase, erase_people
from app.ingest.models import Delivery, Erasure
from app.ingest.store import NewDelivery, replay, store_deliveries
from app.orders.models import Order
from app.surveys.models import Survey
from tests.support.constants import NOW


def paid(number: object, customer: dict, **changes: object) -> dict:
    data = {
        "id": str(number),
        "currency": "EUR",
        "subtotal": "80.00",
        "total": "80.00",
        "placed_at": NOW.isoformat(),
        "customer": {"country": "NL", **customer},
    }
    return {"type": "order.paid", "timestamp": NOW.isoformat(), "data": data | changes}


def event(kind: str, data: dict) -> dict:
    return {"type": kind, "timestamp": NOW.isoformat(), "data": data}


async def store(context, shop, *bodies: dict | bytes, topic: str = "t") -> None:
    """Deliveries that arrived one after the other."""
    for body in bodies:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        delivery = NewDelivery(shop.brand_id, shop.id, "checkout", topic, new_id().hex, raw, NOW)
        async with context.sessions.begin() as session:
            await store_deliveries(session, [delivery])


async def sweep(context, now=NOW) -> None:
    await due.sweep_once(process.sweep(context), now)
    await due.sweep_once(erase_sweep.sweep(context), now)


async def deliver(context, shop, *bodies: dict | bytes) -> None:
    await store(context, shop, *bodies)
    await sweep(context)


async def erase(context, brand, *customer_ids, identities: Identities | None = None) -> None:
    """Erase by a command: whatever has arrived by now came before it."""
    async with context.sessions.begin() as session:
        person = PersonToErase(frozenset(customer_ids), identities or Identities())
        await erase_people(
            session,
            context.tokens,
            brand,
            await load_shops(session, brand.id),
            [person],
            actor=cli_actor(brand.id),
            now=NOW,
        )


async def rows(context, table, *where):
    async with context.sessions() as session:
        return list(await session.scalars(select(table).where(*where).order_by(table.id)))


async def customer(context, email: str | None = None, phone: str | None = None):
    column, value = (Customer.email, email) if email else (Customer.phone, phone)
    (found,) = await rows(context, Customer, column == value)
    return found


async def contents(context) -> list[bytes]:
    return [each.body for each in await rows(context, Delivery)]


async def test_an_address_that_contains_the_erased_one_is_not_touched(context, brand, shop):
    names = ("na", "joanna", "hanna")
    await deliver(
        context,
        shop,
        *(paid(place, {"id": f"c{place}", "email": f"{name}@x.example"}) for place, name in enumerate(names)),
        paid("bad", {"email": "hanna@x.example"}, currency="XXQ"),
    )
    await store(context, shop, paid("late", {"email": "joanna@x.example"}))
    await erase(context, brand, (await customer(context, "na@x.example")).id)
    await sweep(context)
    assert [bool(body) for body in await contents(context)] == [False, True, True, True, True]
    assert {one.email for one in await rows(context, Customer)} == {
        None,
        "joanna@x.example",
        "hanna@x.example",
    }
    orders = {order.external_id: order.customer_id for order in await rows(context, Order)}
    assert orders["late"] == (await customer(context, "joanna@x.example")).id


@pytest.mark.parametrize(
    ("known", "unlinked"),
    [
        ({"id": "c7", "email": "ana@x.example"}, {"id": "c7"}),
        ({"email": "ana+x@x.example"}, rb"ana\u002Bx@x.example"),
        ({"email": "ana@b\u00fccher.example"}, {"email": "ana@xn--bcher-kva.example"}),
        ({"email": "ana@xn--bcher-kva.example"}, {"email": "Ana@B\u00dcCHER.example"}),
        ({"phone": "+31 6 12345678"}, {"phone": "06\u00a012\u00a034\u00a056\u00a078"}),
    ],
)
async def test_failed_and_unused_deliveries_are_found_in_every_spelling(
    context, brand, shop, known, unlinked
):
    body = paid(1, unlinked if isinstance(unlinked, dict) else {"email": "@"}, currency="XXQ")
    raw = json.dumps(body).encode()
    if isinstance(unlinked, bytes):
        raw = raw.replace(b'"@"', b'"' + unlinked + b'"')
    unused = raw.replace(b"order.paid", b"cart.abandoned")
    other = paid(2, {"email": "other@x.example"}, currency="XXQ")
    await deliver(context, shop, paid(3, known), raw, unused, other)
    owner = (await rows(context, Order))[0].customer_id
    await erase(context, brand, owner)
    await sweep(context)
    found = await rows(context, Delivery)
    assert [bool(each.body) for each in found] == [False, False, False, True]
    assert [each.status for each in found] == ["processed", "ignored", "ignored", "failed"]
    assert found[1].reason == ERASED_CONTENT


async def test_a_person_whom_only_a_failed_delivery_names_can_be_erased(context, brand, shop):
    await deliver(context, shop, paid(1, {"email": "ana@x.example"}, currency="XXQ"))
    await erase(context, brand, identities=Identities(frozenset({"ana@x.example"})))
    await sweep(context)
    assert await contents(context) == [b""]
    async with context.sessions() as session:
        assert len((await session.scalars(select(Suppression))).all()) == 1


async def test_what_another_buyers_failed_order_mentions_is_kept_for_its_replay(context, brand, shop):
    body = paid(1, {"email": "ben@x.example"}, currency="XXQ", note="a present for ana@x.example")
    await deliver(context, shop, paid(2, {"email": "ana@x.example"}), body)
    await erase(context, brand, (await customer(context, "ana@x.example")).id)
    await sweep(context)
    assert [bool(each) for each in await contents(context)] == [False, True]


async def test_a_number_that_a_family_shares_erases_one_of_them(context, brand, shop):
    await deliver(
        context,
        shop,
        paid(1, {"email": "ana@x.example", "phone": "+31612345678"}),
        paid(2, {"email": "ben@x.example", "phone": "+31612345678"}),
        paid(3, {"email": "ben@x.example", "phone": "+31612345678"}, currency="XXQ"),
    )
    await erase(context, brand, (await customer(context, "ana@x.example")).id)
    await sweep(context)
    assert [bool(each) for each in await contents(context)] == [False, True, True]
    assert (await customer(context, "ben@x.example")).phone == "+31612345678"


async def test_who_changed_their_address_is_erased_under_both(context, brand, shop):
    await deliver(
        context,
        shop,
        paid(1, {"id": "c1", "email": "old@x.example", "phone": "+31612345678"}),
        paid(2, {"id": "c1", "email": "new@x.example"}),
        paid(3, {"email": "other@x.example"}),
        event("customer.erased", {"id": "c1", "email": "new@x.example"}),
    )
    assert {each.email for each in await rows(context, Customer)} == {None, "other@x.example"}
    assert [bool(body) for body in await contents(context)] == [False, False, True, False]
    async with context.sessions() as session:
        for table in (CustomerReference, FormerReference):
            assert (await session.scalars(select(table.external_id))).all() == []


async def test_a_tills_account_is_nobodys_identity(context, brand, shop):
    people = [{"id": "till", "email": f"p{number}@x.example"} for number in range(6)]
    await deliver(context, shop, *(paid(place, person) for place, person in enumerate(people)))
    await deliver(context, shop, event("customer.erased", {"id": "till"}))
    left = {each.email for each in await rows(context, Customer)}
    assert left == {None, *(f"p{number}@x.example" for number in range(5))}


async def test_a_former_number_is_erased_and_suppressed(context, brand, shop):
    await deliver(
        context,
        shop,
        paid(1, {"email": "ana@x.example", "phone": "+31612345678"}),
        paid(2, {"email": "ana@x.example", "phone": "+31687654321"}),
        paid(3, {"phone": "+31612345678"}, currency="XXQ"),
    )
    person = await customer(context, "ana@x.example")
    assert person.phone == "+31687654321"
    await erase(context, brand, person.id)
    await sweep(context)
    assert await contents(context) == [b""] * 3
    async with context.sessions() as session:
        keys = set(await session.scalars(select(Suppression.address_key)))
    assert context.tokens.address_key("+31612345678") in keys


async def test_a_waiting_order_is_kept_without_the_person_and_others_are_untouched(context, brand, shop):
    await deliver(context, shop, paid(1, {"id": "c1", "email": "ana@x.example"}))
    ana = await customer(context, "ana@x.example")
    await store(
        context,
        shop,
        paid(
            2,
            {"id": "c1", "email": "ana@x.example", "first_name": "Anaconda"},
            shipping_address={"line1": "1 Snake St", "country": "NL"},
            tags=["Anaconda"],
        ),
        event("customer.updated", {"id": "c1", "first_name": "Anaconda"}),
        paid(3, {"email": "ben@x.example"}),
    )
    await erase(context, brand, ana.id)
    assert [bool(each) for each in await contents(context)] == [False, True, True, True]
    await sweep(context)
    orders = {order.external_id: order for order in await rows(context, Order)}
    assert orders["2"].customer_id == ana.id
    assert (orders["2"].total, orders["2"].address_key, orders["2"].tags) == (8000, None, [])
    assert orders["3"].customer_id == (await customer(context, "ben@x.example")).id
    assert [bool(each) for each in await contents(context)] == [False, False, False, True]
    assert len(await rows(context, Customer)) == 2
    surveys = {survey.order_id: survey for survey in await rows(context, Survey)}
    assert surveys[orders["2"].id].reason == "no_address"
    assert surveys[orders["3"].id].status == "planned"


async def test_a_waiting_delivery_that_fails_in_its_turn_is_emptied(context, brand, shop):
    await deliver(context, shop, paid(1, {"email": "ana@x.example"}))
    await store(
        context,
        shop,
        paid(2, {"email": "ana@x.example"}, currency="XXQ"),
        event("cart.abandoned", {"email": "ana@x.example"}),
    )
    await erase(context, brand, (await customer(context, "ana@x.example")).id)
    for minutes in (0, 3, 6):
        await due.sweep_once(erase_sweep.sweep(context), NOW + timedelta(minutes=minutes))
    assert all((await contents(context))[1:])
    await sweep(context, NOW + timedelta(hours=1))
    assert await contents(context) == [b""] * 3


async def test_a_replayed_delivery_from_before_the_erasure_brings_nobody_back(context, brand, shop):
    await deliver(context, shop, paid(1, {"email": "ana@x.example"}))
    body = paid(2, {"email": "ben@x.example"}, currency="XXQ")
    body["data"]["customer"]["email"] = "ben@x.example"
    await deliver(context, shop, body)
    failed = (await rows(context, Delivery))[1]
    await erase(context, brand, (await customer(context, "ana@x.example")).id)
    repaired = json.dumps(paid(2, {"email": "ana@x.example"})).encode()
    async with context.sessions.begin() as session:
        await session.execute(update(Delivery).where(Delivery.id == failed.id).values(body=repaired))
        await replay(session, brand.id, failed.id, actor=cli_actor(brand.id))
    await sweep(context)
    assert [each.email for each in await rows(context, Customer)] == [None]


async def test_an_order_after_the_erasure_belongs_to_a_new_customer(context, brand, shop):
    await deliver(context, shop, paid(1, {"email": "ana@x.example"}))
    await erase(context, brand, (await customer(context, "ana@x.example")).id)
    await deliver(context, shop, paid(2, {"email": "ana@x.example"}))
    assert {each.email for each in await rows(context, Customer)} == {None, "ana@x.example"}
    assert {survey.status for survey in await rows(context, Survey)} == {"skipped"}


async def test_a_transaction_beside_the_erasure_leaves_nothing_after_the_second_pass(context, brand, shop):
    await deliver(context, shop, paid(1, {"email": "ana@x.example"}))
    ana = await customer(context, "ana@x.example")
    await erase(context, brand, ana.id)
    await sweep(context)
    async with context.sessions.begin() as session:
        await session.execute(text("UPDATE deliveries SET body = 'late'"))
        await session.execute(update(Order).values(address_key=b"late"))
    await sweep(context, NOW + timedelta(minutes=1))
    assert await contents(context) == [b"late"]
    await sweep(context, NOW + erase_sweep.BETWEEN_PASSES)
    assert await contents(context) == [b""]
    assert [order.address_key for order in await rows(context, Order)] == [None]
    assert [each.due_at for each in await rows(context, Erasure)] == [None]


async def test_erasing_beside_processing_neither_deadlocks_nor_waits_for_its_lock(context, brand, shop):
    people = [{"id": f"c{number}", "email": f"p{number}@x.example"} for number in range(20)]
    await deliver(context, shop, *(paid(place, person) for place, person in enumerate(people)))
    ids = [each.id for each in await rows(context, Customer)]
    await store(context, shop, *(paid(100 + place, person) for place, person in enumerate(people)))
    await asyncio.gather(
        due.sweep_once(process.sweep(context), NOW), *(erase(context, brand, each) for each in ids)
    )
    await sweep(context)
    await sweep(context, NOW + erase_sweep.BETWEEN_PASSES)
    assert len(await rows(context, Order)) == 40
    async with context.sessions.begin() as session:
        await session.execute(
            text("SELECT pg_advisory_xact_lock(:turn, :brand)"), {"turn": 0x7E50, "brand": brand.id}
        )
        async with asyncio.timeout(20):
            await erase(context, brand, ids[0])
            await due.sweep_once(erase_sweep.sweep(context), NOW)


async def test_the_step_audits_who_erased_whom_without_personal_values(context, brand, shop):
    await deliver(context, shop, paid(1, {"email": "ana@x.example"}))
    ana = await customer(context, "ana@x.example")
    await erase(context, brand, ana.id)
    async with context.sessions() as session:
        (entry,) = await session.scalars(
            select(AuditEntry).where(AuditEntry.action == AuditAction.customer_erased)
        )
        assert (entry.actor_kind, entry.subject_id, entry.fields) == ("cli", ana.id, [])
        values = select(AuditValue).where(AuditValue.entry_id == entry.id)
        assert (await session.scalars(values)).all() == []


async def test_another_brands_person_with_the_same_address_stays(context, brand, shop):
    async with context.sessions.begin() as session:
        rival = await add_brand(session, "rival", name="Rival")
        theirs, _ = await add_shop(
            session, context.tokens, rival, "rival", name="Rival", actor=cli_actor(rival.id)
        )
    for each in (shop, theirs):
        await deliver(context, each, paid(1, {"email": "ana@x.example"}))
    mine = (await rows(context, Customer, Customer.brand_id == brand.id))[0]
    await erase(context, brand, mine.id)
    await sweep(context)
    assert [each.email for each in await rows(context, Customer)] == [None, "ana@x.example"]
    async with context.sessions() as session:
        assert set(await session.scalars(select(ErasedIdentity.brand_id))) == {brand.id}
