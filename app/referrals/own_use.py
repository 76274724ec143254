"""The use of referrers' own codes: by an order of the owner, once; a cancellation gives it back."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids, in_texts, recordset
from app.base.outbox import Event, record_events
from app.base.tokens import Tokens, plain_code
from app.brands.models import Brand
from app.customers.models import Customer
from app.orders.models import Order
from app.referrals.candidates import CodeOwner
from app.referrals.find_candidates import stated_spending
from app.referrals.models import Code, Referrer
from app.referrals.own_use_rules import OwnCodeInput, why_not_own_code
from app.referrals.placing.placements import place_again
from app.referrals.reward_models import Reward
from app.referrals.reward_store import RewardChange, RewardValues, store_rewards
from app.referrals.rules import CodeKind, RefusalReason, RewardStatus
from app.referrals.shop_credit.uses import use_shop_credit


@dataclass(frozen=True, slots=True)
class OwnCode:
    """A referrer's own code with its reward and its owner."""

    code: Code
    reward: Reward
    owner: CodeOwner

    def why_not(
        self, *, is_owner: bool, currency: str, placed_at: datetime, order_id: UUID | None
    ) -> RefusalReason | None:
        """Why it cannot be used for an order, or None."""
        return why_not_own_code(
            OwnCodeInput(
                is_owner=is_owner,
                revoked=self.owner.revoked,
                disabled=self.code.disabled_at is not None,
                status=self.reward.status,
                frozen=self.reward.frozen,
                used_here=order_id is not None and self.reward.used_order_id == order_id,
                expired=self.code.expires_at <= placed_at,
                same_currency=currency == self.reward.currency,
            )
        )


async def find_own_codes(
    session: AsyncSession, brand_id: int, codes: Collection[str], *, lock: bool = False
) -> dict[str, OwnCode]:
    """Those of these codes, made comparable, that are referrers' own; with `lock` until the commit.

    Rewards are locked by id, after any redemption.
    """
    if not codes:
        return {}
    query = (
        select(Reward, Code, Referrer, Customer.email_key, Customer.phone)
        .join(Code, (Code.brand_id == Reward.brand_id) & (Code.id == Reward.code_id))
        .join(Referrer, (Referrer.brand_id == Reward.brand_id) & (Referrer.id == Reward.referrer_id))
        .join(
            Customer,
            (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id),
            isouter=True,
        )
        .where(Code.brand_id == brand_id, Code.kind == CodeKind.reward, in_texts(Code.code, list(codes)))
        .order_by(Reward.id)
        .execution_options(populate_existing=True)
    )
    rows = await session.execute(query.with_for_update(key_share=True, of=Reward) if lock else query)
    return {
        row.Code.code: OwnCode(
            row.Code,
            row.Reward,
            CodeOwner(
                row.Referrer.customer_id, row.email_key, row.phone, row.Referrer.revoked_at is not None
            ),
        )
        for row in rows
    }


