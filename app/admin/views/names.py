"""Names of who acts, by their public ids."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.models import ApiKey, Staff
from app.base.ids import public_id


async def staff_names(session: AsyncSession, brand_id: int) -> dict[str, str]:
    """The addresses of the brand's team by `stf_…`; who left is not in it."""
    found = await session.execute(select(Staff.id, Staff.email).where(Staff.brand_id == brand_id))
    return {public_id("stf", row.id): row.email for row in found}


async def key_names(session: AsyncSession, brand_id: int) -> dict[str, str]:
    """What the brand's keys are for by `key_…`, those in use first."""
    found = await session.execute(
        select(ApiKey.id, ApiKey.label)
        .where(ApiKey.brand_id == brand_id)
        .order_by(ApiKey.revoked_at.is_not(None), ApiKey.label, ApiKey.id)
    )
    return {public_id("key", row.id): row.label for row in found}
