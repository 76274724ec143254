"""Suppress texts to a person who replied STOP, for every brand that uses the number."""

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
    """Suppress texts to this number (E.164) for every brand that has it.

    All brands share one messaging service. For a brand that gets the number later the provider
    refuses the text, since it stores the STOP too.
    """
    knows = select(Customer.id).where(Customer.brand_id == Brand.id, Customer.phone == phone)
    brands = await session.scalars(select(Brand.id).where(knows.exists()).order_by(Brand.id))
    for brand_id in brands.all():
        await suppress(session, tokens, brand_id, Channel.sms, [phone], SuppressionReason.stopped, now=now)
