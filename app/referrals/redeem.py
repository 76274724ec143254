"""Friends' orders that carry a code of ours: who wins a limited use is decided here, on arrival, once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.batch import in_ids
from app.base.ids import new_id
from app.base.tokens import plain_code
from app.brands.models import Brand, Shop
from app.customers.models import Customer
from app.orders.models import Order
from app.referrals import rules
from app.referrals.candidates import RedemptionCandidate, RedemptionContext
from app.referrals.gather import find_codes, gather
from app.referrals.ledger import LedgerTransaction, post_entries
from app.referrals.models import Code, Redemption
from app.referrals.reverse import reverse_orders
from app.referrals.rules import LedgerAccount, RedemptionStatus, RefusalReason


@dataclass(frozen=True, slots=True)
class RedemptionDecision:
    """What became of an order's codes: the one that won, or the first one and why it was refused."""

    candidate: RedemptionCandidate
    code: Code
    reason: RefusalReason | None
    suspect: bool = False


async def redeem_orders(
    session: AsyncSession, brand: Brand, order_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Decide the redemption of each recorded order, `order_ids` in the order of their arrival.

    Idempotent: an order that has its redemption keeps it. An order with none of our codes gets no row; one whose codes are all
    refused gets a `refused` row with the first reason. Test orders and imported history redeem nothing. Facts that came before
    the order are folded in at once. A code's expiry is judged by when the order was placed, so a late webhook costs nobody.
    """
    candidates = await _candidates(session, brand.id, order_ids)
    carried = await find_codes(session, brand.id, candidates)
    candidates = [candidate for candidate in candidates if candidate.key in carried]
    if not candidates:
        return
    context = await gather(
        session, brand, candidates, {code_id for ids in carried.values() for code_id in ids}
    )
    decisions = [
        decide(context, candidate, [context.codes[code_id] for code_id in carried[candidate.key]])
        for candidate in candidates
    ]
    decisions = await _write(session, brand.id, context, decisions)
    await _book(session, brand.id, decisions, now=now)
    await reverse_orders(session, brand, [decision.candidate.key for decision in decisions], now=now)
    await due.wake(session, "referrals")


def decide(
    context: RedemptionContext, candidate: RedemptionCandidate, codes: Sequence[Code]
) -> RedemptionDecision:
    """The first of the codes that may win, counted into the facts; else the first one with its reason."""
    refused: RedemptionDecision | None = None
    for code in codes:
        reason = rules.may_redeem(context.eligibility_of(candidate, code))
        if reason is None:
            context.take(candidate, code)
            return RedemptionDecision(candidate, code, None, context.is_suspect(candidate, code))
        refused = refused or RedemptionDecision(candidate, code, reason)
    if refused is None:
        raise ValueError("an order without codes of ours has no redemption to decide")
    return refused


async def _candidates(
    session: AsyncSession, brand_id: int, order_ids: Sequence[UUID]
) -> list[RedemptionCandidate]:
    """The orders among these that carry a code or share link and have no redemption, in the order given."""
    rows = await session.execute(
        select(
            *(
                Order.id,
                Order.discount_codes,
                Order.referral,
                Order.customer_id,
                Order.placed_at,
                Order.subtotal,
                Order.currency,
            ),
            *(Order.discount_total, Order.payment_key, Customer.email_key, Customer.phone),
            Shop.currency.label("shop_currency"),
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
            Redemption.id.is_(None),
            Order.test.is_(False),
            Order.history.is_(False),
            (func.jsonb_array_length(Order.discount_codes) > 0) | Order.referral.is_not(None),
        )
    )
    found = {row.id: row for row in rows}
    return [
        RedemptionCandidate(
            key=row.id,
            entered=tuple(plain for entered in row.discount_codes if (plain := plain_code(entered))),
            slug=row.referral.strip().lower() if row.referral else None,
            customer_id=row.customer_id,
            email_key=row.email_key,
            phone=row.phone,
            placed_at=row.placed_at,
            subtotal=row.subtotal,
            currency=row.currency,
            shop_currency=row.shop_currency,
            discounted=row.discount_total,
            payment_key=row.payment_key,
        )
        for order_id in dict.fromkeys(order_ids)
        if (row := found.get(order_id)) is not None
    ]


async def _write(
    session: AsyncSession, brand_id: int, context: RedemptionContext, decisions: Sequence[RedemptionDecision]
) -> list[RedemptionDecision]:
    """Write the redemptions and take the uses; answers what was written, which differs where somebody else was quicker.

    Codes are locked, so uses cannot run out in between. But a friend who orders twice at one moment with two codes is seen by the
    unique key alone: the later order is refused then.
    """
    written = await _insert(session, brand_id, context, decisions)
    won = Counter(
        decision.code.id
        for decision in decisions
        if decision.reason is None and decision.candidate.key in written
    )
    await _take_uses(session, brand_id, won)
    missed = [decision for decision in decisions if decision.candidate.key not in written]
    late = [replace(decision, reason=RefusalReason.already_used_by_friend) for decision in missed]
    # An order that somebody else redeemed meanwhile has its row, and this second insert passes it over.
    written |= await _insert(session, brand_id, context, late)
    told = {decision.candidate.key: decision for decision in (*decisions, *late)}
    return [decision for key, decision in told.items() if key in written]


async def _insert(
    session: AsyncSession, brand_id: int, context: RedemptionContext, decisions: Sequence[RedemptionDecision]
) -> set[UUID]:
    if not decisions:
        return set()
    # In the order of the friends' keys, so that two batches with the same friends wait in a line and not for each other.
    ordered = sorted(
        decisions, key=lambda decision: (decision.candidate.email_key or "", decision.candidate.phone or "")
    )
    values = [_values(brand_id, context, decision) for decision in ordered]
    return set(
        await session.scalars(
            insert(Redemption).on_conflict_do_nothing().returning(Redemption.order_id), values
        )
    )


def _values(brand_id: int, context: RedemptionContext, decision: RedemptionDecision) -> dict[str, object]:
    candidate, code = decision.candidate, decision.code
    won = decision.reason is None
    status = RedemptionStatus.in_review if decision.suspect else RedemptionStatus.pending
    reason = RefusalReason.suspected_fraud if decision.suspect and won else decision.reason
    return {
        "brand_id": brand_id,
        "id": new_id(),
        "order_id": candidate.key,
        "code_id": code.id,
        "referrer_id": code.customer_id,
        "friend_id": candidate.customer_id,
        "friend_email_key": candidate.email_key,
        "friend_phone": candidate.phone,
        "one_per_friend": context.versions[code.programme_version].offer.one_per_friend,
        "status": status if won else RedemptionStatus.refused,
        "reason": reason,
        "amount_off": amount_off_of(decision),
        "currency": candidate.currency,
        "programme_version": code.programme_version,
        "holds_use": won,
    }


def amount_off_of(decision: RedemptionDecision) -> int:
    """What the code takes off the order, in its minor units; for a refused one what the shop took off all the same."""
    candidate, code = decision.candidate, decision.code
    kind, value = code.discount_kind, code.discount_value
    if decision.reason is None:
        return rules.amount_off(
            kind, value, candidate.subtotal, candidate.currency, discounted=candidate.discounted
        )
    return rules.leaked(
        kind,
        value,
        candidate.subtotal,
        candidate.discounted,
        code_currency=code.currency,
        currency=candidate.currency,
    )


_TAKE = text("""
    UPDATE codes SET uses = uses + taken.count
    FROM unnest(CAST(:ids AS uuid[]), CAST(:counts AS integer[])) AS taken (id, count)
    WHERE codes.brand_id = :brand_id AND codes.id = taken.id AND uses + taken.count <= max_uses
    RETURNING codes.id
""")


async def _take_uses(session: AsyncSession, brand_id: int, won: Mapping[UUID, int]) -> None:
    """Count the uses; the condition repeats what the lock has promised, and failing it undoes the whole batch."""
    if not won:
        return
    taken = await session.scalars(
        _TAKE, {"brand_id": brand_id, "ids": list(won), "counts": list(won.values())}
    )
    if len(taken.all()) != len(won):
        raise RuntimeError("a code was used up while it was locked")


async def _book(
    session: AsyncSession, brand_id: int, decisions: Sequence[RedemptionDecision], *, now: datetime
) -> None:
    """Book what friends got: as the cost of redemptions that count, or as leaked."""
    keys = [decision.candidate.key for decision in decisions]
    rows = await session.execute(
        select(Redemption.order_id, Redemption.id).where(
            Redemption.brand_id == brand_id, in_ids(Redemption.order_id, keys)
        )
    )
    ids = {row.order_id: row.id for row in rows}
    bookings = [
        LedgerTransaction(
            key=f"discount:{ids[decision.candidate.key]}",
            account=LedgerAccount.discount_cost if decision.reason is None else LedgerAccount.leaked_discount,
            other=LedgerAccount.friends,
            amount=amount_off_of(decision),
            currency=decision.candidate.currency,
            redemption_id=ids[decision.candidate.key],
            referrer_id=decision.code.customer_id,
        )
        for decision in decisions
    ]
    await post_entries(session, brand_id, bookings, now=now)
