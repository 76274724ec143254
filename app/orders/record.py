"""Record paid orders and what is reported about them, once each and in whatever order it comes."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.tokens import Tokens
from app.brands.models import Brand, Shop
from app.platforms.events import OrderCancelled, OrderDelivered, OrderFulfilled, OrderPaid, OrderRefunded

Reported = OrderFulfilled | OrderDelivered | OrderCancelled | OrderRefunded
"""What can be reported about an order besides that it was paid."""


async def record_orders(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    shop: Shop,
    incoming: Sequence[tuple[OrderPaid, UUID | None]],
    *,
    now: datetime,
    history: bool = False,
) -> list[UUID]:
    """The ids of these orders, in order; known ones stay as they are."""
    raise NotImplementedError


async def record_facts(session: AsyncSession, brand: Brand, shop: Shop, facts: Sequence[Reported], *, now: datetime) -> list[UUID]:
    """Keep what was reported; answers the known orders it is about."""
    raise NotImplementedError
