"""A referrer's own page: their code, how often the link was opened, and what came of each friend's order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.money import Money
from app.brands.find import load_programme_versions
from app.brands.models import Brand, Shop
from app.customers.models import Customer
from app.orders.models import Order
from app.referrals.models import Code, Redemption, Referrer, Reward, Visit
from app.referrals.rules import CodeStatus
from app.referrals.sentences import CODE_STATES, day_of, describe_redemption
from app.referrals.share import Share, make_share, status_of

SHOWN = 50
"""Friends' orders on the page, the newest first."""


@dataclass(frozen=True, slots=True)
class FriendOrder:
    """One friend's order, with nothing that tells whose: the day, and what came of it in a sentence."""

    placed_on: str
    said: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything on a referrer's own page."""

    brand: Brand
    first_name: str | None
    share: Share | None
    """None while there is no code that works; `code_said` says why."""
    code_said: str
    clicks: int
    uses: int
    earned: Sequence[str]
    """What rewards come to after clawbacks, one amount a currency."""
    orders: Sequence[FriendOrder]
    reward: str | None


async def find_progress(
    session: AsyncSession, public_url: str, brand: Brand, customer_id: UUID, *, now: datetime
) -> Progress | None:
    """How a referrer's recommendations have fared at `now`; None for who is none, was revoked or erased."""
    row = (
        await session.execute(
            select(Referrer, Customer.first_name, Shop)
            .join(Customer, (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id))
            .join(Shop, (Shop.brand_id == Referrer.brand_id) & (Shop.id == Referrer.shop_id))
            .where(
                Referrer.brand_id == brand.id,
                Referrer.customer_id == customer_id,
                Referrer.revoked_at.is_(None),
                Customer.erased_at.is_(None),
            )
        )
    ).first()
    if row is None:
        return None
    code = await _latest_code(session, brand.id, customer_id)
    share, said, reward = None, "You have no code yet.", None
    if code is not None:
        status = status_of(code, now=now)
        programme = (await load_programme_versions(session, brand.id, [code.programme_version]))[
            code.programme_version
        ]
        made = make_share(public_url, brand.name, row.Referrer, code, programme)
        share, said, reward = made if status is CodeStatus.active else None, CODE_STATES[status], made.reward
    return Progress(
        brand=brand,
        first_name=row.first_name,
        share=share,
        code_said=said,
        clicks=await _clicks(session, brand.id, customer_id),
        uses=await _uses(session, brand.id, customer_id),
        earned=await _earned(session, brand.id, customer_id),
        orders=await _orders(session, brand.id, customer_id, ZoneInfo(row.Shop.time_zone)),
        reward=reward,
    )


async def _latest_code(session: AsyncSession, brand_id: int, customer_id: UUID) -> Code | None:
    """The present code, else the last one that was."""
    rows = await session.scalars(
        select(Code)
        .where(Code.brand_id == brand_id, Code.customer_id == customer_id)
        .order_by(Code.active.desc(), Code.id.desc())
        .limit(1)
    )
    return rows.first()


async def _clicks(session: AsyncSession, brand_id: int, customer_id: UUID) -> int:
    query = (
        select(func.count())
        .select_from(Visit)
        .where(Visit.brand_id == brand_id, Visit.customer_id == customer_id)
    )
    return (await session.execute(query)).scalar_one()


async def _uses(session: AsyncSession, brand_id: int, customer_id: UUID) -> int:
    """Friends' orders that carried a code of theirs, counted or not."""
    query = (
        select(func.count())
        .select_from(Redemption)
        .where(Redemption.brand_id == brand_id, Redemption.referrer_id == customer_id)
    )
    return (await session.execute(query)).scalar_one()


async def _earned(session: AsyncSession, brand_id: int, customer_id: UUID) -> list[str]:
    rows = await session.execute(
        select(Reward.currency, func.sum(Reward.net_amount))
        .where(Reward.brand_id == brand_id, Reward.referrer_id == customer_id, Reward.net_amount > 0)
        .group_by(Reward.currency)
        .order_by(Reward.currency)
    )
    return [str(Money(int(total), currency)) for currency, total in rows]


async def _orders(
    session: AsyncSession, brand_id: int, customer_id: UUID, zone: ZoneInfo
) -> list[FriendOrder]:
    rows = await session.execute(
        select(Redemption, Order.placed_at, Reward)
        .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
        .join(
            Reward,
            (Reward.brand_id == Redemption.brand_id) & (Reward.redemption_id == Redemption.id),
            isouter=True,
        )
        .where(Redemption.brand_id == brand_id, Redemption.referrer_id == customer_id)
        .order_by(Order.placed_at.desc(), Redemption.id.desc())
        .limit(SHOWN)
    )
    return [
        FriendOrder(day_of(placed_at, zone), describe_redemption(redemption, reward, zone))
        for redemption, placed_at, reward in rows
    ]
