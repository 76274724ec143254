"""What waits for a person's decision."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.schemas import ApiModel
from app.referrals.models import Redemption
from app.referrals.rules import RedemptionStatus


class Waiting(ApiModel):
    """How many wait, and since when the first of them does; null where none waits."""

    count: int
    since: datetime | None


async def redemptions_in_review(session: AsyncSession, brand_id: int) -> Waiting:
    """The friends' orders of a brand that are in review."""
    in_review = Redemption.brand_id == brand_id, Redemption.status == RedemptionStatus.in_review
    found = await session.execute(select(func.count(), func.min(Redemption.created_at)).where(*in_review))
    count, since = found.one()
    return Waiting(count=count, since=since)
