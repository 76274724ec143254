"""Deliveries of a shop's own checkout: made, stored one after the other, and processed."""

import json
from datetime import timedelta

from sqlalchemy import func, select

from app.base import due
from app.customers.identify import identify
from app.customers.person import Person
from app.ingest import process
from app.ingest.models import Delivery
from app.ingest.store import NewDelivery, store_deliveries
from app.referrals.issue import issue_offers
from app.referrals.models import Code, Referrer
from app.referrals.new_codes import NewReferrer
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


def told(kind: str, number: object, *, hours: int = 0, **changes: object) -> dict:
    """An order as its shop reports it some hours after it was placed."""
    at = (NOW + timedelta(hours=hours)).isoformat()
    return {"type": f"order.{kind}", "timestamp": at, "data": order(number, **changes)}


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


async def deliveries(context) -> list[Delivery]:
    async with context.sessions() as session:
        return list(await session.scalars(select(Delivery).order_by(Delivery.sequence)))


async def count(context, table) -> int:
    async with context.sessions() as session:
        return await session.scalar(select(func.count()).select_from(table))


async def code_of(context, brand, shop, name: str = "referrer") -> str:
    """The code of a referrer."""
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
        return await session.scalar(
            select(Code.code)
            .join(Referrer, Referrer.id == Code.referrer_id)
            .where(Referrer.customer_id == customer)
        )
