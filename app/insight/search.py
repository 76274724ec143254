"""Find people by what somebody has before them: an address, an order, a code, an id."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.errors import NotFound
from app.base.ids import parse_public_id
from app.base.tokens import plain_code
from app.brands.models import Shop
from app.customers.contact import email_identity, phone_e164
from app.customers.models import Customer
from app.orders.models import Order
from app.referrals.models import Code, Referrer

MOST = 20
"""People that are found by one word at most."""


class FoundBy(StrEnum):
    """By what a person was found."""

    id = "id"
    email = "email"
    phone = "phone"
    order = "order"
    code = "code"


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """A customer, and what of them was searched for."""

    customer_id: UUID
    by: FoundBy


async def find_people(session: AsyncSession, brand_id: int, text: str, *, pii: bool) -> list[FoundPerson]:
    """The people of a brand with this very e-mail address, number, order, code or id.

    Each is one look-up by a key; addresses and numbers are looked up only with `pii`, since else
    they could be guessed. Orders are found by their number, also without `#`, and by their id in
    the shop.
    """
    found: dict[UUID, FoundBy] = {}
    for by, query in _queries(brand_id, text.strip(), pii=pii):
        for customer_id in await session.scalars(query.limit(MOST)):
            if customer_id is not None:
                found.setdefault(customer_id, by)
    return [FoundPerson(customer_id, by) for customer_id, by in found.items()]


def _queries(brand_id: int, text: str, *, pii: bool) -> Iterator[tuple[FoundBy, Select[UUID | None]]]:
    if not text:
        return
    people = select(Customer.id).where(Customer.brand_id == brand_id)
    row_id = _id_of("cus", text)
    if row_id is not None:
        yield FoundBy.id, people.where(Customer.id == row_id)
    if pii and (email := email_identity(text)):
        yield FoundBy.email, people.where(Customer.email == email)
    if pii and (phone := phone_e164(text, [])):
        yield FoundBy.phone, people.where(Customer.phone == phone)
    for condition in _orders(brand_id, text):
        buyers = select(Order.customer_id).where(Order.brand_id == brand_id, condition)
        yield FoundBy.order, buyers.order_by(Order.id.desc())
    codes = (
        select(Referrer.customer_id)
        .join(Code, (Code.brand_id == Referrer.brand_id) & (Code.referrer_id == Referrer.id))
        .where(Code.brand_id == brand_id, Code.code == plain_code(text))
    )
    yield FoundBy.code, codes


def _orders(brand_id: int, text: str) -> Iterator[ColumnElement[bool]]:
    """The conditions that find orders, each with an index of its own."""
    number = text.removeprefix("#")
    yield Order.number.in_((text, number, f"#{number}"))
    yield Order.shop_id.in_(select(Shop.id).where(Shop.brand_id == brand_id)) & (Order.external_id == text)
    row_id = _id_of("ord", text)
    if row_id is not None:
        yield Order.id == row_id


def _id_of(prefix: str, text: str) -> UUID | None:
    try:
        return parse_public_id(prefix, text)
    except NotFound:
        return None
