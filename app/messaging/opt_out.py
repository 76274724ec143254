"""STOP and START by text: for every brand that sends by the account whose number got it."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import exists, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.tokens import Tokens
from app.brands.models import Shop
from app.brands.programme import Channel
from app.customers.consent import lift_suppression, suppress
from app.customers.models import Customer
from app.customers.rules import SuppressionReason


async def stop_texts(
    session: AsyncSession, tokens: Tokens, phone: str, brands: Collection[int] | None = None, *, now: datetime
) -> None:
    """Suppress texts to this number (E.164) for every one of the brands that has it.

    None stands for all: they share the installation's messaging service. For a brand that gets the
    number later the provider refuses the text, since it stores the STOP too.
    """
    for brand_id in await _brands(session, phone, brands):
        await suppress(session, tokens, brand_id, Channel.sms, [phone], SuppressionReason.stopped, now=now)


async def start_texts(
    session: AsyncSession, tokens: Tokens, phone: str, brands: Collection[int] | None = None, *, now: datetime
) -> None:
    """Lift the STOP of this number (E.164) for every one of the brands that has it.

    Only what the person did by text: an unsubscription on a brand's page, a bounce or an erasure
    stays, and no consent is added. A text still needs the consent that was given before the STOP.
    """
    reason = SuppressionReason.stopped
    for brand_id in await _brands(session, phone, brands):
        await lift_suppression(session, tokens, brand_id, Channel.sms, phone, reason, now=now)


async def _brands(session: AsyncSession, phone: str, among: Collection[int] | None) -> Sequence[int]:
    """The brands that know the number, each found by its index on numbers."""
    chosen = true() if among is None else Shop.brand_id.in_(among)
    knows = exists().where(Customer.brand_id == Shop.brand_id, Customer.phone == phone)
    return (
        await session.scalars(select(Shop.brand_id).where(knows, chosen).distinct().order_by(Shop.brand_id))
    ).all()
