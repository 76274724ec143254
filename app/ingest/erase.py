"""Erase people in every package, one step each, and empty the raw deliveries that name them."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import QueryableAttribute

from app.base.audit import erase_audit_values
from app.base.batch import in_ids, in_texts, recordset
from app.base.tokens import Tokens
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.customers.consent import suppress
from app.customers.contact import email_identity, phone_e164
from app.customers.erase import erase_customer
from app.customers.models import Customer, CustomerReference
from app.customers.places import shop_regions
from app.customers.rules import SuppressionReason
from app.ingest.models import Delivery, DeliveryFetch
from app.ingest.rules import DeliveryStatus, ParsedEvent
from app.messaging.erase import erase_messages
from app.orders.erase import erase_orders
from app.platforms.events import CustomerErased
from app.referrals.erase import erase_referrals
from app.referrals.models import Redemption, Referrer
from app.surveys.erase import erase_responses

EMPTIED = "A person it names was erased."
_PHONE_DIGITS = 8
"""The last digits of a number, which are the same in every spelling."""


async def erase_requested(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    shops: Mapping[UUID, Shop],
    events: Sequence[ParsedEvent],
    *,
    now: datetime,
) -> dict[ParsedEvent, set[UUID]]:
    """Erase the customers that `customer.erased` events name; returns who was found for each event.

    An address that no customer has is suppressed all the same, since its order may come later.
    """
    wanted = {each: _wanted(each, shops) for each in events}
    found = await _find(session, brand.id, list(wanted.values()))
    emails = {one.email for one in wanted.values() if one.email}
    await erase_people(
        session,
        tokens,
        brand,
        sorted({customer_id for ids in found.values() for customer_id in ids}),
        now=now,
        emails=emails,
        phones={one.phone for one in wanted.values() if one.phone},
        upto=max(each.sequence for each in events),
    )
    await suppress(
        session, tokens, brand.id, Channel.email, sorted(emails), SuppressionReason.erased, now=now
    )
    return {each: found[one] for each, one in wanted.items()}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What identifies a person to be erased; every field may be absent."""

    shop_id: UUID
    external_id: str | None
    email: str | None
    phone: str | None


def _wanted(each: ParsedEvent, shops: Mapping[UUID, Shop]) -> _Wanted:
    event = each.event
    if not isinstance(event, CustomerErased):
        raise TypeError(f"{type(event).__name__} is no erasure")
    shop = shops[each.shop_id]
    regions = shop_regions(shop.locale, shop.time_zone, shop.currency)
    return _Wanted(
        each.shop_id,
        event.external_id or None,
        email_identity(event.email),
        phone_e164(event.phone, regions),
    )


async def _find(session: AsyncSession, brand_id: int, wanted: Sequence[_Wanted]) -> dict[_Wanted, set[UUID]]:
    """Find by the shop's id, by e-mail, and by phone those without an e-mail address.

    A phone number alone is no proof, since families share a number.
    """
    by_reference = await _find_references(session, brand_id, wanted)
    emails = {one.email for one in wanted if one.email}
    phones = {one.phone for one in wanted if one.phone}
    has_address = or_(
        in_texts(Customer.email, sorted(emails)),
        and_(Customer.email.is_(None), in_texts(Customer.phone, sorted(phones))),
    )
    rows = await session.execute(
        select(Customer.id, Customer.email, Customer.phone).where(Customer.brand_id == brand_id, has_address)
    )
    by_address: dict[str, set[UUID]] = {}
    for row in rows:
        by_address.setdefault(row.email or row.phone, set()).add(row.id)
    return {
        one: by_reference.get((one.shop_id, one.external_id or ""), set())
        | by_address.get(one.email or "", set())
        | by_address.get(one.phone or "", set())
        for one in wanted
    }


