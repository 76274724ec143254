"""Customers, identified as from a delivery."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.base.context import AppContext
from app.base.ids import new_id
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.customers.identify import identify
from app.customers.models import Customer
from app.customers.person import ConsentStatement, Person
from tests.support.constants import NOW

DETAILS: dict[str, Any] = {"first_name": "Ana", "time_zone": "Europe/Berlin", "country": "FR"}
"""In France an e-mail needs no consent."""


def new_email() -> str:
    """An address that no other customer has."""
    return f"ana.{new_id().hex}@example.com"


async def make_customer(
    context: AppContext, brand: Brand, *, consents: Mapping[Channel, bool] | None = None, **given: Any
) -> UUID:
    """A customer `Ana` with an address of her own; fields of `Person` may be given otherwise."""
    stated = {
        f"{channel}_consent": ConsentStatement(given=is_given, at=NOW)
        for channel, is_given in (consents or {}).items()
    }
    person = Person(**({"email": new_email()} | DETAILS | stated | given))
    async with context.sessions.begin() as session:
        query = select(Shop).where(Shop.brand_id == brand.id).order_by(Shop.id).limit(1)
        shop = (await session.scalars(query)).one()
        [customer_id] = await identify(session, brand, shop, [person], now=NOW)
    assert customer_id is not None, "a customer needs an address"
    return customer_id


async def put_customer(context: AppContext, brand: Brand, **given: Any) -> UUID:
    """A customer's row as no delivery makes it: without an address, or with another one's
    identity."""
    customer_id = new_id()
    address = new_email()
    values = {"id": customer_id, "email": address, "email_key": address} | DETAILS | given
    async with context.sessions.begin() as session:
        session.add(Customer(brand_id=brand.id, **values))
    return customer_id
