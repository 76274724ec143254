"""What people decide by hand: approve or reject a held redemption, roll one back, disable a code."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import money
from app.base.errors import AppError, NotFound
from app.base.tokens import Tokens, plain_code
from app.brands.models import Brand, Shop
from app.messaging.queue import cancel_messages
from app.orders.facts import record_facts
from app.orders.models import Order
from app.platforms.events import OrderRefunded
from app.referrals.ledger import post_entries
from app.referrals.models import Code, Redemption
from app.referrals.reverse import (
    RedemptionState,
    discount_back,
    give_back,
    lock_redemption_states,
    reduce_rewards,
    reverse_orders,
)
from app.referrals.reward import reward_redemptions
from app.referrals.rules import RedemptionStatus, may_become
from app.referrals.templates import OFFER


async def approve_redemption(
    session: AsyncSession, tokens: Tokens, brand: Brand, redemption_id: UUID, *, now: datetime
) -> None:
    """Let a held or rejected redemption count, or a pending one before its time; the referrer is rewarded now.

    409 `not_allowed` where its status does not allow it, `order_undone` where nothing is left of the order.
    """
    state = await _stand(session, brand.id, redemption_id)
    _check(state, RedemptionStatus.approved)
    if state.undone:
        raise AppError(
            "order_undone",
            "The order was cancelled or refunded, so there is nothing left to reward.",
            status=409,
        )
    await reward_redemptions(session, tokens, brand, [redemption_id], now=now)


async def reject_redemption(session: AsyncSession, brand: Brand, redemption_id: UUID, *, reason: str) -> None:
    """Refuse a held redemption in a person's words; its use stays taken. 409 `not_allowed` where its status does not allow it."""
    state = await _stand(session, brand.id, redemption_id)
    _check(state, RedemptionStatus.rejected)
    await _update(session, state, status=RedemptionStatus.rejected, reason=reason)


async def rollback_redemption(
    session: AsyncSession,
    brand: Brand,
    redemption_id: UUID,
    *,
    amount: str | None,
    reason: str,
    key: str,
    now: datetime,
) -> None:
    """Undo a redemption wholly (`amount` None): the use goes back, discount and reward leave the books. Or in part: as a refund.

    `amount` is a decimal of the order's currency and counts like a refund of that much, once for each `key`. Who rolls back need not
    report the same refund again. What a refund has reversed already still gives its use and its discount back when it is undone
    wholly, so the end is the same whichever came first. 409 `not_allowed` where there is nothing to roll back, 422 for an amount that
    is none.
    """
    await _lock_order(session, brand.id, redemption_id)
    state = await _stand(session, brand.id, redemption_id)
    if amount is not None:
        await _refund(session, brand, state, amount, key, now=now)
        return
    redemption = state.redemption
    if redemption.status is not RedemptionStatus.reversed:
        _check(state, RedemptionStatus.reversed)
    elif not redemption.holds_use:
        return
    if redemption.holds_use:
        await give_back(session, brand.id, [state])
    reversed_at = redemption.reversed_at or now
    await _update(
        session,
        state,
        status=RedemptionStatus.reversed,
        reason=reason,
        reversed_at=reversed_at,
        holds_use=False,
    )
    await post_entries(session, brand.id, [discount_back(redemption)], now=now)
    await reduce_rewards(session, brand.id, [state], now=now)


async def disable_code(session: AsyncSession, brand: Brand, code: str, *, now: datetime) -> Code:
    """Take a code out of use, as it was entered; offers of it that wait are cancelled. A second call changes nothing."""
    row = await session.scalar(
        select(Code)
        .where(Code.brand_id == brand.id, Code.code == plain_code(code))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("There is no such code.")
    if row.disabled_at is None:
        row.disabled_at = now
        row.active = False
        await session.flush()
        await cancel_messages(session, brand.id, [row.id], [OFFER], reason="disabled")
    return row


async def _lock_order(session: AsyncSession, brand_id: int, redemption_id: UUID) -> None:
    """Hold the redemption's order: what is reported about an order locks it before its redemption, and so does a part rolled back."""
    await session.execute(
        select(Order.id)
        .join(Redemption, (Redemption.brand_id == Order.brand_id) & (Redemption.order_id == Order.id))
        .where(Redemption.brand_id == brand_id, Redemption.id == redemption_id)
        .with_for_update(key_share=True, of=Order)
    )


async def _stand(session: AsyncSession, brand_id: int, redemption_id: UUID) -> RedemptionState:
    order_id = await session.scalar(
        select(Redemption.order_id).where(Redemption.brand_id == brand_id, Redemption.id == redemption_id)
    )
    if order_id is None:
        raise NotFound("There is no such redemption.")
    # Whoever decides about a use waits here in the same order as a redeeming order does: the code, then the redemption.
    await session.execute(
        select(Code.id)
        .join(Redemption, (Redemption.brand_id == Code.brand_id) & (Redemption.code_id == Code.id))
        .where(Redemption.brand_id == brand_id, Redemption.id == redemption_id)
        .with_for_update(key_share=True, of=Code)
    )
    return (await lock_redemption_states(session, brand_id, [order_id]))[0]


def _check(state: RedemptionState, wanted: RedemptionStatus) -> None:
    status = state.redemption.status
    if not may_become(status, wanted):
        raise AppError("not_allowed", f"A redemption that is {status} cannot become {wanted}.", status=409)


async def _update(session: AsyncSession, state: RedemptionState, **values: object) -> None:
    await session.execute(
        update(Redemption)
        .where(Redemption.brand_id == state.redemption.brand_id, Redemption.id == state.redemption.id)
        .values(values)
    )


async def _refund(
    session: AsyncSession, brand: Brand, state: RedemptionState, amount: str, key: str, *, now: datetime
) -> None:
    order = state.order
    try:
        minor = money.parse(amount, order.currency)
    except money.MoneyError as error:
        raise AppError("bad_amount", f"{error}.") from None
    if minor <= 0:
        raise AppError(
            "bad_amount", "Roll back more than nothing, or leave the amount out to undo the whole redemption."
        )
    shop = (
        await session.scalars(select(Shop).where(Shop.brand_id == brand.id, Shop.id == order.shop_id))
    ).one()
    fact = OrderRefunded(order.external_id, f"rollback:{key}", money.to_decimal(minor, order.currency), now)
    await record_facts(session, brand, shop, [fact])
    await reverse_orders(session, brand, [order.id], now=now)
