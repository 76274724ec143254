"""Credit friends' orders to referrers whom staff and keys name by what they have before them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.rows import ORDERS, REDEMPTIONS
from app.base.actor import Actor
from app.base.errors import AppError, NotFound
from app.base.ids import parse_public_id
from app.base.tokens import Tokens, plain_code
from app.brands.models import Brand
from app.orders.models import Order
from app.referrals.decide import undo_redemption
from app.referrals.find_referrers import find_referrers
from app.referrals.models import Code, Redemption
from app.referrals.relink import Relink, choose_code, relink_order
from app.referrals.rules import CodeKind


async def find_order_id(session: AsyncSession, caller: Actor, text: str) -> UUID:
    """The order with this number or id (`ord_…`) that the caller sees.

    Raises AppError (422 `unknown_order`) for none, and for several with this number.
    """
    number = text.strip().removeprefix("#")
    try:
        wanted = Order.id == parse_public_id("ord", text.strip())
    except NotFound:
        wanted = Order.number.in_((number, f"#{number}"))
    rows = await session.execute(ORDERS.visible(caller).where(wanted).limit(2))
    found = rows.all()
    if len(found) != 1:
        problem = (
            "Several orders have this number; give the id of one." if found else "There is no such order."
        )
        raise AppError("unknown_order", problem)
    order_id: UUID = found[0].id
    return order_id


async def credit_order(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    caller: Actor,
    order_id: UUID,
    to: str,
    *,
    reason: str,
    now: datetime,
) -> UUID:
    """Credit an order to the referrer with this code, link, address or id; returns its redemption.

    Raises as `relink_order`, and AppError (422 `unknown_referrer`) where it is not one who is
    found.
    """
    ids = await find_referrers(session, brand.id, to, pii=caller.sees_people)
    if len(ids) != 1:
        problem = "Several referrers are found by this." if ids else "No referrer is found by this."
        raise AppError("unknown_referrer", problem)
    code_id = await session.scalar(
        select(Code.id).where(
            Code.brand_id == brand.id,
            Code.referrer_id == ids[0],
            Code.code == plain_code(to),
            Code.kind != CodeKind.reward,
        )
    ) or await choose_code(session, brand.id, ids[0])
    return await relink_order(
        session, tokens, brand, Relink(order_id, code_id, reason), actor=caller, now=now
    )


async def relink_redemption(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    caller: Actor,
    redemption_id: UUID,
    to: str | None,
    *,
    reason: str,
    now: datetime,
) -> None:
    """Credit a redemption's order to another referrer; None takes it from whom it is credited to.

    Raises as `credit_order` and `undo_redemption`, NotFound for one that the caller may not see.
    """
    seen = REDEMPTIONS.visible(caller).where(REDEMPTIONS.key == redemption_id)
    order_id = await session.scalar(seen.with_only_columns(Redemption.order_id))
    if order_id is None:
        raise NotFound
    if to is None:
        await undo_redemption(session, brand, redemption_id, actor=caller, reason=reason, now=now)
    else:
        await credit_order(session, tokens, brand, caller, order_id, to, reason=reason, now=now)
