"""Find the orders whose redemption is to be decided, and the codes of ours that they carry."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids, in_texts
from app.base.tokens import Tokens, plain_code, slug_brand
from app.brands.models import Shop
from app.customers.models import Customer
from app.orders.models import Order
from app.orders.rules import OrderMoney
from app.orders.stated import discount_key, spent_key
from app.referrals.candidates import RedemptionCandidate
from app.referrals.models import Code, Redemption, Referrer
from app.referrals.rules import REDECIDED, CodeKind


async def find_candidates(
    session: AsyncSession, tokens: Tokens, brand_id: int, order_ids: Sequence[UUID]
) -> list[RedemptionCandidate]:
    """Return the orders with a code or share link and without a redemption, in the order given."""
    rows = await session.execute(_candidates(brand_id, order_ids).where(Redemption.id.is_(None)))
    return _in_order(tokens, brand_id, rows.all(), order_ids)


async def find_order(
    session: AsyncSession, tokens: Tokens, brand_id: int, order_id: UUID
) -> RedemptionCandidate | None:
    """One order, with or without a code or a redemption; None for an unknown one.

    None too for one that was cancelled, a test order, one from before the start, and one of an
    erased person.
    """
    rows = await session.execute(
        _candidates(brand_id, [order_id], with_code=False).where(
            Order.cancelled_at.is_(None), Customer.erased_at.is_(None)
        )
    )
    return next(iter(_in_order(tokens, brand_id, rows.all(), [order_id])), None)


async def find_decided(
    session: AsyncSession,
    tokens: Tokens,
    brand_id: int,
    order_ids: Sequence[UUID],
    changed: Collection[UUID],
) -> list[RedemptionCandidate]:
    """Return those of the orders whose redemption may be decided anew, in the order given.

    It is refused, pending or in review, and the order is one of `changed`, or its buyer is known by
    another address now. Orders that were cancelled or are disputed, and those of erased people, are
    left out.
    """
    is_new = or_(
        Customer.email_key.is_distinct_from(Redemption.friend_email_key),
        Customer.phone.is_distinct_from(Redemption.friend_phone),
    )
    rows = await session.execute(
        _candidates(brand_id, order_ids).where(
            Redemption.status.in_(REDECIDED),
            Redemption.status_before.is_(None),
            Order.cancelled_at.is_(None),
            Customer.erased_at.is_(None),
            or_(in_ids(Order.id, list(changed)), is_new),
        )
    )
    return _in_order(tokens, brand_id, rows.all(), order_ids)


def _in_order(
    tokens: Tokens, brand_id: int, rows: Sequence[Row[*tuple[Any, ...]]], order_ids: Sequence[UUID]
) -> list[RedemptionCandidate]:
    found = {row.id: row for row in rows}
    return [
        _candidate(tokens, brand_id, found[order_id])
        for order_id in dict.fromkeys(order_ids)
        if order_id in found
    ]


def _candidates(
    brand_id: int, order_ids: Sequence[UUID], *, with_code: bool = True
) -> Select[*tuple[Any, ...]]:
    carries = (func.jsonb_array_length(Order.discount_codes) > 0) | Order.referral.is_not(None)
    return (
        select(
            *(
                Order.id,
                Order.shop_id,
                Order.discount_codes,
                Order.referral,
                Order.customer_id,
                Order.placed_at,
                Order.subtotal,
                Order.currency,
            ),
            *(Order.discount_total, Order.discount_amounts, Order.buyer_key, Order.payment_key),
            *(Order.address_key, Order.paid_at, Order.delivered_at, Order.total, Order.shipping_total),
            *(Order.trial, Order.ordered_before, Customer.email_key, Customer.phone),
            Shop.currency.label("shop_currency"),
            Redemption.id.label("redemption_id"),
        )
        .join(Shop, (Shop.brand_id == Order.brand_id) & (Shop.id == Order.shop_id))
        .join(
            Customer, (Customer.brand_id == Order.brand_id) & (Customer.id == Order.customer_id), isouter=True
        )
        .join(
            Redemption,
            (Redemption.brand_id == Order.brand_id) & (Redemption.order_id == Order.id),
            isouter=True,
        )
        .where(
            Order.brand_id == brand_id,
            in_ids(Order.id, order_ids),
            Order.test.is_(False),
            Order.history.is_(False),
            *([carries] if with_code else ()),
        )
    )


def _candidate(tokens: Tokens, brand_id: int, row: Row[*tuple[Any, ...]]) -> RedemptionCandidate:
    entered = tuple(plain for entered in row.discount_codes if (plain := plain_code(entered)))
    return RedemptionCandidate(
        key=row.id,
        entered=entered,
        slug=row.referral.strip().lower() if row.referral else None,
        customer_id=row.customer_id,
        email_key=row.email_key,
        phone=row.phone,
        placed_at=row.placed_at,
        subtotal=row.subtotal,
        currency=row.currency,
        shop_currency=row.shop_currency,
        discounted=row.discount_total,
        stated_discounts=stated_discounts(tokens, brand_id, row.discount_amounts, entered),
        buyer_key=row.buyer_key,
        ordered_before=row.ordered_before,
        payment_key=row.payment_key,
        address_key=row.address_key,
        money=OrderMoney(row.total, row.shipping_total),
        paid_at=row.paid_at,
        delivered_at=row.delivered_at,
        shop_id=row.shop_id,
        redemption_id=row.redemption_id,
        trial=row.trial,
    )


def stated_discounts(
    tokens: Tokens, brand_id: int, amounts: Mapping[str, int] | None, codes: Collection[str]
) -> dict[str, int]:
    """What an order's `discount_amounts` state of these codes, which are given made comparable."""
    if not amounts:
        return {}
    keys = {code: discount_key(tokens, brand_id, code) for code in codes}
    return {code: amounts[key] for code, key in keys.items() if key in amounts}


