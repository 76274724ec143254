"""Find referrers by what somebody has before them: a code, a link, an address, an id."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.errors import NotFound
from app.base.ids import parse_public_id
from app.base.tokens import plain_code
from app.brands.models import Shop
from app.customers.contact import email_identity, phone_e164
from app.customers.models import Customer
from app.referrals.models import Code, Referrer

MOST = 20
"""Referrers who are found by one text at most."""


async def find_referrers(session: AsyncSession, brand_id: int, text: str, *, pii: bool) -> list[UUID]:
    """The referrers with this very code, link, e-mail address, phone number or id.

    An id is a referrer's or a customer's. Each is one look-up by a key; addresses and numbers are
    looked up only with `pii`, since else they could be guessed.
    """
    found: dict[UUID, None] = {}
    for query in _queries(brand_id, text.strip(), pii=pii):
        for referrer_id in await session.scalars(query.limit(MOST)):
            found.setdefault(referrer_id)
    return list(found)


async def home_shop_of(session: AsyncSession, brand_id: int, referrer_id: UUID) -> Shop:
    """The shop to which a referrer's link leads; raises NotFound for no referrer."""
    shop = await session.scalar(
        select(Shop)
        .join(Referrer, (Referrer.brand_id == Shop.brand_id) & (Referrer.shop_id == Shop.id))
        .where(Referrer.brand_id == brand_id, Referrer.id == referrer_id)
    )
    if shop is None:
        raise NotFound
    return shop


def _queries(brand_id: int, text: str, *, pii: bool) -> Iterator[Select[UUID]]:
    if not text:
        return
    referrers = select(Referrer.id).where(Referrer.brand_id == brand_id)
    for prefix, column in (("ref", Referrer.id), ("cus", Referrer.customer_id)):
        if (row_id := _id_of(prefix, text)) is not None:
            yield referrers.where(column == row_id)
    yield select(Code.referrer_id).where(Code.brand_id == brand_id, Code.code == plain_code(text))
    yield referrers.where(Referrer.slug == text.rstrip("/").rpartition("/")[2].lower())
    for condition in _addresses(text) if pii else ():
        yield referrers.join(
            Customer, (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id)
        ).where(Customer.brand_id == brand_id, condition)


def _addresses(text: str) -> Iterator[ColumnElement[bool]]:
    if email := email_identity(text):
        yield Customer.email == email
    if phone := phone_e164(text, []):
        yield Customer.phone == phone


def _id_of(prefix: str, text: str) -> UUID | None:
    try:
        return parse_public_id(prefix, text)
    except NotFound:
        return None
