"""Friends' orders that carry a code of ours: who wins a limited use is decided on arrival, once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.batch import in_ids
from app.base.ids import new_id
from app.base.tokens import plain_code
from app.brands.models import Brand, Shop
from app.customers.models import Customer
from app.ledger.post import LedgerTransaction, post_entries
from app.ledger.rules import CauseKind, LedgerAccount
from app.orders.models import Order
from app.referrals import rules
from app.referrals.candidates import RedemptionCandidate, RedemptionContext, reward_amount
from app.referrals.gather import find_codes, gather
from app.referrals.models import Code, Redemption, Reward
from app.referrals.reverse import reverse_orders
from app.referrals.rules import RedemptionStatus, RefusalReason, RewardStatus


@dataclass(frozen=True, slots=True)
class RedemptionDecision:
    """The code of an order that won, or its first code and the reason why it was refused."""

    candidate: RedemptionCandidate
    code: Code
    reason: RefusalReason | None
    suspect: bool = False
    redemption_id: UUID = field(default_factory=new_id)


async def redeem_orders(
    session: AsyncSession, brand: Brand, order_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Decide the redemption of each recorded order, `order_ids` in the order of their arrival.

    Idempotent: an order that has its redemption keeps it. An order with none of our codes gets no
    row; one whose codes are all refused gets a `refused` row with the first reason. A redemption
    that counts has its reward, `pending`. Test orders and imported history redeem nothing. Facts
    that came before the order are folded in. A code's expiry is judged by when the order was
    placed, so that a late webhook costs nobody.
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
    await _write_rewards(session, brand.id, context, decisions)
    await post_entries(session, brand, [_discount(each) for each in decisions], now=now)
    await reverse_orders(session, brand, [decision.candidate.key for decision in decisions], now=now)
    await due.wake(session, "referrals")


def decide(
    context: RedemptionContext, candidate: RedemptionCandidate, codes: Sequence[Code]
) -> RedemptionDecision:
    """The first of the codes that may win, added to the context.

    Else the first code with its reason.
    """
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
    """The orders with a code or share link and without a redemption, in the order given."""
    rows = await session.execute(_undecided(brand_id, order_ids))
    found = {row.id: row for row in rows}
    return [_candidate(found[order_id]) for order_id in dict.fromkeys(order_ids) if order_id in found]


def _undecided(brand_id: int, order_ids: Sequence[UUID]) -> Select[*tuple[Any, ...]]:
    return (
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
            *(Order.discount_total, Order.payment_key, Order.paid_at, Order.delivered_at),
            *(Customer.email_key, Customer.phone),
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


def _candidate(row: Row[*tuple[Any, ...]]) -> RedemptionCandidate:
    return RedemptionCandidate(
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
        paid_at=row.paid_at,
        delivered_at=row.delivered_at,
    )


async def _write(
    session: AsyncSession, brand_id: int, context: RedemptionContext, decisions: Sequence[RedemptionDecision]
) -> list[RedemptionDecision]:
    """Write the redemptions and take the uses; returns what was written.

    Codes are locked, so uses cannot run out in between. But a friend who orders twice at one moment
    with two codes is noticed by the unique key alone: the later order is refused then. An order
    that was redeemed concurrently is left out.
    """
    written = await _insert(session, brand_id, context, decisions)
    won = Counter(each.code.id for each in decisions if each.reason is None and each.candidate.key in written)
    await _take_uses(session, brand_id, won)
    missed = [each for each in decisions if each.candidate.key not in written]
    late = [replace(each, reason=RefusalReason.already_used_by_friend) for each in missed]
    # An order that was redeemed concurrently has its row, and this second insert leaves it out.
    written |= await _insert(session, brand_id, context, late)
    final = {each.candidate.key: each for each in (*decisions, *late)}
    return [each for key, each in final.items() if key in written]


async def _insert(
    session: AsyncSession, brand_id: int, context: RedemptionContext, decisions: Sequence[RedemptionDecision]
) -> set[UUID]:
    """The keys of the orders whose redemptions were written."""
    if not decisions:
        return set()
    # In the order of the friends' keys, so that two batches with the same friends cannot deadlock.
    ordered = sorted(decisions, key=lambda each: (each.candidate.email_key or "", each.candidate.phone or ""))
    values = [_values(brand_id, context, each) for each in ordered]
    return set(
        await session.scalars(
            insert(Redemption).on_conflict_do_nothing().returning(Redemption.order_id), values
        )
    )


def _values(brand_id: int, context: RedemptionContext, decision: RedemptionDecision) -> dict[str, object]:
    candidate, code = decision.candidate, decision.code
    terms, won = context.terms[code.terms_id], decision.reason is None
    status = RedemptionStatus.in_review if decision.suspect else RedemptionStatus.pending
    reason = RefusalReason.suspected_fraud if decision.suspect and won else decision.reason
    hold_until = None
    if won and candidate.paid_at is not None:
        hold_until = rules.hold_end(
            candidate.paid_at, candidate.delivered_at, terms.reward.hold_from, terms.reward.hold_days
        )
    return {
        "brand_id": brand_id,
        "id": decision.redemption_id,
        "order_id": candidate.key,
        "code_id": code.id,
        "referrer_id": code.referrer_id,
        "friend_id": candidate.customer_id,
        "friend_email_key": candidate.email_key,
        "friend_phone": candidate.phone,
        "one_per_friend": terms.offer.one_per_friend,
        "status": status if won else RedemptionStatus.refused,
        "reason": reason,
        "amount_off": amount_off_of(decision),
        "currency": candidate.currency,
        "terms_id": code.terms_id,
        "holds_use": won,
        "hold_until": hold_until,
    }


def amount_off_of(decision: RedemptionDecision) -> int:
    """What the code takes off the order, in its minor units.

    For a refused code what the shop took off.
    """
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
    """Count the uses.

    The condition repeats what the lock guarantees, else the batch is rolled back.
    """
    if not won:
        return
    taken = await session.scalars(
        _TAKE, {"brand_id": brand_id, "ids": list(won), "counts": list(won.values())}
    )
    if len(taken.all()) != len(won):
        raise RuntimeError("a code was used up while it was locked")


async def _write_rewards(
    session: AsyncSession, brand_id: int, context: RedemptionContext, decisions: Sequence[RedemptionDecision]
) -> None:
    """Write the pending reward of each redemption that counts, unless its terms give none."""
    values = []
    for each in decisions:
        terms, currency = context.terms[each.code.terms_id], each.candidate.shop_currency
        amount = reward_amount(terms, currency)
        if each.reason is None and amount:
            values.append(
                {
                    "brand_id": brand_id,
                    "id": new_id(),
                    "redemption_id": each.redemption_id,
                    "referrer_id": each.code.referrer_id,
                    "kind": terms.reward.kind,
                    "amount": amount,
                    "net_amount": amount,
                    "currency": currency,
                    "status": RewardStatus.pending,
                }
            )
    if values:
        await session.execute(insert(Reward), values)


def _discount(decision: RedemptionDecision) -> LedgerTransaction:
    """What the friend got: a cost of a redemption that counts, else a leaked discount."""
    counts = decision.reason is None
    return LedgerTransaction(
        key=f"discount:{decision.redemption_id}",
        account=LedgerAccount.discount_cost if counts else LedgerAccount.leaked_discount,
        other=LedgerAccount.friends,
        amount=amount_off_of(decision),
        currency=decision.candidate.currency,
        cause_kind=CauseKind.redemption,
        cause_id=decision.redemption_id,
        referrer_id=decision.code.referrer_id,
        occurred_at=decision.candidate.placed_at,
    )