def stated_spending(
    tokens: Tokens, brand_id: int, amounts: Mapping[str, int] | None, code: str
) -> int | None:
    """What an order's `discount_amounts` state is gone of this code's own amount; None: nothing."""
    if not amounts:
        return None
    key = discount_key(tokens, brand_id, code)
    return amounts.get(spent_key(key), amounts.get(key))


async def find_codes(
    session: AsyncSession, brand_id: int, candidates: Sequence[RedemptionCandidate]
) -> dict[UUID, list[UUID]]:
    """The ids of our codes for friends that each candidate carries: as entered, then by the link.

    Candidates without any are left out. A share link stands for its referrer's present share code,
    else for their last one: so the order is refused with that code's reason, and the
    decision is final: it does not win with a later code when it is reported again.
    """
    entered = {code for candidate in candidates for code in candidate.entered}
    slugs = {
        candidate.slug
        for candidate in candidates
        if candidate.slug and slug_brand(candidate.slug) == brand_id
    }
    by_code = await _ids_by_code(session, brand_id, entered)
    by_slug = await _ids_by_slug(session, brand_id, slugs)
    found = {}
    for candidate in candidates:
        ids = [by_code.get(code) for code in candidate.entered] + [by_slug.get(candidate.slug or "")]
        ours = list(dict.fromkeys(code_id for code_id in ids if code_id is not None))
        if ours:
            found[candidate.key] = ours
    return found


async def _ids_by_code(session: AsyncSession, brand_id: int, entered: Collection[str]) -> dict[str, UUID]:
    if not entered:
        return {}
    rows = await session.execute(
        select(Code.code, Code.id).where(
            Code.brand_id == brand_id,
            in_texts(Code.code, list(entered)),
            Code.kind != CodeKind.reward,
            Code.redeemable,
        )
    )
    return {row.code: row.id for row in rows}


async def _ids_by_slug(session: AsyncSession, brand_id: int, slugs: Collection[str]) -> dict[str, UUID]:
    """The present share code of each link's referrer, else their last one."""
    if not slugs:
        return {}
    rows = await session.execute(
        select(Referrer.slug, Code.id)
        .ext(distinct_on(Referrer.slug))
        .join(Code, (Code.brand_id == Referrer.brand_id) & (Code.referrer_id == Referrer.id))
        .where(
            Referrer.brand_id == brand_id,
            in_texts(Referrer.slug, list(slugs)),
            Code.kind == CodeKind.share,
        )
        .order_by(Referrer.slug, Code.active.desc(), Code.created_at.desc(), Code.id.desc())
    )
    return {row.slug: row.id for row in rows}
