"""Credit that a shop holds as a coupon: set to what is left, as often as that changes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import money
from app.base.context import AppContext
from app.brands.models import Brand
from app.platforms.reward_codes import RewardCode
from app.referrals.reward_rules import CreditShare, balance_of
from app.referrals.shop_credit.book import Superseded, lock_credit
from app.referrals.shop_credit.claim import ClaimedCredit
from app.referrals.shop_credit.models import ShopCredit, ShopCreditUse
from app.referrals.shop_credit.settle import settle
from app.referrals.spend import load_reserved, load_shares

SET_EVERY = timedelta(days=7)
"""How often a coupon is set to what it must be while nothing changes."""
RESERVED_WAIT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class WantedCoupon:
    """The coupon as it must be; worth nothing where it must not be there."""

    coupon: RewardCode
    amount: int
    remote_id: str | None
    revision: int
    is_reserved: bool
    """Whether a checkout has claimed some of the credit, from before the shop held it."""


async def plan_coupon(session: AsyncSession, claimed: ClaimedCredit, *, now: datetime) -> WantedCoupon:
    """What the shop must have of the credit. Raises `Superseded`."""
    brand_id = claimed.shop.brand_id
    row = await session.scalar(
        select(ShopCredit).where(
            ShopCredit.brand_id == brand_id,
            ShopCredit.id == claimed.id,
            ShopCredit.attempt == claimed.attempt,
        )
    )
    if row is None or row.code is None:
        raise Superseded
    shares = await load_shares(session, brand_id, claimed.referrer_id, claimed.currency)
    reserved = await load_reserved(session, brand_id, claimed.referrer_id, claimed.currency)
    used = await session.scalar(
        select(func.count()).where(
            ShopCreditUse.brand_id == brand_id, ShopCreditUse.shop_credit_id == claimed.id
        )
    )
    is_nobodys = claimed.ended or claimed.email is None
    amount = 0 if is_nobodys else balance_of(shares, reserved, now=now).available
    return WantedCoupon(
        coupon=RewardCode(
            reward_id=claimed.id,
            code=row.code,
            amount=money.to_decimal(amount, claimed.currency),
            currency=claimed.currency,
            uses=1 + (used or 0),
            expires_at=_end(shares, now=now),
            email=claimed.email,
            customer_id=None,
        ),
        amount=amount,
        remote_id=row.remote_id,
        revision=row.revision,
        is_reserved=reserved > 0,
    )


def _end(shares: list[CreditShare], *, now: datetime) -> datetime:
    """The last end of what can be spent: before that, what has expired lowers the amount."""
    ends = [share.expires_at for share in shares if share.unspent > 0 and not share.frozen]
    return max(ends, default=now)


async def record_coupon(
    session: AsyncSession,
    context: AppContext,
    brand: Brand,
    claimed: ClaimedCredit,
    wanted: WantedCoupon,
    remote_id: str | None,
    *,
    now: datetime,
) -> None:
    """The shop has the coupon so now. Raises `Superseded`."""
    row = await lock_credit(session, claimed)
    row.held, row.remote_id = wanted.amount, remote_id
    if row.revision == wanted.revision:
        await settle(session, context, brand, claimed, row, (), now=now)
        # Its owner's address may change, and somebody the coupon by hand.
        again = now + (RESERVED_WAIT if wanted.is_reserved else SET_EVERY)
        row.due_at = again if wanted.amount or wanted.is_reserved else None
    else:
        row.due_at, row.leased_until, row.reason = now, None, None
