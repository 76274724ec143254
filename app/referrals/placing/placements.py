"""Rewards' codes that are to be in connected shops: added, and due again when rewards change."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.batch import in_ids
from app.referrals.models import Code
from app.referrals.placing.models import PLACING_SWEEP, RewardPlacement
from app.referrals.reward_models import Reward


async def add_placements(
    session: AsyncSession,
    brand_id: int,
    codes: Mapping[UUID, Code],
    shops: Mapping[UUID, UUID],
    *,
    now: datetime,
) -> None:
    """Let these codes, by reward, be put into these shops, by reward."""
    rows = [
        {
            "brand_id": brand_id,
            "reward_id": reward_id,
            "shop_id": shop_id,
            "code": codes[reward_id].display,
            "due_at": now,
        }
        for reward_id, shop_id in shops.items()
    ]
    if rows:
        await session.execute(insert(RewardPlacement), rows)
        await due.wake(session, PLACING_SWEEP)


async def place_again(
    session: AsyncSession, brand_id: int, reward_ids: Sequence[UUID], *, more_uses: int = 0, now: datetime
) -> None:
    """Have the shops' codes of these rewards looked at again, since the rewards have changed.

    `more_uses`: how much oftener they may be used there, since a cancellation gave them back.
    """
    if reward_ids:
        await _touch(session, brand_id, in_ids(RewardPlacement.reward_id, list(reward_ids)), more_uses, now)


async def place_again_of(
    session: AsyncSession,
    brand_id: int,
    *,
    now: datetime,
    referrer_ids: Collection[UUID] = (),
    code_ids: Collection[UUID] = (),
) -> None:
    """As `place_again`, for the rewards of these referrers, and those paid with these codes."""
    column, ids = (Reward.referrer_id, referrer_ids) if referrer_ids else (Reward.code_id, code_ids)
    if ids:
        rewards = select(Reward.id).where(Reward.brand_id == brand_id, in_ids(column, list(ids)))
        await _touch(session, brand_id, RewardPlacement.reward_id.in_(rewards), 0, now)


async def _touch(
    session: AsyncSession, brand_id: int, which: ColumnElement[bool], more_uses: int, now: datetime
) -> None:
    touched = await session.scalars(
        update(RewardPlacement)
        .values(due_at=now, revision=RewardPlacement.revision + 1, uses=RewardPlacement.uses + more_uses)
        .where(RewardPlacement.brand_id == brand_id, which)
        .returning(RewardPlacement.reward_id)
        .execution_options(synchronize_session=False)
    )
    if touched.first() is not None:
        await due.wake(session, PLACING_SWEEP)


# Of a reward that was granted before its shop was connected the owner knows already.
_EXISTING = text("""
    INSERT INTO reward_placements (brand_id, reward_id, shop_id, code, uses, revision, attempt, due_at, live_at)
    SELECT rewards.brand_id, rewards.id, code_publications.shop_id, codes.display, 1, 0, 0,
           CAST(:now AS timestamptz), CAST(:now AS timestamptz)
    FROM code_publications
    JOIN codes ON codes.brand_id = code_publications.brand_id AND codes.id = code_publications.code_id
    JOIN rewards ON rewards.brand_id = codes.brand_id AND rewards.code_id = codes.id
    WHERE code_publications.brand_id = :brand_id AND code_publications.shop_id = :shop_id
        AND codes.kind = 'reward' AND codes.disabled_at IS NULL AND rewards.status = 'granted'
    ORDER BY rewards.id
    ON CONFLICT DO NOTHING
    RETURNING reward_id
""")


async def place_existing(
    session: AsyncSession, brand_id: int, shop_id: UUID, *, is_other: bool, now: datetime
) -> int:
    """Have a shop that was connected be given the codes of granted rewards; returns how many.

    `is_other`: it is connected to another account than before, which has none of them. The same
    account has what it had: what changed while it was not connected is set there now.
    """
    here = (RewardPlacement.brand_id == brand_id, RewardPlacement.shop_id == shop_id)
    unproven = (RewardPlacement.placed.is_not(None), RewardPlacement.remote_id.is_(None))
    moved = await session.scalars(
        update(RewardPlacement)
        .values(placed=None, remote_id=None, due_at=now, revision=RewardPlacement.revision + 1)
        .where(*here, *(() if is_other else unproven))
        .returning(RewardPlacement.reward_id)
        .execution_options(synchronize_session=False)
    )
    count = len(moved.all())
    given = {"brand_id": brand_id, "shop_id": shop_id, "now": now}
    count += len((await session.scalars(_EXISTING, given)).all())
    if count:
        await due.wake(session, PLACING_SWEEP)
    return count
