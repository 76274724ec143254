"""A person who texts STOP hears from no brand behind that number any more."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.tokens import Tokens
from app.brands.models import Brand
from app.brands.programme import Channel
from app.customers.consent import suppress
from app.customers.models import Customer
from app.customers.rules import SuppressionReason


async def stop_texts(session: AsyncSession, tokens: Tokens, phone: str, *, now: datetime) -> None:
    """Suppress texts to this number (E.164) for every brand that knows it: one messaging service serves them all.

    A brand that gets to know the number later is refused by the carrier, which keeps the STOP too.
    """
    knows = select(Customer.id).where(Customer.brand_id == Brand.id, Customer.phone == phone)
    brands = await session.scalars(select(Brand.id).where(knows.exists()).order_by(Brand.id))
    for brand_id in brands.all():
        await suppress(session, tokens, brand_id, Channel.sms, [phone], SuppressionReason.stopped, now=now)
