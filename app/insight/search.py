"""Find people by what somebody has before them: a name, an address, an order, a code, an id."""

from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, cast, literal_column, select, true
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.base.batch import in_ids
from app.base.errors import NotFound
from app.base.ids import parse_public_id
from app.base.tokens import plain_code
from app.brands.models import Shop
from app.customers.contact import email_identity, phone_e164
from app.customers.models import Customer
from app.customers.word_rules import PERSON_WORDS, words_query
from app.orders.models import Order
from app.referrals.models import Code, Referrer

MOST = 20
"""People that are found by one word at most."""
_SHORTEST_NUMBER = 2
"""Signs of an order's number by which those that begin with them are found."""
_WORDS: ColumnElement[str] = literal_column(PERSON_WORDS, TSVECTOR)


class FoundBy(StrEnum):
    """By what a person was found."""

    id = "id"
    email = "email"
    phone = "phone"
    order = "order"
    code = "code"
    name = "name"


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """A customer, and what of them was searched for."""

    customer_id: UUID
    by: FoundBy


async def find_people(
    session: AsyncSession,
    brand_id: int,
    text: str,
    *,
    pii: bool,
    shops: Collection[UUID] | None = None,
    visible: ColumnElement[bool] | None = None,
) -> list[FoundPerson]:
    """The people of a brand with this very e-mail address, number, order, code or id.

    Where there are none: some, at most `MOST` of each kind, whose order's number begins with it, or
    whose name or e-mail address has these words, first as they are and then as beginnings. Orders
    are found by their number, also without `#`, and by their id in the shop. Names, addresses and
    telephone numbers are looked up only with `pii`, since else they could be guessed. Orders and
    codes are those of `shops`, and beginnings of names those of customers that are `visible`; None:
    of all. Every look-up reads an index, by a key or a beginning.
    """
    found: dict[UUID, FoundBy] = {}
    for by, query in _queries(brand_id, text.strip(), shops, pii=pii):
        for customer_id in await session.scalars(query.limit(MOST)):
            if customer_id is not None:
                found.setdefault(customer_id, by)
    if not found:
        async for customer_id in _by_number(session, brand_id, text.strip(), shops):
            found.setdefault(customer_id, FoundBy.order)
        if pii:
            async for customer_id, by in _by_name(session, brand_id, text.strip(), visible):
                found.setdefault(customer_id, by)
    return [FoundPerson(customer_id, by) for customer_id, by in found.items()]


def _queries(
    brand_id: int, text: str, shops: Collection[UUID] | None, *, pii: bool
) -> Iterator[tuple[FoundBy, Select[UUID | None]]]:
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
        buyers = select(Order.customer_id).where(
            Order.brand_id == brand_id, condition, _of_shops(Order.shop_id, shops)
        )
        yield FoundBy.order, buyers.order_by(Order.id.desc())
    codes = (
        select(Referrer.customer_id)
        .join(Code, (Code.brand_id == Referrer.brand_id) & (Code.referrer_id == Referrer.id))
        .where(Code.brand_id == brand_id, Code.code == plain_code(text), _of_shops(Referrer.shop_id, shops))
    )
    yield FoundBy.code, codes


def _of_shops(column: InstrumentedAttribute[UUID], shops: Collection[UUID] | None) -> ColumnElement[bool]:
    return true() if shops is None else in_ids(column, sorted(shops))


def _orders(brand_id: int, text: str) -> Iterator[ColumnElement[bool]]:
    """The conditions that find orders, each with an index of its own."""
    number = text.removeprefix("#")
    yield Order.number.in_((text, number, f"#{number}"))
    yield Order.shop_id.in_(select(Shop.id).where(Shop.brand_id == brand_id)) & (Order.external_id == text)
    row_id = _id_of("ord", text)
    if row_id is not None:
        yield Order.id == row_id


async def _by_number(
    session: AsyncSession, brand_id: int, text: str, shops: Collection[UUID] | None
) -> AsyncIterator[UUID]:
    """The people of at most `MOST` orders whose number begins so, with and without `#` each."""
    number = text.removeprefix("#")
    if len(number) < _SHORTEST_NUMBER:
        return
    for start in (number, f"#{number}"):
        buyers = select(Order.customer_id).where(
            Order.brand_id == brand_id,
            Order.number.startswith(start, autoescape=True),
            Order.customer_id.is_not(None),
            _of_shops(Order.shop_id, shops),
        )
        for customer_id in await session.scalars(_some(buyers, MOST)):
            yield customer_id


async def _by_name(
    session: AsyncSession, brand_id: int, text: str, visible: ColumnElement[bool] | None
) -> AsyncIterator[tuple[UUID, FoundBy]]:
    """At most `MOST` people with these words, and where they are fewer as many with beginnings."""
    for whole in (True, False):
        words = words_query(brand_id, text, whole=whole)
        if words is None:
            return
        people = _named(brand_id, words)
        query = _some(people if visible is None else people.where(visible), MOST)
        rows = (await session.execute(query)).all()
        for row in rows:
            begins_address = row.email is not None and row.email.startswith(text.lower())
            yield row.id, FoundBy.email if begins_address else FoundBy.name
        if len(rows) == MOST:
            return


def _named(brand_id: int, words: str) -> Select[UUID, str | None]:
    having = _WORDS.op("@@")(cast(words, TSQUERY))
    return select(Customer.id, Customer.email).where(Customer.brand_id == brand_id, having)


def _some(query: Select[*tuple[Any, ...]], limit: int) -> Select[*tuple[Any, ...]]:
    """At most `limit` rows of a query that is planned as if all were wanted.

    Where it is known that few are, the database may read the whole table until it has met them.
    """
    return select(query.cte("found").prefix_with("MATERIALIZED")).limit(limit)


def _id_of(prefix: str, text: str) -> UUID | None:
    try:
        return parse_public_id(prefix, text)
    except NotFound:
        return None
