"""Claim rewards' codes that a shop's platform is to be called about."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import money
from app.base.batch import in_ids
from app.base.context import AppContext
from app.brands.models import Shop
from app.customers.former import account_of
from app.customers.models import Customer
from app.platforms.connection_types import Connection
from app.platforms.connections import load_connections
from app.platforms.reward_codes import RewardCode
from app.referrals.models import Code, Referrer
from app.referrals.placing.models import RewardPlacement
from app.referrals.placing.rules import PlacementInput, wanted_amount
from app.referrals.reward_models import Reward

BATCH = 25
LEASE = timedelta(minutes=2)
"""Codes whose call a process began and never finished are taken up again after this."""


@dataclass(frozen=True, slots=True)
class ClaimedReward:
    """A reward's code, what the shop must have of it and what it has."""

    shop: Shop
    connection: Connection | None
    """None where the shop is not connected any more."""
    code: RewardCode
    wanted: int | None
    """As `wanted_amount`."""
    placed: int | None
    remote_id: str | None
    attempt: int
    revision: int
    is_announced: bool


async def claim(
    session: AsyncSession, context: AppContext, brand_id: int, *, now: datetime
) -> list[ClaimedReward]:
    """Begin an attempt for the codes that wait longest."""
    placement = RewardPlacement
    known_as = account_of(placement.brand_id, placement.shop_id, Referrer.customer_id)
    found = await session.execute(
        select(placement, Reward, Code, Shop, Referrer.revoked_at, Customer.email, known_as.label("known_as"))
        .join(Reward, (Reward.brand_id == placement.brand_id) & (Reward.id == placement.reward_id))
        .join(Code, (Code.brand_id == Reward.brand_id) & (Code.id == Reward.code_id))
        .join(Shop, (Shop.brand_id == placement.brand_id) & (Shop.id == placement.shop_id))
        .join(Referrer, (Referrer.brand_id == Reward.brand_id) & (Referrer.id == Reward.referrer_id))
        .outerjoin(Customer, (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id))
        .where(placement.brand_id == brand_id, placement.due_at <= now)
        .order_by(placement.due_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True, of=placement)
        .execution_options(populate_existing=True)
    )
    rows = found.all()
    connections = await load_connections(
        session, context.tokens, brand_id, {row.RewardPlacement.shop_id for row in rows}
    )
    claimed = [_claimed(row, connections, now=now) for row in rows]
    await session.execute(
        update(placement)
        .values(attempt=placement.attempt + 1, due_at=now + LEASE)
        .where(
            placement.brand_id == brand_id,
            in_ids(placement.reward_id, [each.code.reward_id for each in claimed]),
        )
        .execution_options(synchronize_session=False)
    )
    return claimed


def _claimed(
    row: Row[*tuple[Any, ...]], connections: Mapping[UUID, Connection], *, now: datetime
) -> ClaimedReward:
    one, reward, code = row.RewardPlacement, row.Reward, row.Code
    ended = code.disabled_at is not None or row.revoked_at is not None
    given = PlacementInput(reward.status, reward.net_amount, reward.frozen, ended, code.expires_at)
    wanted = wanted_amount(given, now=now)
    return ClaimedReward(
        shop=row.Shop,
        connection=connections.get(one.shop_id),
        code=RewardCode(
            reward_id=reward.id,
            code=one.code,
            amount=money.to_decimal(wanted or 0, reward.currency),
            currency=reward.currency,
            uses=one.uses,
            expires_at=code.expires_at,
            email=row.email,
            customer_id=row.known_as,
        ),
        wanted=wanted,
        placed=one.placed,
        remote_id=one.remote_id,
        attempt=one.attempt + 1,
        revision=one.revision,
        is_announced=one.live_at is not None,
    )
