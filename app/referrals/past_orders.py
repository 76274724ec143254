"""Friends' orders of the last days, with what is known of the time before them."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.base.batch import in_ids
from app.base.prepared import Prepared
from app.brands.models import Brand
from app.brands.programme import Programme
from app.customers.models import Customer
from app.orders.models import Order
from app.orders.rules import OrderMoney
from app.referrals.budget import find_spent
from app.referrals.budget_rules import BudgetKey, budget_key
from app.referrals.gather import find_existing
from app.referrals.models import Code, Redemption
from app.referrals.preview_rules import PastOrder, PastOrders
from app.referrals.reward_models import Reward
from app.referrals.rules import HELD_OR_PENDING, RedemptionStatus, RefusalReason

AT_MOST = 250
"""The newest redemptions that are read, so that a page costs the same for every brand."""


class _Row(NamedTuple):
    """An order with a friend's code; `key` is its id."""

    id: UUID
    holds_use: bool
    referrer_id: UUID
    share_id: UUID
    uses: int
    key: UUID
    customer_id: UUID | None
    buyer_key: bytes | None
    ordered_before: bool
    placed_at: datetime
    subtotal: int
    currency: str
    total: int
    shipping_total: int
    refunded: int
    refunded_shipping: int
    cancelled_at: datetime | None
    email_key: str | None
    phone: str | None


async def load_past_orders(
    session: AsyncSession, brand: Brand, programmes: Collection[Programme], *, since: datetime
) -> PastOrders:
    """The newest orders with friends' codes, placed since then, for a comparison of programmes.

    Those that hold a use, and those that were refused since their friend had ordered before: by
    other terms these may count. Codes that were refused for another reason are left out, and so are
    trials.
    """
    found = await _ORDERS.all(session, of_brand=brand.id)
    rows = [row for row in reversed(found) if row.placed_at >= since]
    if not rows:
        return PastOrders(())
    existing = await find_existing(session, brand.id, rows)
    held = Counter(row.share_id for row in rows if row.holds_use)
    return PastOrders(
        [_order(row, existing=row.ordered_before or row.key in existing) for row in rows],
        uses={row.share_id: row.uses - held[row.share_id] for row in rows},
        rewards=await _rewards_before(session, brand.id, programmes, rows),
        spent=await _spent_before(session, brand, programmes, rows),
    )


def _order(row: _Row, *, existing: bool) -> PastOrder:
    paid = OrderMoney(
        row.total,
        row.shipping_total,
        row.refunded,
        row.refunded_shipping,
        cancelled=row.cancelled_at is not None,
    )
    return PastOrder(
        row.subtotal,
        row.currency,
        paid,
        share=row.share_id,
        referrer=row.referrer_id,
        placed_at=row.placed_at,
        existing=existing,
    )


async def _rewards_before(
    session: AsyncSession, brand_id: int, programmes: Collection[Programme], rows: Sequence[_Row]
) -> dict[UUID, int]:
    """How many rewards each referrer had before the first of these orders, for a cap."""
    if all(each.reward.cap_per_referrer is None for each in programmes):
        return {}
    found = await session.execute(
        select(Reward.referrer_id, func.count().label("number"))
        .where(
            Reward.brand_id == brand_id,
            in_ids(Reward.referrer_id, list({row.referrer_id for row in rows})),
            Reward.status.in_(HELD_OR_PENDING),
            Reward.amount > 0,
            or_(Reward.redemption_id.is_(None), Reward.redemption_id < rows[0].id),
        )
        .group_by(Reward.referrer_id)
    )
    return {row.referrer_id: row.number for row in found}


async def _spent_before(
    session: AsyncSession, brand: Brand, programmes: Collection[Programme], rows: Sequence[_Row]
) -> dict[BudgetKey, int]:
    """What rewards had cost before the first of these orders in the budget's period."""
    spent: dict[BudgetKey, int] = {}
    currencies = {row.currency for row in rows}
    for each in programmes:
        keys = {
            budget_key(each, rows[0].placed_at, currency, ZoneInfo(brand.time_zone))
            for currency in currencies
        }
        spent |= await find_spent(session, brand, each, keys, before=rows[0].id)
    return spent


_parent = aliased(Code)
_refused = (Redemption.status == RedemptionStatus.refused) & (
    Redemption.reason == RefusalReason.existing_customer
)
_ORDERS = Prepared(
    select(
        *(Redemption.id, Redemption.holds_use, Redemption.referrer_id),
        func.coalesce(_parent.id, Code.id),
        func.coalesce(_parent.uses, Code.uses),
        *(Order.id, Order.customer_id, Order.buyer_key, Order.ordered_before, Order.placed_at),
        *(Order.subtotal, Order.currency, Order.total, Order.shipping_total),
        *(Order.refunded, Order.refunded_shipping, Order.cancelled_at),
        *(Customer.email_key, Customer.phone),
    )
    .select_from(Redemption)
    .join(Code, (Code.brand_id == Redemption.brand_id) & (Code.id == Redemption.code_id))
    .outerjoin(_parent, (_parent.brand_id == Code.brand_id) & (_parent.id == Code.parent_id))
    .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
    .outerjoin(Customer, (Customer.brand_id == Order.brand_id) & (Customer.id == Order.customer_id))
    .where(
        Redemption.brand_id == bindparam("of_brand"),
        or_(Redemption.holds_use, _refused),
        Order.trial.is_(False),
    )
    .order_by(Redemption.id.desc())
    .limit(AT_MOST),
    _Row,
)
