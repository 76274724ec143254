"""A customer's own links, for the shop's thank-you page, order mails and status page."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.tokens import Tokens
from app.brands.models import Shop
from app.orders.models import Order
from app.surveys.models import Survey
from app.surveys.rules import OPEN


@dataclass(frozen=True, slots=True)
class OrderLinks:
    """Whose order it is, and where its survey can be answered now."""

    customer_id: UUID | None
    survey_url: str | None
    """None until the survey's message was queued, and once it was answered or has expired."""


async def find_order_links(
    session: AsyncSession,
    tokens: Tokens,
    public_url: str,
    shop: Shop,
    order_id: str,
    *,
    now: datetime,
) -> OrderLinks | None:
    """The links of a shop's order by the shop's own id; None for an unknown one.

    It is the link of the survey's message, so that an order has one survey wherever it is answered.
    """
    row = (
        await session.execute(
            select(Order.customer_id, Survey.id, Survey.status, Survey.expires_at)
            .join(Survey, (Survey.brand_id == Order.brand_id) & (Survey.order_id == Order.id), isouter=True)
            .where(Order.brand_id == shop.brand_id, Order.shop_id == shop.id, Order.external_id == order_id)
        )
    ).first()
    if row is None:
        return None
    is_open = row.status in OPEN and (row.expires_at is None or row.expires_at > now)
    url = f"{public_url}/s/{tokens.link('survey', shop.brand_id, row.id)}" if is_open else None
    return OrderLinks(row.customer_id, url)
