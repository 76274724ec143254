"""The sweep `referrals`: approves redemptions after the holding period and grants rewards."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.context import AppContext
from app.base.due import brands_of
from app.base.turns import Sweep
from app.brands.find import load_brand
from app.brands.models import Brand
from app.referrals.fold_facts import fold_order_facts
from app.referrals.models import SETTLING_SWEEP, Redemption
from app.referrals.reward import reward_redemptions
from app.referrals.rules import RedemptionStatus

BATCH = 500
"""Redemptions per transaction."""


def sweep(context: AppContext) -> Sweep:
    """Approves pending redemptions after the holding period, batch by batch.

    Those in review wait for a person.
    """

    async def brands(now: datetime) -> Sequence[int]:
        is_due = (Redemption.status == RedemptionStatus.pending, Redemption.hold_until <= now)
        return await brands_of(context.reading_sessions, Redemption.brand_id, *is_due)

    async def work(brand_id: int, now: datetime) -> int:
        return await _settle(context, brand_id, now)

    return Sweep(SETTLING_SWEEP, brands, work)


async def _settle(context: AppContext, brand_id: int, now: datetime) -> int:
    """Settle one batch of one brand; returns how many redemptions were read."""
    async with context.sessions.begin() as session:
        brand = await load_brand(session, brand_id)
        order_ids = await _claim(session, brand, now)
        return 0 if not order_ids else await _approve_due(session, context, brand, order_ids, now=now)


async def _claim(session: AsyncSession, brand: Brand, now: datetime) -> list[UUID]:
    """Orders whose redemption is due and not locked by another sweep, the longest waiting first."""
    rows = await session.scalars(
        select(Redemption.order_id)
        .where(
            Redemption.brand_id == brand.id,
            Redemption.status == RedemptionStatus.pending,
            Redemption.hold_until.is_not(None),
            Redemption.hold_until <= now,
        )
        .order_by(Redemption.hold_until)
        .limit(BATCH)
        .with_for_update(key_share=True, skip_locked=True)
    )
    return list(rows)


async def _approve_due(
    session: AsyncSession, context: AppContext, brand: Brand, order_ids: Sequence[UUID], *, now: datetime
) -> int:
    # The orders' present facts first: after a refund there may be nothing to grant.
    await fold_order_facts(session, brand, order_ids, now=now)
    rows = await session.execute(
        select(Redemption.id, Redemption.status, Redemption.hold_until).where(
            Redemption.brand_id == brand.id, in_ids(Redemption.order_id, order_ids)
        )
    )
    found = rows.all()
    due_ids = [
        row.id
        for row in found
        if row.status is RedemptionStatus.pending and row.hold_until and row.hold_until <= now
    ]
    await reward_redemptions(session, context.tokens, brand, due_ids, now=now)
    # Reversed, approved or with a later end of the holding period: none of them is due any more.
    return len(found)
