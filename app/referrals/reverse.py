"""Refunds, cancellations and deliveries, folded into redemptions and rewards by compensating entries only."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.models import Brand


async def reverse_orders(session: AsyncSession, brand: Brand, order_ids: Sequence[UUID], *, now: datetime) -> None:
    """Bring the redemptions of these orders, and their rewards, to what the orders' present facts say.

    A fold: the order, repetition and lateness of facts cannot matter. A cancellation gives the code's use back, a refund does not.
    Orders without a redemption are passed over.
    """
