"""The use of credit in a connected shop, as its orders tell: by a coupon, or from an account."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.batch import in_ids, in_texts
from app.base.prepared import Prepared
from app.base.tokens import Tokens, plain_code
from app.brands.models import Brand
from app.brands.programme import RewardKind
from app.orders.models import Order
from app.referrals.find_candidates import stated_spending
from app.referrals.reward_models import Reward
from app.referrals.shop_credit.book import book_difference
from app.referrals.shop_credit.models import HOLDING_SWEEP, ShopCredit, ShopCreditUse

_ANY = Prepared(select(ShopCredit.brand_id).where(ShopCredit.brand_id == bindparam("brand_id")).limit(1), int)
"""Most brands have no credit in a shop, and every batch of orders asks."""


@dataclass(frozen=True, slots=True)
class _Use:
    """An order that uses, or used, a coupon of credit."""

    credit: ShopCredit
    order: Row[*tuple[Any, ...]]


async def use_shop_credit(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    order_ids: Sequence[UUID],
    entered: Mapping[UUID, Collection[str]],
    *,
    now: datetime,
) -> None:
    """Book what these orders took off by coupons of credit, and have the buyers' accounts read.

    `entered` are codes, made comparable, by order. A cancelled order's use is given back, an edited
    one's is what it is now; what is left stays on the coupon. Idempotent. To be called after
    anything that locks redemptions.
    """
    if await _ANY.first(session, brand_id=brand.id) is None:
        return
    uses = await _find_uses(session, brand.id, order_ids, entered)
    if uses:
        await _lock_rewards(session, brand.id, [use.credit for use in uses])
        booked = await _booked(session, brand.id, order_ids)
        for use in uses:
            amount, before = _amount(tokens, brand.id, use), booked.get(use.order.id)
            if before is None and amount == 0:
                continue
            difference = amount - (before or 0)
            await book_difference(session, brand, use.credit, difference, now=now)
            await _write(session, brand.id, use, amount, difference)
    await _read_accounts(session, brand.id, order_ids, now=now)


async def _find_uses(
    session: AsyncSession,
    brand_id: int,
    order_ids: Sequence[UUID],
    entered: Mapping[UUID, Collection[str]],
) -> list[_Use]:
    """The orders that carry a coupon's code, or did so when they were booked, in their order."""
    by_code = await _find_coupons(session, brand_id, {code for each in entered.values() for code in each})
    used = await _find_used(session, brand_id, order_ids)
    for order_id, given in entered.items():
        found = next((by_code[code] for code in given if code in by_code), None)
        if found is not None:
            used.setdefault(order_id, found)
    if not used:
        return []
    orders = await session.execute(
        select(
            *(Order.id, Order.shop_id, Order.currency, Order.subtotal, Order.discount_codes),
            *(Order.discount_amounts, Order.cancelled_at, Order.test, Order.history),
        )
        .where(Order.brand_id == brand_id, in_ids(Order.id, list(used)))
        .order_by(Order.id)
    )
    return [
        _Use(used[order.id], order)
        for order in orders
        if (order.shop_id, order.currency) == (used[order.id].shop_id, used[order.id].currency)
    ]


async def _find_coupons(
    session: AsyncSession, brand_id: int, codes: Collection[str]
) -> dict[str, ShopCredit]:
    """The credit that is a coupon with one of these codes, by its code."""
    if not codes:
        return {}
    rows = await session.scalars(
        select(ShopCredit).where(ShopCredit.brand_id == brand_id, in_texts(ShopCredit.code, list(codes)))
    )
    return {each.code: each for each in rows if each.code is not None}


async def _find_used(
    session: AsyncSession, brand_id: int, order_ids: Sequence[UUID]
) -> dict[UUID, ShopCredit]:
    """The credit that was booked for these orders, by order."""
    rows = await session.execute(
        select(ShopCreditUse.order_id, ShopCredit)
        .join(
            ShopCredit,
            (ShopCredit.brand_id == ShopCreditUse.brand_id) & (ShopCredit.id == ShopCreditUse.shop_credit_id),
        )
        .where(ShopCreditUse.brand_id == brand_id, in_ids(ShopCreditUse.order_id, list(order_ids)))
    )
    return {row.order_id: row.ShopCredit for row in rows}


async def _lock_rewards(session: AsyncSession, brand_id: int, credits_: Sequence[ShopCredit]) -> None:
    """Lock the rewards behind this credit, so that no use of it is booked twice."""
    keys = {(each.referrer_id, each.currency) for each in credits_}
    await session.execute(
        select(Reward.id)
        .where(
            Reward.brand_id == brand_id,
            tuple_(Reward.referrer_id, Reward.currency).in_(sorted(keys)),
            Reward.kind == RewardKind.credit,
            Reward.granted_at.is_not(None),
        )
        .order_by(Reward.id)
        .with_for_update(key_share=True)
    )


async def _booked(session: AsyncSession, brand_id: int, order_ids: Sequence[UUID]) -> dict[UUID, int]:
    rows = await session.execute(
        select(ShopCreditUse.order_id, ShopCreditUse.amount).where(
            ShopCreditUse.brand_id == brand_id, in_ids(ShopCreditUse.order_id, list(order_ids))
        )
    )
    return {row.order_id: row.amount for row in rows}


def _amount(tokens: Tokens, brand_id: int, use: _Use) -> int:
    """What the order takes off by the coupon now."""
    order, code = use.order, use.credit.code or ""
    if order.cancelled_at is not None or order.test or order.history:
        return 0
    if code not in {plain_code(each) for each in order.discount_codes}:
        return 0
    stated = stated_spending(tokens, brand_id, order.discount_amounts, code)
    return int(min(order.subtotal, use.credit.held)) if stated is None else stated


async def _write(session: AsyncSession, brand_id: int, use: _Use, amount: int, difference: int) -> None:
    row = {"brand_id": brand_id, "order_id": use.order.id, "shop_credit_id": use.credit.id, "amount": amount}
    await session.execute(
        insert(ShopCreditUse)
        .values(row)
        .on_conflict_do_update(index_elements=["brand_id", "order_id"], set_={"amount": amount})
    )
    await session.execute(
        update(ShopCredit)
        .values(spent=ShopCredit.spent + difference)
        .where(ShopCredit.brand_id == brand_id, ShopCredit.id == use.credit.id)
        .execution_options(synchronize_session=False)
    )


# An order of somebody whose account in the shop holds something may have been paid from it.
_TOUCH = text("""
    UPDATE shop_credits SET due_at = greatest(CAST(:now AS timestamptz), leased_until),
        revision = shop_credits.revision + 1
    FROM orders JOIN referrers ON referrers.brand_id = orders.brand_id
        AND referrers.customer_id = orders.customer_id
    WHERE orders.brand_id = :brand_id AND orders.id = ANY(CAST(:ids AS uuid[]))
        AND shop_credits.brand_id = :brand_id AND shop_credits.referrer_id = referrers.id
        AND shop_credits.shop_id = orders.shop_id AND shop_credits.currency = orders.currency
        AND shop_credits.code IS NULL AND shop_credits.read_at IS NOT NULL
        AND shop_credits.due_at IS NOT NULL AND (shop_credits.held > 0 OR shop_credits.spent > 0)
    RETURNING shop_credits.id
""")


async def _read_accounts(
    session: AsyncSession, brand_id: int, order_ids: Sequence[UUID], *, now: datetime
) -> None:
    given = {"brand_id": brand_id, "ids": list(order_ids), "now": now}
    if (await session.scalars(_TOUCH, given)).first() is not None:
        await due.wake(session, HOLDING_SWEEP)
