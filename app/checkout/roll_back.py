"""Roll a redemption back: wholly, or in part, which counts like a refund of that amount."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.base import money
from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.errors import AppError, NotFound
from app.brands.find import load_shops
from app.brands.models import Brand
from app.checkout.parse import Rollback
from app.orders.facts import record_facts
from app.orders.facts_rules import ROLLED_BACK
from app.orders.models import Order
from app.orders.record import lock_order_by_id
from app.platforms.events import OrderRefunded
from app.referrals.decide import find_order_id, undo_redemption
from app.referrals.fold_facts import fold_order_facts


async def roll_back(
    session: AsyncSession,
    brand: Brand,
    redemption_id: UUID,
    rollback: Rollback,
    *,
    actor: Actor,
    key: str,
    now: datetime,
) -> None:
    """Undo a redemption wholly (no amount), or record a refund of the amount, once for each `key`.

    The amount is a decimal of the order's currency, at most what is left of the order. The same
    refund need not be reported again by a webhook. Raises 404, 409 `not_allowed` where there is
    nothing to roll back, 422 `bad_amount`.
    """
    order_id = await find_order_id(session, brand.id, redemption_id)
    order = None if order_id is None else await lock_order_by_id(session, brand.id, order_id)
    if order is None:
        raise NotFound("There is no such redemption.")
    if rollback.amount is None:
        await undo_redemption(session, brand, redemption_id, actor=actor, reason=rollback.reason, now=now)
        return
    await _refund(session, brand, order, rollback.amount, key, now=now)
    changes = {"reason": (None, rollback.reason), "amount": (None, rollback.amount)}
    await record_action(session, actor, AuditAction.redemption_rolled_back, ("red", redemption_id), changes)


async def _refund(
    session: AsyncSession, brand: Brand, order: Order, amount: str, key: str, *, now: datetime
) -> None:
    try:
        minor = money.parse_rounded(amount, order.currency)
    except money.MoneyError as error:
        raise AppError("bad_amount", f"{error}.") from None
    if minor <= 0:
        raise AppError(
            "bad_amount", "Roll back more than nothing, or leave the amount out to undo the whole redemption."
        )
    left = max(0, order.total - order.refunded)
    if minor > left:
        remaining = money.to_text(left, order.currency)
        raise AppError("bad_amount", f"Only {remaining} {order.currency} of the order are left to roll back.")
    shop = (await load_shops(session, brand.id))[order.shop_id]
    decimal = money.to_decimal(minor, order.currency)
    fact = OrderRefunded(order.external_id, f"{ROLLED_BACK}{key}", decimal, now)
    await record_facts(session, brand, shop, [fact])
    await fold_order_facts(session, brand, [order.id], now=now)
