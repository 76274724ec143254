"""Names of who acts, by their public ids."""

from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.models import ApiKey, Staff
from app.base.ids import public_id
from app.base.prepared import Prepared


async def staff_names(session: AsyncSession, brand_id: int) -> dict[str, str]:
    """The addresses of the brand's team by `stf_…`; who left is not in it."""
    return {public_id("stf", row_id): email for row_id, email in await _STAFF.all(session, of_brand=brand_id)}


async def key_names(session: AsyncSession, brand_id: int) -> dict[str, str]:
    """What the brand's keys are for by `key_…`, those in use first."""
    return {public_id("key", row_id): label for row_id, label in await _KEYS.all(session, of_brand=brand_id)}


def _named(row_id: UUID, name: str) -> tuple[UUID, str]:
    return row_id, name


_STAFF = Prepared(select(Staff.id, Staff.email).where(Staff.brand_id == bindparam("of_brand")), _named)
_KEYS = Prepared(
    select(ApiKey.id, ApiKey.label)
    .where(ApiKey.brand_id == bindparam("of_brand"))
    .order_by(ApiKey.revoked_at.is_not(None), ApiKey.label, ApiKey.id),
    _named,
)
