"""Redeem a code with an order: the order is recorded and its code decided in one transaction."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.errors import AppError
from app.base.retry import retry_conflicts
from app.base.tokens import Tokens, plain_code
from app.brands.find import load_brand, load_shops
from app.brands.models import Shop
from app.checkout.parse import Purchase
from app.ingest.process import Batch, process_events
from app.ingest.rules import ParsedEvent, with_person_dated
from app.ingest.store import NewDelivery, store_processed
from app.orders.record import add_discount_code, lock_order
from app.orders.rules import external_order_id
from app.platforms.events import OrderPaid
from app.referrals.decide import OrderRedemption, find_order_redemption
from app.referrals.erase import find_erased_codes
from app.referrals.own_use import find_own_codes, find_own_use
from app.referrals.rules import RedemptionStatus, RefusalReason

JUST_NOW = 2**63 - 1
"""The place of a call in the order of arrival: no erasure comes after it."""


@dataclass(frozen=True, slots=True)
class RedeemResult:
    """The redemption and None, or the reason against the code (with the refused row, if any).

    A referrer's own code makes no redemption: then it is the reward that was used.
    """

    redemption_id: UUID | None
    reason: str | None
    reward_id: UUID | None = None


def choose_shop(shops: Mapping[UUID, Shop], slug: str | None) -> Shop:
    """The shop of this slug, or without a slug the brand's only one.

    Raises 422 `shop_required` where the brand has several, `unknown_shop` for a slug it does not
    have.
    """
    found = [shop for shop in shops.values() if slug in (None, shop.slug)]
    if len(found) == 1:
        return found[0]
    if slug is None:
        raise AppError("shop_required", "The brand has several shops; name one in the field shop.")
    raise AppError("unknown_shop", "The brand has no shop of this slug.")


async def redeem_code(
    session: AsyncSession, tokens: Tokens, brand_id: int, purchase: Purchase, *, now: datetime
) -> RedeemResult:
    """Record the order as paid, with this code first among its codes, and decide the code.

    The order stands whether or not the code counts. A repeated call for the same order returns the
    same. Of many concurrent calls for a last use one wins. Raises `Unparseable` for an order that
    cannot be understood, and what `choose_shop` raises.
    """
    brand = await load_brand(session, brand_id)
    shops = await load_shops(session, brand_id)
    shop = choose_shop(shops, purchase.shop)
    # A code that named somebody who was erased is stored nowhere again.
    replaced = await find_erased_codes(session, tokens, brand_id, [plain_code(purchase.code)])
    purchase = replace(purchase, code=replaced.get(plain_code(purchase.code), purchase.code))
    paid = purchase.paid(now=now)
    others = tuple(each for each in paid.discount_codes if plain_code(each) != plain_code(purchase.code))
    paid = replace(paid, discount_codes=(purchase.code, *others))
    batch = Batch(session, tokens, brand, shops, now)
    delivery_id = await _store_delivery(session, shop, paid, purchase, now=now)
    await _record(batch, shop, delivery_id, paid)
    order_id = external_order_id(paid.order_id)
    own = await find_own_use(session, brand_id, purchase.code, shop.id, order_id)
    if own is not None:
        return RedeemResult(None, own.reason, own.reward_id if own.reason is None else None)
    found = await find_order_redemption(session, brand_id, shop.id, order_id)
    return _result(found, purchase.code)


async def _record(batch: Batch, shop: Shop, delivery_id: UUID, paid: OrderPaid) -> None:
    async def record() -> None:
        async with batch.session.begin_nested():
            await _add_code(batch.session, shop, paid)
            event = with_person_dated(paid, received_at=batch.now)
            await process_events(batch, [ParsedEvent(delivery_id, JUST_NOW, shop.id, event)])

    await retry_conflicts(record, name="redeem")


async def _add_code(session: AsyncSession, shop: Shop, paid: OrderPaid) -> None:
    """Add the code to an order that a webhook reported without it, unless it is decided.

    A referrer's own code is added beside any other.
    """
    if not await lock_order(session, shop.brand_id, shop.id, paid.order_id):
        return
    code = plain_code(paid.discount_codes[0])
    is_own = code in await find_own_codes(session, shop.brand_id, [code])
    if is_own or await find_order_redemption(session, shop.brand_id, shop.id, paid.order_id) is None:
        await add_discount_code(session, shop.brand_id, shop.id, paid.order_id, paid.discount_codes[0])


async def _store_delivery(
    session: AsyncSession, shop: Shop, paid: OrderPaid, purchase: Purchase, *, now: datetime
) -> UUID:
    """Store the call as a delivery that is processed already, once per order; returns its id."""
    data = {**purchase.order.values, "discount_codes": list(paid.discount_codes)}
    delivery = NewDelivery(
        brand_id=shop.brand_id,
        shop_id=shop.id,
        source="api",
        topic="order.paid",
        external_id=f"redeem:{paid.order_id}",
        body=json.dumps({"type": "order.paid", "data": data}, default=str).encode(),
        received_at=now,
    )
    return await store_processed(session, delivery, now=now)


def _result(found: OrderRedemption | None, code: str) -> RedeemResult:
    if found is None:
        return RedeemResult(None, RefusalReason.unknown_code)
    if found.code != plain_code(code):
        return RedeemResult(found.id, "order_has_another_code")
    if found.status in (RedemptionStatus.refused, RedemptionStatus.rejected, RedemptionStatus.reversed):
        return RedeemResult(found.id, found.reason or found.status)
    return RedeemResult(found.id, None)
