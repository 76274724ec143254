"""What waits for a person's decision."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.referrals.models import Redemption
from app.referrals.rules import RedemptionStatus


async def count_in_review(session: AsyncSession, brand_id: int) -> int:
    """The friends' orders of a brand that are in review."""
    in_review = Redemption.brand_id == brand_id, Redemption.status == RedemptionStatus.in_review
    return await session.scalar(select(func.count()).where(*in_review)) or 0