async def use_own_codes(
    session: AsyncSession, tokens: Tokens, brand: Brand, order_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Set the rewards whose codes these orders carry to used, and give cancelled orders' back.

    Each reward is used once, by an order of its owner, for what the code took off; the order
    makes no redemption by it and may carry a friend's code too. So are coupons of credit, in parts
    (`use_shop_credit`). Idempotent. Test orders and imported history use nothing. To be called
    after anything that locks redemptions.
    """
    if not order_ids:
        return
    await _give_back(session, brand, order_ids, now=now)
    orders = {row.id: row for row in await session.execute(_orders_with_codes(brand.id, order_ids))}
    entered = {
        order_id: [plain for each in row.discount_codes if (plain := plain_code(each))]
        for order_id, row in orders.items()
    }
    known = await find_own_codes(
        session, brand.id, {code for codes in entered.values() for code in codes}, lock=True
    )
    used: dict[UUID, RewardChange] = {}
    for order_id in dict.fromkeys(order_ids):
        for code in entered.get(order_id, ()):
            own = known.get(code)
            if own is None or own.reward.id in used or own.reward.used_at is not None:
                continue
            order = orders[order_id]
            if _why_not(own, order) is None:
                stated = stated_spending(tokens, brand.id, order.discount_amounts, code)
                used[own.reward.id] = _used(own.reward, order, stated, now=now)
    await _store(session, brand, list(used.values()), uses=1, now=now)
    others = {each: [code for code in codes if code not in known] for each, codes in entered.items()}
    await use_shop_credit(session, tokens, brand, order_ids, others, now=now)
    events = [Event("reward.used", reward_id, now) for reward_id in used]
    await record_events(session, brand.id, events)


def _orders_with_codes(brand_id: int, order_ids: Sequence[UUID]) -> Select[*tuple[Any, ...]]:
    return (
        select(
            *(Order.id, Order.discount_codes, Order.customer_id, Order.placed_at, Order.currency),
            *(Order.subtotal, Order.discount_amounts, Customer.email_key, Customer.phone),
        )
        .join(
            Customer, (Customer.brand_id == Order.brand_id) & (Customer.id == Order.customer_id), isouter=True
        )
        .where(
            Order.brand_id == brand_id,
            in_ids(Order.id, order_ids),
            func.jsonb_array_length(Order.discount_codes) > 0,
            Order.cancelled_at.is_(None),
            Order.test.is_(False),
            Order.history.is_(False),
        )
    )


def _why_not(own: OwnCode, order: Row[*tuple[Any, ...]]) -> RefusalReason | None:
    return own.why_not(
        is_owner=own.owner.is_buyer(order.customer_id, order.email_key, order.phone),
        currency=order.currency,
        placed_at=order.placed_at,
        order_id=order.id,
    )


def _used(reward: Reward, order: Row[*tuple[Any, ...]], stated: int | None, *, now: datetime) -> RewardChange:
    taken = min(order.subtotal if stated is None else stated, reward.net_amount)
    values = replace(RewardValues.of(reward), used_amount=taken, used_at=now, used_order_id=order.id)
    return RewardChange(reward, values, counts=True)


async def _give_back(
    session: AsyncSession, brand: Brand, order_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Give the rewards back that cancelled ones of these orders used."""
    rewards = await session.scalars(
        select(Reward)
        .join(Order, (Order.brand_id == Reward.brand_id) & (Order.id == Reward.used_order_id))
        .where(
            Reward.brand_id == brand.id,
            in_ids(Reward.used_order_id, order_ids),
            or_(Order.cancelled_at.is_not(None), Order.test),
        )
        .order_by(Reward.id)
        .with_for_update(key_share=True, of=Reward)
        .execution_options(populate_existing=True)
    )
    changes = []
    for reward in rewards:
        values = replace(RewardValues.of(reward), used_amount=0, used_at=None, used_order_id=None)
        counts = reward.status is not RewardStatus.reversed
        changes.append(RewardChange(reward, values, counts=counts))
    await _store(session, brand, changes, uses=0, now=now)
    await place_again(session, brand.id, [each.reward.id for each in changes], more_uses=1, now=now)


async def _store(
    session: AsyncSession, brand: Brand, changes: Sequence[RewardChange], *, uses: int, now: datetime
) -> None:
    """Write the rewards, and how often their codes were used."""
    if not changes:
        return
    await store_rewards(session, brand, changes, now=now)
    rows = [{"id": change.reward.code_id, "uses": uses} for change in changes]
    given = recordset(rows, [Code.id, Code.uses])
    await session.execute(
        update(Code)
        .where(Code.brand_id == brand.id, Code.id == given.c.id)
        .values(uses=given.c.uses)
        .execution_options(synchronize_session=False)
    )


@dataclass(frozen=True, slots=True)
class OwnCodeUse:
    """Whether a referrer's own code was used for an order: its reward, and why it was not."""

    reward_id: UUID
    reason: RefusalReason | None


async def find_own_use(
    session: AsyncSession, brand_id: int, code: str, shop_id: UUID, external_id: str
) -> OwnCodeUse | None:
    """The outcome of a referrer's own code, given as entered, for an order that was recorded.

    None for a code that is none.
    """
    own = (await find_own_codes(session, brand_id, [plain_code(code)])).get(plain_code(code))
    if own is None:
        return None
    rows = await session.execute(
        select(
            Order.id, Order.customer_id, Order.placed_at, Order.currency, Customer.email_key, Customer.phone
        )
        .join(
            Customer, (Customer.brand_id == Order.brand_id) & (Customer.id == Order.customer_id), isouter=True
        )
        .where(Order.brand_id == brand_id, Order.shop_id == shop_id, Order.external_id == external_id)
    )
    order = rows.one()
    if own.reward.used_order_id == order.id:
        return OwnCodeUse(own.reward.id, None)
    return OwnCodeUse(own.reward.id, _why_not(own, order) or RefusalReason.not_active)
