"""Which customers a processed delivery names."""

import json

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.base import due
from app.base.actor import cli_actor
from app.brands.add import add_brand, add_shop
from app.customers.models import Customer
from app.ingest import process
from app.ingest.links import link_customers
from app.ingest.models import Delivery, DeliveryCustomer
from app.ingest.rules import CustomerLink
from app.ingest.store import NewDelivery, store_deliveries
from tests.support.constants import NOW


def person(number: int) -> dict:
    return {"id": f"c{number}", "email": f"person{number}@example.com"}


def paid(number: int, customer: dict | None) -> dict:
    data = {"id": str(number), "currency": "EUR", "total": "80.00", "customer": customer}
    return {"type": "order.paid", "timestamp": NOW.isoformat(), "data": data}


def event(kind: str, data: dict) -> dict:
    return {"type": kind, "timestamp": NOW.isoformat(), "data": data}


async def process_bodies(context, shop, *bodies: tuple[str, dict]) -> None:
    async with context.sessions.begin() as session:
        for name, body in bodies:
            raw = json.dumps(body).encode()
            delivery = NewDelivery(shop.brand_id, shop.id, "checkout", "t", name, raw, NOW)
            await store_deliveries(session, [delivery])
    await due.sweep_once(process.sweep(context), NOW)


async def links(context) -> set[tuple[str, str | None]]:
    """Pairs of a delivery's external id and the e-mail address of a customer it names."""
    async with context.sessions() as session:
        found = await session.execute(
            select(Delivery.external_id, Customer.email)
            .join(DeliveryCustomer, DeliveryCustomer.delivery_id == Delivery.id)
            .join(Customer, Customer.id == DeliveryCustomer.customer_id)
        )
        return {(row.external_id, row.email) for row in found}


async def test_orders_and_updates_are_linked_to_their_customers(context, shop):
    await process_bodies(
        context,
        shop,
        ("first", paid(1, person(1))),
        ("repeated", paid(1, person(1))),
        ("other", paid(2, person(2))),
        ("update", event("customer.updated", person(1))),
        ("nobody", paid(3, None)),
        ("unused", event("cart.abandoned", {})),
    )
    assert await links(context) == {
        ("first", "person1@example.com"),
        ("repeated", "person1@example.com"),
        ("other", "person2@example.com"),
        ("update", "person1@example.com"),
    }


async def test_fact_is_linked_to_the_customer_of_its_order(context, shop):
    fact = {"order_id": "1", "at": NOW.isoformat()}
    refund = fact | {"refund_id": "r1", "amount": "1.00"}
    await process_bodies(
        context,
        shop,
        ("order", paid(1, person(1))),
        ("same batch", event("order.fulfilled", fact)),
        ("unknown order", event("order.fulfilled", fact | {"order_id": "9"})),
    )
    await process_bodies(context, shop, ("later batch", event("order.refunded", refund)))
    assert await links(context) == {
        (name, "person1@example.com") for name in ("order", "same batch", "later batch")
    }


async def test_erasure_is_linked_to_the_customers_it_erased(context, shop):
    await process_bodies(context, shop, ("order", paid(1, person(1))), ("other", paid(2, person(2))))
    await process_bodies(
        context,
        shop,
        ("erasure", event("customer.erased", {"id": "c1", "email": "person1@example.com"})),
        ("of nobody", event("customer.erased", {"email": "nobody@example.com"})),
    )
    assert await links(context) == {
        ("order", None),
        ("erasure", None),
        ("other", "person2@example.com"),
    }


async def test_failed_delivery_has_no_links_until_it_is_processed(context, shop):
    await process_bodies(context, shop, ("bad", paid(1, person(1)) | {"data": {"id": "1"}}))
    assert await links(context) == set()


async def test_known_link_changes_nothing(context, shop):
    await process_bodies(context, shop, ("a", paid(1, person(1))), ("b", paid(2, person(2))))
    async with context.sessions.begin() as session:
        known = (await session.scalars(select(DeliveryCustomer))).all()
        again = [CustomerLink(one.delivery_id, one.customer_id) for one in known]
        await link_customers(session, shop.brand_id, again)
    assert len(await links(context)) == 2


async def test_customer_of_another_brand_cannot_be_linked(context, shop):
    async with context.sessions.begin() as session:
        other = await add_brand(session, "other", name="Other")
        theirs, _ = await add_shop(
            session, context.tokens, other, "theirs", name="Theirs", actor=cli_actor(other.id)
        )
    await process_bodies(context, shop, ("ours", paid(1, person(1))))
    await process_bodies(context, theirs, ("theirs", paid(1, person(1))))
    async with context.sessions() as session:
        delivery = await session.scalar(select(Delivery.id).where(Delivery.external_id == "ours"))
        customer = await session.scalar(select(Customer.id).where(Customer.brand_id == other.id))
        with pytest.raises(IntegrityError):
            await link_customers(session, shop.brand_id, [CustomerLink(delivery, customer)])
