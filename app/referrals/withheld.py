"""Why promoters were not given an offer, or not told of it; kept for the timeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.ids import new_id
from app.brands.programme import Channel
from app.referrals.rules import WithheldReason
from app.referrals.withheld_models import WithheldOffer


@dataclass(frozen=True, slots=True)
class Withheld:
    """One decision against an offer; `channel` where it is about reaching the person."""

    customer_id: UUID
    survey_id: UUID | None
    reason: WithheldReason
    channel: Channel | None = None


async def record_withheld(
    session: AsyncSession, brand_id: int, withheld: Sequence[Withheld], *, now: datetime
) -> None:
    """Store the decisions; the same one about the same survey is stored once."""
    if not withheld:
        return
    values = [
        {
            "brand_id": brand_id,
            "id": new_id(),
            "customer_id": each.customer_id,
            "survey_id": each.survey_id,
            "reason": each.reason,
            "channel": each.channel,
            "at": now,
        }
        for each in withheld
    ]
    await session.execute(insert(WithheldOffer).on_conflict_do_nothing(), values)
