"""A code redeemed by a checkout of one's own: the order is recorded and its code decided in one transaction."""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.errors import AppError
from app.base.ids import new_id
from app.base.retry import retry_conflicts
from app.base.tokens import Tokens, plain_code
from app.brands.find import load_brand, load_shops
from app.brands.models import Shop
from app.ingest.models import Delivery
from app.ingest.process import Batch, process_events
from app.ingest.rules import DeliveryStatus, ParsedEvent
from app.orders.models import Order
from app.platforms.checkout.parse import read_order
from app.platforms.events import OrderPaid
from app.platforms.fields import Fields
from app.referrals.models import Code, Redemption
from app.referrals.rules import RedemptionStatus, RefusalReason

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What became of the code: its redemption and no reason, or the true reason against it (and the row, where there is one)."""

    redemption_id: UUID | None
    reason: str | None


def choose_shop(shops: dict[UUID, Shop], slug: str | None) -> Shop:
    """The shop that is named, or the brand's only one; an `AppError` that says what to send otherwise."""
    found = [shop for shop in shops.values() if slug in (None, shop.slug)]
    if len(found) == 1:
        return found[0]
    if slug is None:
        raise AppError("shop_required", "The brand has several shops; name one in the field shop.")
    raise AppError("unknown_shop", "The brand has no shop of this slug.")


async def redeem_code(
    session: AsyncSession,
    tokens: Tokens,
    brand_id: int,
    shop_slug: str | None,
    code: str,
    order: Fields,
    *,
    now: datetime,
) -> Redeemed:
    """Record the order as paid with this code first among its codes, and say whether the code counts.

    The order stands whatever becomes of the code. A repeated call for the same order answers the same. `Unparseable` for an order
    that cannot be understood; of many calls for a last use one wins.
    """
    brand = await load_brand(session, brand_id)
    shops = await load_shops(session, brand_id)
    shop = choose_shop(shops, shop_slug)
    paid = read_order(order, now)
    others = tuple(each for each in paid.discount_codes if plain_code(each) != plain_code(code))
    paid = replace(paid, discount_codes=(code, *others))
    batch = Batch(session, tokens, brand, shops, now)
    delivery_id = await _keep(session, shop, paid, order, now)
    await _retried(batch, shop, delivery_id, paid)
    return await _outcome(session, shop, paid, code)


async def _retried(batch: Batch, shop: Shop, delivery_id: UUID, paid: OrderPaid) -> None:
    """Process the order; a deadlock rolls back to the savepoint and the work is repeated."""

    async def once() -> None:
        async with batch.session.begin_nested():
            await _add_code(batch.session, shop, paid)
            await process_events(batch, [ParsedEvent(delivery_id, 0, shop.id, paid)])

    await retry_conflicts(once, name="redeem", tries=_TRIES)


async def _add_code(session: AsyncSession, shop: Shop, paid: OrderPaid) -> None:
    """An order that the shop's hook told first, without the code: it gets it, unless a code of it was decided already."""
    known = (Order.brand_id == shop.brand_id, Order.shop_id == shop.id, Order.external_id == paid.order_id)
    row = (
        await session.execute(
            select(Order.id, Order.discount_codes).where(*known).with_for_update(key_share=True)
        )
    ).first()
    if row is None or plain_code(paid.discount_codes[0]) in {plain_code(each) for each in row.discount_codes}:
        return
    codes = [paid.discount_codes[0], *row.discount_codes]
    decided = (
        select(Redemption.id)
        .where(Redemption.brand_id == shop.brand_id, Redemption.order_id == row.id)
        .exists()
    )
    await session.execute(update(Order).where(*known, ~decided).values(discount_codes=codes))


async def _keep(session: AsyncSession, shop: Shop, paid: OrderPaid, order: Fields, now: datetime) -> UUID:
    """Store the call as a delivery, once per order; returns its id."""
    data: dict[str, Any] = {**order.values, "discount_codes": list(paid.discount_codes)}
    event = {
        "brand_id": shop.brand_id,
        "id": new_id(),
        "shop_id": shop.id,
        "source": "api",
        "topic": "order.paid",
        "external_id": f"redeem:{paid.order_id}",
        "body": json.dumps({"type": "order.paid", "data": data}, default=str).encode(),
        "status": DeliveryStatus.processed,
        "received_at": now,
        "processed_at": now,
    }
    made: UUID | None = await session.scalar(
        insert(Delivery).values(event).on_conflict_do_nothing().returning(Delivery.id)
    )
    if made is not None:
        return made
    known: UUID | None = await session.scalar(
        select(Delivery.id).where(
            Delivery.brand_id == shop.brand_id,
            Delivery.shop_id == shop.id,
            Delivery.source == event["source"],
            Delivery.external_id == event["external_id"],
        )
    )
    assert known is not None  # noqa: S101  # the insert met it
    return known


async def _outcome(session: AsyncSession, shop: Shop, paid: OrderPaid, code: str) -> Redeemed:
    found = await session.execute(
        select(Redemption.id, Redemption.status, Redemption.reason, Code.code)
        .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
        .join(Code, (Code.brand_id == Redemption.brand_id) & (Code.id == Redemption.code_id))
        .where(Order.brand_id == shop.brand_id, Order.shop_id == shop.id, Order.external_id == paid.order_id)
    )
    row = found.first()
    if row is None:
        return Redeemed(None, RefusalReason.unknown_code)
    if row.code != plain_code(code):
        return Redeemed(row.id, "order_has_another_code")
    if row.status in (RedemptionStatus.refused, RedemptionStatus.rejected, RedemptionStatus.reversed):
        return Redeemed(row.id, row.reason or row.status)
    return Redeemed(row.id, None)
