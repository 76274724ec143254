"""Record the state of rewards' codes in their shops, and announce those that work now."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids, recordset
from app.base.context import AppContext
from app.brands.find import load_brand
from app.brands.models import Shop
from app.referrals.announce import GrantedReward, announce_rewards
from app.referrals.models import Code
from app.referrals.placing.call import Placed
from app.referrals.placing.claim import ClaimedReward
from app.referrals.placing.models import RewardPlacement
from app.referrals.publishing.locks import lock_publications
from app.referrals.publishing.models import CodePublication
from app.referrals.reward_models import Reward
from app.referrals.rules import PublicationState, RewardStatus


async def record(
    session: AsyncSession,
    context: AppContext,
    brand_id: int,
    claimed: Sequence[ClaimedReward],
    outcomes: Sequence[Placed],
    *,
    now: datetime,
) -> None:
    """Write the outcomes, and tell the owners of codes that work for the first time.

    An outcome counts only where no later attempt was begun; a reward that changed meanwhile stays
    due.
    """
    rows = [_row(each, outcome, now) for each, outcome in zip(claimed, outcomes, strict=True)]
    live = [
        each.code.reward_id for each, row in zip(claimed, rows, strict=True) if row["live_at"] is not None
    ]
    if live:
        # Before the placements, as where a code is disabled or erased.
        await lock_publications(session, *_publications_of(brand_id, live))
    written = await _write(session, brand_id, rows, now=now)
    await _announce(session, context, brand_id, [each for each in live if each in written], now=now)


def _publications_of(brand_id: int, reward_ids: Sequence[UUID]) -> tuple[ColumnElement[bool], ...]:
    codes = select(Reward.code_id).where(Reward.brand_id == brand_id, in_ids(Reward.id, list(reward_ids)))
    return CodePublication.brand_id == brand_id, CodePublication.code_id.in_(codes)


def _row(claimed: ClaimedReward, outcome: Placed, now: datetime) -> dict[str, object]:
    is_first = outcome.reason is None and claimed.wanted and not claimed.is_announced
    return {
        "reward_id": claimed.code.reward_id,
        "attempt": claimed.attempt,
        "revision": claimed.revision,
        "placed": outcome.placed,
        "remote_id": outcome.remote_id,
        "reason": outcome.reason,
        "due_at": None if outcome.wait is None else now + outcome.wait,
        "live_at": now if is_first else None,
    }


async def _write(
    session: AsyncSession, brand_id: int, rows: Sequence[Mapping[str, object]], *, now: datetime
) -> set[UUID]:
    """Write the rows whose attempt is the latest; returns the rewards whose codes have been live.

    A code whose reward changed meanwhile is not live by this call, but by the one that follows.
    """
    table = RewardPlacement
    columns = (
        *(table.reward_id, table.attempt, table.revision, table.placed, table.remote_id, table.reason),
        *(table.due_at, table.live_at),
    )
    given = recordset(rows, columns).c
    is_as_claimed = table.revision == given.revision
    changed = await session.execute(
        update(table)
        .values(
            placed=given.placed,
            remote_id=given.remote_id,
            reason=given.reason,
            due_at=case((is_as_claimed, given.due_at), else_=now),
            attempt=case((given.reason.is_(None), 0), else_=table.attempt),
            live_at=case((is_as_claimed, func.coalesce(table.live_at, given.live_at)), else_=table.live_at),
        )
        .where(table.brand_id == brand_id, table.reward_id == given.reward_id, table.attempt == given.attempt)
        .returning(table.reward_id, table.live_at)
        .execution_options(synchronize_session=False)
    )
    return {row.reward_id for row in changed if row.live_at is not None}


async def _announce(
    session: AsyncSession, context: AppContext, brand_id: int, reward_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Queue the messages about these rewards, of which something is left, once their codes work."""
    if not reward_ids:
        return
    rows = await session.execute(
        select(Reward, Code, Shop)
        .join(Code, (Code.brand_id == Reward.brand_id) & (Code.id == Reward.code_id))
        .join(
            RewardPlacement,
            (RewardPlacement.brand_id == Reward.brand_id) & (RewardPlacement.reward_id == Reward.id),
        )
        .join(Shop, (Shop.brand_id == RewardPlacement.brand_id) & (Shop.id == RewardPlacement.shop_id))
        .where(Reward.brand_id == brand_id, in_ids(Reward.id, list(reward_ids)))
        .order_by(Reward.id)
    )
    found = rows.all()
    await session.execute(
        update(CodePublication)
        .values(state=PublicationState.live, live_at=now)
        .where(*_publications_of(brand_id, reward_ids))
        .execution_options(synchronize_session=False)
    )
    announced = [
        GrantedReward(row.Reward, row.Code, row.Shop)
        for row in found
        if row.Reward.status is RewardStatus.granted and row.Reward.net_amount > 0 and not row.Reward.frozen
    ]
    await announce_rewards(session, context.tokens, await load_brand(session, brand_id), announced, now=now)
