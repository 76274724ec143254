"""Friends' orders that carry a code of ours: who wins a limited use is decided here, on arrival, once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.models import Brand


async def redeem_orders(session: AsyncSession, brand: Brand, order_ids: Sequence[UUID], *, now: datetime) -> None:
    """Decide the redemption of each recorded order, `order_ids` in the order of their arrival.

    Idempotent: an order that has its redemption keeps it. An order with none of our codes gets no row; one whose codes are all
    refused gets a `refused` row with the first reason. Facts that came before the order are folded in at once.
    """
