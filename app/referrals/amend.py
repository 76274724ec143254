"""Fold a changed order into what its code is booked to have taken off."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.tokens import Tokens, plain_code
from app.brands.models import Brand
from app.ledger.post import post_entries
from app.orders.models import Order
from app.referrals.amount_rules import booked_discount, stated_discount
from app.referrals.book_discounts import discount_entry, is_given_back
from app.referrals.find_candidates import stated_discounts
from app.referrals.models import Code, Redemption
from app.referrals.rules import RedemptionStatus


async def amend_discounts(
    session: AsyncSession, tokens: Tokens, brand: Brand, order_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Set what codes took off to what these changed orders show, and post the differences.

    Idempotent. A redemption stays decided; orders without one are left out, and so is an order that
    changed its currency. Nothing is posted for a discount that was given back.
    """
    if not order_ids:
        return
    # Locked in the order in which redeeming does: codes, then redemptions.
    await session.execute(
        select(Code.id)
        .join(Redemption, (Redemption.brand_id == Code.brand_id) & (Redemption.code_id == Code.id))
        .where(Redemption.brand_id == brand.id, in_ids(Redemption.order_id, order_ids))
        .order_by(Code.id)
        .with_for_update(key_share=True, of=Code)
    )
    rows = await session.execute(
        select(Redemption, Order, Code)
        .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
        .join(Code, (Code.brand_id == Redemption.brand_id) & (Code.id == Redemption.code_id))
        .where(Redemption.brand_id == brand.id, in_ids(Redemption.order_id, order_ids))
        .order_by(Redemption.id)
        .with_for_update(key_share=True, of=Redemption)
        .execution_options(populate_existing=True)
    )
    posted = []
    for redemption, order, code in rows.all():
        amount = _discount_of(tokens, redemption, order, code)
        if amount == redemption.amount_off or order.currency != redemption.currency:
            continue
        if not is_given_back(redemption, order):
            posted.append(discount_entry(redemption, amount - redemption.amount_off, now=now))
        redemption.amount_off = amount
    await session.flush()
    await post_entries(session, brand, posted, now=now)


def _discount_of(tokens: Tokens, redemption: Redemption, order: Order, code: Code) -> int:
    stated = stated_discounts(tokens, redemption.brand_id, order.discount_amounts, [code.code])
    entered = [plain for each in order.discount_codes if (plain := plain_code(each))]
    return booked_discount(
        code.discount_kind,
        code.discount_value,
        stated=stated_discount(code.code, stated, entered, discounted=order.discount_total),
        counts=redemption.status is not RedemptionStatus.refused,
        subtotal=order.subtotal,
        discounted=order.discount_total,
        code_currency=code.currency,
        currency=order.currency,
    )
