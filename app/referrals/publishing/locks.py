"""The order in which transactions lock what a shop knows of codes.

`shop_publishing` before `shop_discounts` before `code_publications` before `reward_placements`, and
of several publications the one with the lower id first. Calls to a platform, checks, upkeep,
erasure and people change the same rows side by side: in one order they wait for each other and
never deadlock. Whoever changes several publications locks them with `lock_publications` first, or
skips what is locked.
"""

from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.referrals.publishing.models import CodePublication


async def lock_publications(session: AsyncSession, *conditions: ColumnElement[bool]) -> list[UUID]:
    """Lock the publications under these conditions until the transaction ends; returns their codes.

    They are in the order of their ids; what another transaction has changed meanwhile so that the
    conditions do not hold any more is left out.
    """
    found = await session.scalars(
        select(CodePublication.code_id)
        .where(*conditions)
        .order_by(CodePublication.code_id, CodePublication.shop_id)
        .with_for_update(key_share=True)
    )
    return list(found)
