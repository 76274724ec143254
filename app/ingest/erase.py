"""Forget people in every room, one step a room, and empty the raw deliveries that name them."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, case, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids, in_texts
from app.base.tokens import Tokens
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.customers.consent import suppress
from app.customers.contact import email_identity, phone_e164, shop_regions
from app.customers.erase import erase_customer
from app.customers.models import Customer, CustomerReference
from app.customers.rules import SuppressionReason
from app.ingest.models import Delivery
from app.ingest.rules import DeliveryStatus, ParsedEvent
from app.messaging.erase import erase_messages
from app.orders.erase import erase_orders
from app.platforms.events import CustomerErased
from app.referrals.erase import erase_referrals
from app.surveys.erase import erase_responses

EMPTIED = "A person it names was erased."
_PHONE_DIGITS = 8
"""A number's last digits are the same in every spelling of it."""


async def erase_requested(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    shops: Mapping[UUID, Shop],
    said: Sequence[ParsedEvent],
    *,
    now: datetime,
) -> None:
    """Forget whom shops ask us to forget. An address that nobody has is suppressed all the same: its order may still be on the way."""
    asked = [(each.shop_id, each.event) for each in said if isinstance(each.event, CustomerErased)]
    emails = {email for _, event in asked if (email := email_identity(event.email))}
    phones = {
        phone for shop_id, event in asked if (phone := phone_e164(event.phone, _regions(shops[shop_id])))
    }
    ids = await _find(session, brand.id, asked, emails, phones)
    await erase_people(
        session,
        tokens,
        brand,
        ids,
        now=now,
        emails=emails,
        phones=phones,
        upto=max(each.sequence for each in said),
    )
    await suppress(
        session, tokens, brand.id, Channel.email, sorted(emails), SuppressionReason.erased, now=now
    )


def _regions(shop: Shop) -> tuple[str, ...]:
    return shop_regions(shop.locale, shop.time_zone, shop.currency)


async def _find(
    session: AsyncSession,
    brand_id: int,
    asked: Sequence[tuple[UUID, CustomerErased]],
    emails: Collection[str],
    phones: Collection[str],
) -> list[UUID]:
    """By the shop's name for them, by e-mail, and by phone those who have no e-mail: families share a number."""
    named = [
        and_(CustomerReference.shop_id == shop_id, in_texts(CustomerReference.external_id, external_ids))
        for shop_id in sorted({shop_id for shop_id, _ in asked})
        if (
            external_ids := [
                event.external_id for shop, event in asked if shop == shop_id and event.external_id
            ]
        )
    ]
    found: set[UUID] = set()
    if named:
        found |= set(
            await session.scalars(
                select(CustomerReference.customer_id).where(
                    CustomerReference.brand_id == brand_id, or_(*named)
                )
            )
        )
    of_address = or_(
        in_texts(Customer.email, sorted(emails)),
        and_(Customer.email.is_(None), in_texts(Customer.phone, sorted(phones))),
    )
    found |= set(await session.scalars(select(Customer.id).where(Customer.brand_id == brand_id, of_address)))
    return sorted(found)


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
    """Wipe what every room holds of these customers; amounts and scores stay under a surrogate.

    Raw deliveries that hold one of their addresses, or of `emails` and `phones`, are emptied, up to the one with the number `upto`.
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
    every_email = {*emails, *(row.email for row in known if row.email)}
    every_phone = {*phones, *(row.phone for row in known if row.phone)}
    await _empty_deliveries(session, brand.id, every_email, every_phone, upto)


async def _empty_deliveries(
    session: AsyncSession, brand_id: int, emails: Collection[str], phones: Collection[str], upto: int | None
) -> None:
    """No index finds an address in a raw body; being asked to forget is rare enough to read them all."""
    spellings = [_spelling(email) for email in sorted(emails)]
    spellings += ["[^0-9]{0,3}".join(phone[-_PHONE_DIGITS:]) for phone in sorted(phones)]
    if not spellings:
        return
    was_failed = Delivery.status == DeliveryStatus.failed
    await session.execute(
        update(Delivery)
        .where(
            Delivery.brand_id == brand_id,
            Delivery.body != b"",
            *([] if upto is None else [Delivery.sequence <= upto]),
            func.encode(Delivery.body, "escape").op("~*")("|".join(spellings)),
        )
        # There is nothing left to replay of one that failed.
        .values(
            body=b"",
            status=case((was_failed, DeliveryStatus.ignored), else_=Delivery.status),
            reason=case((was_failed, EMPTIED), else_=Delivery.reason),
        )
        .execution_options(synchronize_session=False)
    )


def _spelling(email: str) -> str:
    """A pattern for the address inside JSON, where other than ASCII letters are escaped in one way or another."""
    return "".join(re.escape(letter) if letter.isascii() else ".{1,12}" for letter in email)
