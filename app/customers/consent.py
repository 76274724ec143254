"""What may be sent to whom: consent, the brand's basis, and addresses that get nothing any more."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.tokens import Tokens
from app.brands.models import Brand
from app.brands.programme import Channel
from app.customers.rules import Reach, SuppressionReason


async def reach(session: AsyncSession, tokens: Tokens, brand: Brand, customer_ids: Collection[UUID]) -> dict[UUID, Reach]:
    """How each of these customers may be reached; customers of another brand are left out."""
    raise NotImplementedError


async def suppress(
    session: AsyncSession,
    tokens: Tokens,
    brand_id: int,
    channel: Channel,
    addresses: Sequence[str],
    reason: SuppressionReason,
    *,
    now: datetime,
) -> None:
    """Send nothing to these addresses any more; the first reason stays."""
    raise NotImplementedError
