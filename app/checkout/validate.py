"""Validate a code for a basket before anything is ordered; changes nothing."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.money import Money, to_decimal
from app.base.tokens import Tokens, plain_code
from app.brands.models import Brand, Shop
from app.brands.programme import DiscountKind
from app.customers.contact import email_key, personal_email, phone_e164
from app.customers.models import Customer
from app.customers.person import Person
from app.orders.models import Order
from app.orders.rules import external_order_id
from app.orders.stated import buyer_key
from app.referrals.amount_rules import amount_off
from app.referrals.candidates import RedemptionCandidate
from app.referrals.eligibility_rules import may_redeem
from app.referrals.find_candidates import find_codes
from app.referrals.gather import gather
from app.referrals.models import Redemption
from app.referrals.own_use import OwnCode, find_own_codes
from app.referrals.rules import COUNTED, RedemptionStatus, RefusalReason

_LATEST = UUID(int=(1 << 128) - 1)
"""The key of an order that is not placed yet: every other order is an earlier one."""


@dataclass(frozen=True, slots=True)
class Validation:
    """Whether a code would count: a reason against it or None.

    `discount` is the kind, value and currency of a code of ours; `amount_off` is minor units, 0 for
    a refused code.
    """

    reason: RefusalReason | None
    discount: tuple[DiscountKind, Decimal, str] | None
    amount_off: int


@dataclass(frozen=True, slots=True)
class ShopOrder:
    """Where an order is placed, and its id in that shop; None while it has none."""

    shop: Shop
    order_id: str | None = None


async def validate_code(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    code: str,
    person: Person,
    *,
    subtotal: Money,
    at: ShopOrder | None = None,
    now: datetime,
) -> Validation:
    """Decide as `redeem_orders` would at `now`, for a subtotal.

    Nothing is reserved: another order may take the last use first. An order that has redeemed this
    code already may go on using it. `at` None: it is not known in which shop. A referrer's own code
    is for its owner and takes off what is left of its reward.
    """
    known = None if at is None or at.order_id is None else await _find_order(session, at.shop, at.order_id)
    key = _LATEST if known is None else known.id
    buyer = None if at is None else buyer_key(tokens, at.shop.id, person.external_id)
    candidate = await _candidate(session, brand.id, key, code, person, buyer, subtotal, now=now)
    own = (await find_own_codes(session, brand.id, [plain_code(code)])).get(plain_code(code))
    if own is not None:
        return _own_validation(own, candidate)
    carried = await find_codes(session, brand.id, [candidate])
    if not carried:
        return Validation(RefusalReason.unknown_code, None, 0)
    code_id = carried[candidate.key][0]
    context = await gather(session, tokens, brand, [candidate], [code_id], lock=False)
    row = context.codes[code_id]
    uses_it = known is not None and known.code_id == code_id and known.status in COUNTED
    reason = None if uses_it else may_redeem(context.eligibility_of(candidate, row))
    off = (
        0 if reason else amount_off(row.discount_kind, row.discount_value, subtotal.minor, subtotal.currency)
    )
    return Validation(reason, (row.discount_kind, row.discount_value, row.currency), off)


async def _candidate(
    session: AsyncSession,
    brand_id: int,
    key: UUID,
    code: str,
    person: Person,
    buyer: bytes | None,
    subtotal: Money,
    *,
    now: datetime,
) -> RedemptionCandidate:
    """The order as it would be decided about, were it placed at `now`."""
    identity = personal_email(person.email) if person.email else None
    phone = phone_e164(person.phone, [person.country]) if person.phone else None
    return RedemptionCandidate(
        key=key,
        entered=(plain_code(code),),
        slug=None,
        customer_id=await _customer_id(session, brand_id, identity, phone),
        buyer_key=buyer,
        email_key=email_key(identity) if identity else None,
        phone=phone,
        placed_at=now,
        subtotal=subtotal.minor,
        currency=subtotal.currency,
        shop_currency=subtotal.currency,
    )


def _own_validation(own: OwnCode, candidate: RedemptionCandidate) -> Validation:
    reward = own.reward
    reason = own.why_not(
        is_owner=own.owner.is_buyer(candidate.customer_id, candidate.email_key, candidate.phone),
        currency=candidate.currency,
        placed_at=candidate.placed_at,
        order_id=None if candidate.key == _LATEST else candidate.key,
    )
    if reason is RefusalReason.unknown_code:
        return Validation(reason, None, 0)
    worth = to_decimal(reward.net_amount, reward.currency)
    off = 0 if reason else min(candidate.subtotal, reward.net_amount)
    return Validation(reason, (DiscountKind.amount, worth, reward.currency), off)


async def _find_order(
    session: AsyncSession, shop: Shop, external_id: str
) -> Row[UUID, UUID, RedemptionStatus] | None:
    """A recorded order with the code that it redeemed, if any, and the redemption's status."""
    found = await session.execute(
        select(Order.id, Redemption.code_id, Redemption.status)
        .join(
            Redemption,
            (Redemption.brand_id == Order.brand_id) & (Redemption.order_id == Order.id),
            isouter=True,
        )
        .where(
            Order.brand_id == shop.brand_id,
            Order.shop_id == shop.id,
            Order.external_id == external_order_id(external_id),
        )
    )
    return found.first()


async def _customer_id(
    session: AsyncSession, brand_id: int, identity: str | None, phone: str | None
) -> UUID | None:
    if identity is None and phone is None:
        return None
    column, value = (Customer.email, identity) if identity is not None else (Customer.phone, phone)
    return (
        await session.scalars(
            select(Customer.id).where(Customer.brand_id == brand_id, column == value).limit(1)
        )
    ).first()
