"""Record what was decided about friends' orders: redemptions, uses, rewards and ledger entries."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import recordset
from app.base.ids import new_id
from app.brands.models import Brand
from app.brands.programme import RewardKind
from app.brands.terms import Terms
from app.ledger.post import LedgerTransaction, post_entries
from app.ledger.rules import CauseKind, LedgerAccount
from app.referrals.amount_rules import booked_discount, stated_discount
from app.referrals.candidates import RedemptionCandidate, RedemptionContext, RedemptionDecision, counts_at
from app.referrals.code_uses import take_uses
from app.referrals.models import Redemption
from app.referrals.period_rules import hold_end
from app.referrals.reward_models import Reward
from app.referrals.rules import RedemptionStatus, RefusalReason, RewardStatus

_REDEMPTION = [
    Redemption.id,
    Redemption.order_id,
    Redemption.shop_id,
    Redemption.code_id,
    Redemption.referrer_id,
    Redemption.friend_id,
    Redemption.friend_email_key,
    Redemption.friend_phone,
    Redemption.one_per_friend,
    Redemption.status,
    Redemption.reason,
    Redemption.amount_off,
    Redemption.currency,
    Redemption.terms_id,
    Redemption.holds_use,
    Redemption.hold_until,
]
_REWARD = [
    Reward.id,
    Reward.redemption_id,
    Reward.referrer_id,
    Reward.kind,
    Reward.amount,
    Reward.net_amount,
    Reward.reason,
    Reward.currency,
    Reward.status,
    Reward.used_amount,
    Reward.lapsed_amount,
    Reward.frozen,
]


async def record_decisions(
    session: AsyncSession,
    brand: Brand,
    context: RedemptionContext,
    decisions: Sequence[RedemptionDecision],
    *,
    now: datetime,
) -> list[RedemptionDecision]:
    """Write redemptions, pending rewards and the ledger's entries; returns what was written.

    The uses of the codes are counted. An order that was redeemed concurrently is left out.
    """
    written = await _write(session, brand.id, context, decisions, now=now)
    await write_rewards(session, brand.id, context, written)
    await post_entries(session, brand, [_discount(each) for each in written], now=now)
    return written


async def _write(
    session: AsyncSession,
    brand_id: int,
    context: RedemptionContext,
    decisions: Sequence[RedemptionDecision],
    *,
    now: datetime,
) -> list[RedemptionDecision]:
    """Write the redemptions and count their uses; returns what was written.

    Codes are locked, so uses cannot run out in between. But a friend who orders twice at one moment
    with two codes is noticed by the unique key alone: the later order is refused then. An order
    that was redeemed concurrently is left out.
    """
    written = await _insert(session, brand_id, context, decisions)
    winners = [each for each in decisions if each.reason is None and each.candidate.key in written]
    won = Counter(code_id for each in winners for code_id in counts_at(each.code))
    await take_uses(session, brand_id, won, now=now)
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
    given = recordset([_values(context, each) for each in decisions], _REDEMPTION)
    # In the order of the friends' keys, so that two batches with the same friends cannot deadlock.
    in_order = select(literal(brand_id), *given.c).order_by(
        given.c.friend_email_key, given.c.friend_phone, given.c.order_id
    )
    written = await session.scalars(
        insert(Redemption)
        .from_select(["brand_id", *given.c.keys()], in_order, include_defaults=False)
        .on_conflict_do_nothing()
        .returning(Redemption.order_id)
    )
    return set(written)


def _values(context: RedemptionContext, decision: RedemptionDecision) -> dict[str, object]:
    candidate, code = decision.candidate, decision.code
    terms, won = context.terms[code.terms_id], decision.reason is None
    status = RedemptionStatus.in_review if decision.review else RedemptionStatus.pending
    reason = (decision.review or decision.none_because) if won else decision.reason
    return {
        "id": decision.redemption_id,
        "order_id": candidate.key,
        "shop_id": candidate.shop_id,
        "code_id": code.id,
        "referrer_id": code.referrer_id,
        "friend_id": candidate.customer_id,
        "friend_email_key": candidate.email_key,
        "friend_phone": candidate.phone,
        "one_per_friend": terms.offer.one_per_friend and not candidate.trial,
        "status": status if won else RedemptionStatus.refused,
        "reason": reason,
        "amount_off": amount_off_of(decision),
        "currency": candidate.currency,
        "terms_id": code.terms_id,
        "holds_use": won,
        "hold_until": hold_until_of(candidate, terms) if won else None,
    }


def hold_until_of(candidate: RedemptionCandidate, terms: Terms) -> datetime | None:
    """The end of the holding period of an order that counts; None for a basket, which has none."""
    if candidate.paid_at is None:
        return None
    return hold_end(candidate.paid_at, candidate.delivered_at, terms.reward.hold_from, terms.reward.hold_days)


def set_friend(redemption: Redemption, candidate: RedemptionCandidate) -> None:
    """Set who a locked redemption's friend is, as the order says now."""
    redemption.friend_id = candidate.customer_id
    redemption.friend_email_key, redemption.friend_phone = candidate.email_key, candidate.phone


def set_code(redemption: Redemption, decision: RedemptionDecision, terms: Terms) -> None:
    """Set a locked redemption's code and what follows from it, as was decided anew."""
    code = decision.code
    redemption.code_id, redemption.referrer_id, redemption.terms_id = code.id, code.referrer_id, code.terms_id
    redemption.one_per_friend = terms.offer.one_per_friend and not decision.candidate.trial
    redemption.holds_use = decision.reason is None


def amount_off_of(decision: RedemptionDecision) -> int:
    """What the code takes off the order, in its minor units.

    For a refused code what the shop took off.
    """
    candidate, code = decision.candidate, decision.code
    return booked_discount(
        code.discount_kind,
        code.discount_value,
        stated=stated_discount(
            code.code, candidate.stated_discounts, candidate.entered, discounted=candidate.discounted
        ),
        counts=decision.reason is None,
        subtotal=candidate.subtotal,
        discounted=candidate.discounted,
        code_currency=code.currency,
        currency=candidate.currency,
    )


async def write_rewards(
    session: AsyncSession, brand_id: int, context: RedemptionContext, decisions: Sequence[RedemptionDecision]
) -> None:
    """Write the pending reward of each redemption that counts, unless its terms give thanks alone.

    A reward of nothing too, with its reason.
    """
    rows = []
    for each in decisions:
        terms, currency = context.terms[each.code.terms_id], each.candidate.shop_currency
        if each.reason is None and terms.reward.kind is not RewardKind.none:
            rows.append(
                {
                    "id": new_id(),
                    "redemption_id": each.redemption_id,
                    "referrer_id": each.code.referrer_id,
                    "kind": terms.reward.kind,
                    "amount": each.reward,
                    "net_amount": each.reward,
                    "reason": each.none_because,
                    "currency": currency,
                    "status": RewardStatus.pending,
                    "used_amount": 0,
                    "lapsed_amount": 0,
                    "frozen": False,
                }
            )
    if rows:
        given = recordset(rows, _REWARD)
        await session.execute(
            insert(Reward).from_select(
                ["brand_id", *given.c.keys()], select(literal(brand_id), *given.c), include_defaults=False
            )
        )


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