async def _find_references(
    session: AsyncSession, brand_id: int, wanted: Sequence[_Wanted]
) -> dict[tuple[UUID, str], set[UUID]]:
    rows = [{"shop_id": one.shop_id, "external_id": one.external_id} for one in wanted if one.external_id]
    if not rows:
        return {}
    given = recordset(rows, [CustomerReference.shop_id, CustomerReference.external_id])
    found = await session.execute(
        select(CustomerReference.shop_id, CustomerReference.external_id, CustomerReference.customer_id).where(
            CustomerReference.brand_id == brand_id,
            CustomerReference.shop_id == given.c.shop_id,
            CustomerReference.external_id == given.c.external_id,
        )
    )
    return {(row.shop_id, row.external_id): {row.customer_id} for row in found}


async def erase_people(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    customer_ids: Sequence[UUID],
    *,
    now: datetime,
    emails: Collection[str] = (),
    phones: Collection[str] = (),
    upto: int | None = None,
) -> None:
    """Delete the personal data of these customers; amounts and scores stay under their ids.

    Raw deliveries that hold one of their addresses, or one of `emails` and `phones`, are emptied:
    all of them, or those with a `sequence` of at most `upto`.
    """
    rows = await session.execute(
        select(Customer.email, Customer.phone).where(
            Customer.brand_id == brand.id, in_ids(Customer.id, customer_ids)
        )
    )
    known = rows.all()
    await erase_customer(session, tokens, brand.id, customer_ids, now=now)
    await erase_orders(session, brand.id, customer_ids)
    await erase_responses(session, brand.id, customer_ids)
    await erase_referrals(session, tokens, brand.id, customer_ids, now=now)
    await erase_messages(session, brand.id, customer_ids)
    referrers = select(Referrer.id).where(
        Referrer.brand_id == brand.id, in_ids(Referrer.customer_id, customer_ids)
    )
    about = select(Redemption.id).where(
        Redemption.brand_id == brand.id,
        or_(Redemption.referrer_id.in_(referrers), in_ids(Redemption.friend_id, customer_ids)),
    )
    await erase_audit_values(session, brand.id, customer_ids, about)
    every_email = {*emails, *(row.email for row in known if row.email)}
    every_phone = {*phones, *(row.phone for row in known if row.phone)}
    await _empty_deliveries(session, brand.id, every_email, every_phone, upto)


async def _empty_deliveries(
    session: AsyncSession, brand_id: int, emails: Collection[str], phones: Collection[str], upto: int | None
) -> None:
    """No index finds an address in a raw body; erasures are rare enough to read them all."""
    spellings = [_spelling(email) for email in sorted(emails)]
    spellings += ["[^0-9]{0,3}".join(phone[-_PHONE_DIGITS:]) for phone in sorted(phones)]
    if not spellings:
        return
    was_failed = Delivery.status == DeliveryStatus.failed
    fetched = exists().where(
        DeliveryFetch.brand_id == brand_id,
        DeliveryFetch.delivery_id == Delivery.id,
        _names(DeliveryFetch.body, spellings),
    )
    emptied = await session.scalars(
        update(Delivery)
        .where(
            Delivery.brand_id == brand_id,
            *([] if upto is None else [Delivery.sequence <= upto]),
            or_(_names(Delivery.body, spellings), fetched),
        )
        # A failed one has nothing left to replay.
        .values(
            body=b"",
            status=case((was_failed, DeliveryStatus.ignored), else_=Delivery.status),
            reason=case((was_failed, EMPTIED), else_=Delivery.reason),
        )
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    await session.execute(
        update(DeliveryFetch)
        .where(
            DeliveryFetch.brand_id == brand_id,
            in_ids(DeliveryFetch.delivery_id, list(emptied)),
            DeliveryFetch.body.is_not(None),
        )
        .values(body=b"")
        .execution_options(synchronize_session=False)
    )


def _names(body: QueryableAttribute[Any], spellings: Sequence[str]) -> ColumnElement[bool]:
    return and_(body != b"", func.encode(body, "escape").op("~*")("|".join(spellings)))


def _spelling(email: str) -> str:
    """A pattern for the address inside JSON, where non-ASCII letters have several escapes."""
    return "".join(re.escape(letter) if letter.isascii() else ".{1,12}" for letter in email)
