"""Claim credit that connected shops hold, and about which their platform is to be called."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.context import AppContext
from app.brands.models import Shop
from app.customers.former import account_of
from app.customers.models import Customer
from app.platforms.connection_types import Connection
from app.platforms.connections import load_connections
from app.platforms.registry import adapter_of
from app.platforms.shop_credit import CreditHolder, CreditKind
from app.referrals.models import Referrer
from app.referrals.shop_credit.models import ShopCredit

BATCH = 20
LEASE = timedelta(minutes=3)
"""What a process began and never finished is taken up again after this. A move of which nothing is
seen by then was not made."""


@dataclass(frozen=True, slots=True)
class ClaimedCredit:
    """One referrer's credit in one currency, and how its shop is called."""

    id: UUID
    referrer_id: UUID
    currency: str
    shop: Shop
    kind: CreditKind | None
    """None where the shop's platform holds no credit any more."""
    connection: Connection | None
    """None where the shop is not connected any more."""
    holder: CreditHolder
    email: str | None
    code: str | None
    ended: bool
    """Whether its owner was erased."""
    attempt: int


async def claim(
    session: AsyncSession, context: AppContext, brand_id: int, *, now: datetime
) -> list[ClaimedCredit]:
    """Begin an attempt for what waits longest."""
    credit = ShopCredit
    known_as = account_of(credit.brand_id, credit.shop_id, Referrer.customer_id)
    found = await session.execute(
        select(credit, Shop, Referrer.revoked_at, Customer.email, known_as.label("known_as"))
        .join(Shop, (Shop.brand_id == credit.brand_id) & (Shop.id == credit.shop_id))
        .join(Referrer, (Referrer.brand_id == credit.brand_id) & (Referrer.id == credit.referrer_id))
        .outerjoin(Customer, (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id))
        .where(credit.brand_id == brand_id, credit.due_at <= now)
        .order_by(credit.due_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True, of=credit)
        .execution_options(populate_existing=True)
    )
    rows = found.all()
    connections = await load_connections(
        session, context.tokens, brand_id, {row.ShopCredit.shop_id for row in rows}
    )
    claimed = [_claimed(row, connections) for row in rows]
    await session.execute(
        update(credit)
        .values(attempt=credit.attempt + 1, due_at=now + LEASE, leased_until=now + LEASE)
        .where(credit.brand_id == brand_id, in_ids(credit.id, [each.id for each in claimed]))
        .execution_options(synchronize_session=False)
    )
    return claimed


def _claimed(row: Row[*tuple[Any, ...]], connections: Mapping[UUID, Connection]) -> ClaimedCredit:
    one: ShopCredit = row.ShopCredit
    return ClaimedCredit(
        id=one.id,
        referrer_id=one.referrer_id,
        currency=one.currency,
        shop=row.Shop,
        kind=adapter_of(row.Shop.platform).credit,
        connection=connections.get(one.shop_id),
        holder=CreditHolder(one.currency, row.known_as, one.remote_id),
        email=row.email,
        code=one.code,
        ended=row.revoked_at is not None,
        attempt=one.attempt + 1,
    )
