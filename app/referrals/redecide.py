"""Decide redemptions anew whose order was reported again with what was missing or wrong."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.outbox import Event, record_events
from app.base.tokens import Tokens
from app.base.touched import touch
from app.brands.models import Brand
from app.ledger.post import LedgerTransaction, post_entries
from app.referrals.book_discounts import present_discount, taken_back
from app.referrals.candidates import (
    RedemptionCandidate,
    RedemptionContext,
    RedemptionDecision,
    counts_at,
)
from app.referrals.code_uses import take_uses
from app.referrals.eligibility_rules import may_keep, may_redeem
from app.referrals.figures import note_changes
from app.referrals.find_candidates import find_codes, find_decided
from app.referrals.fold_facts import fold_order_facts
from app.referrals.gather import gather
from app.referrals.models import Redemption
from app.referrals.record import amount_off_of, set_code, set_friend, write_rewards
from app.referrals.reward_models import Reward
from app.referrals.rules import COUNTED, DECIDED_ONCE, REDECIDED, RedemptionStatus, RefusalReason


async def redecide_orders(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    order_ids: Sequence[UUID],
    changed: Sequence[UUID],
    *,
    now: datetime,
) -> None:
    """Decide the redemptions of these known orders as they are now; `changed` says which differ.

    A refused one may win with what its order holds now, though not what was decided on arrival: a
    use that was gone, a code that had ended. One that waits or is in review loses its use where the
    buyer turns out to be the referrer, or somebody who may not use it, and is put in review by an
    address or a card of theirs. One that nobody could be recognised by counts once its buyer is
    named. Idempotent.
    """
    if not order_ids:
        return
    candidates = await find_decided(session, tokens, brand.id, order_ids, changed)
    if not candidates:
        return
    try:
        async with session.begin_nested():
            await _redecide(session, tokens, brand, candidates, now=now)
    except IntegrityError:
        # The friend used another code at this moment; that is known now.
        await _redecide(session, tokens, brand, candidates, now=now)
    await fold_order_facts(session, brand, [candidate.key for candidate in candidates], now=now)


@dataclass(slots=True)
class _Change:
    """A redemption, and what it was before it was decided anew."""

    redemption: Redemption
    decision: RedemptionDecision
    before: LedgerTransaction
    was: RedemptionStatus
    had_reward: bool


async def _redecide(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    candidates: Sequence[RedemptionCandidate],
    *,
    now: datetime,
) -> None:
    carried = await find_codes(session, brand.id, candidates)
    own = await session.scalars(
        select(Redemption.code_id).where(
            Redemption.brand_id == brand.id,
            in_ids(Redemption.order_id, [candidate.key for candidate in candidates]),
        )
    )
    code_ids = {*own, *(code_id for ids in carried.values() for code_id in ids)}
    context = await gather(session, tokens, brand, candidates, code_ids)
    redemptions = await _lock(session, brand.id, candidates)
    rewarded = await _rewarded(session, brand.id, list(redemptions.values()))
    pairs = [(each, redemptions[each.key]) for each in candidates if each.key in redemptions]
    changes: list[_Change] = []
    # Those that hold a use come first: it is theirs already.
    for candidate, redemption in sorted(pairs, key=lambda pair: pair[1].status not in COUNTED):
        had_reward = redemption.id in rewarded
        if redemption.status in COUNTED:
            decision = _keep(context, candidate, redemption, rewarded.get(redemption.id))
        else:
            codes = [redemption.code_id] if had_reward else carried.get(candidate.key, [])
            decision = _win(context, candidate, redemption, codes)
        before = present_discount(redemption, now=now)
        change = _Change(redemption, decision, before, redemption.status, had_reward)
        _apply(context, change, now=now)
        changes.append(change)
    await session.flush()
    await _write(session, brand, context, changes, now=now)


async def _lock(
    session: AsyncSession, brand_id: int, candidates: Sequence[RedemptionCandidate]
) -> dict[UUID, Redemption]:
    """The redemptions that may still be decided anew, by order; their codes are locked before."""
    rows = await session.scalars(
        select(Redemption)
        .where(
            Redemption.brand_id == brand_id,
            in_ids(Redemption.order_id, [candidate.key for candidate in candidates]),
            Redemption.status.in_(REDECIDED),
            Redemption.status_before.is_(None),
        )
        .order_by(Redemption.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {redemption.order_id: redemption for redemption in rows}


async def _rewarded(
    session: AsyncSession, brand_id: int, redemptions: Sequence[Redemption]
) -> dict[UUID, RefusalReason | None]:
    """Which of these have a reward, with the reason for which it is one of nothing."""
    rows = await session.execute(
        select(Reward.redemption_id, Reward.reason).where(
            Reward.brand_id == brand_id, in_ids(Reward.redemption_id, [each.id for each in redemptions])
        )
    )
    return {row.redemption_id: row.reason for row in rows if row.redemption_id is not None}


def _is_other_buyer(candidate: RedemptionCandidate, redemption: Redemption) -> bool:
    named = (candidate.customer_id, candidate.email_key, candidate.phone)
    return named != (redemption.friend_id, redemption.friend_email_key, redemption.friend_phone)


def _keep(
    context: RedemptionContext,
    candidate: RedemptionCandidate,
    redemption: Redemption,
    none_because: RefusalReason | None,
) -> RedemptionDecision:
    """Whether an order that holds a use keeps it, and whether a person has to decide."""
    code = context.codes[redemption.code_id]
    given = context.eligibility_of(candidate, code)
    reason = may_keep(given, is_other_buyer=_is_other_buyer(candidate, redemption))
    decision = RedemptionDecision(candidate, code, reason, redemption_id=redemption.id)
    if reason is not None:
        context.uses.subtract(counts_at(code))
        return decision
    suspect = context.is_suspect(candidate, code)
    context.remember(candidate, code)
    review = _review_of(redemption)
    nobody = redemption.friend_email_key is None and redemption.friend_phone is None
    if review is RefusalReason.suspected_fraud and nobody:
        review = None
    review = RefusalReason.suspected_fraud if suspect else review
    return replace(decision, review=review, none_because=none_because)


def _review_of(redemption: Redemption) -> RefusalReason | None:
    if redemption.status is RedemptionStatus.in_review and redemption.reason is not None:
        return RefusalReason(redemption.reason)
    return None


def _win(
    context: RedemptionContext,
    candidate: RedemptionCandidate,
    redemption: Redemption,
    code_ids: Sequence[UUID],
) -> RedemptionDecision:
    """Whether a refused order wins a use now, by a code that was not decided for good."""
    is_final = redemption.reason in DECIDED_ONCE
    refused = RedemptionDecision(
        candidate,
        context.codes[redemption.code_id],
        RefusalReason(redemption.reason or RefusalReason.unknown_code),
        redemption_id=redemption.id,
    )
    for code_id in code_ids:
        if is_final and code_id == redemption.code_id:
            continue
        code = context.codes[code_id]
        reason = may_redeem(context.eligibility_of(candidate, code))
        if reason is None:
            return replace(context.take(candidate, code), redemption_id=redemption.id)
        if code_id == redemption.code_id:
            refused = replace(refused, reason=reason)
    return refused


def _apply(context: RedemptionContext, change: _Change, *, now: datetime) -> None:
    """Set the redemption to what was decided."""
    redemption, decision = change.redemption, change.decision
    candidate, counts = decision.candidate, decision.reason is None
    set_friend(redemption, candidate)
    if not counts:
        redemption.become(RedemptionStatus.refused, decision.reason, now=now)
        redemption.hold_until = None
    elif decision.review is not None:
        redemption.become(RedemptionStatus.in_review, decision.review, now=now)
    elif change.was is not RedemptionStatus.pending:
        redemption.become(RedemptionStatus.pending, decision.none_because, now=now)
    if counts == (change.was in COUNTED):
        return
    set_code(redemption, decision, context.terms[decision.code.terms_id])
    redemption.amount_off, redemption.currency = amount_off_of(decision), candidate.currency


async def _write(
    session: AsyncSession,
    brand: Brand,
    context: RedemptionContext,
    changes: Sequence[_Change],
    *,
    now: datetime,
) -> None:
    """Count uses, write rewards and move discounts of those that count now, or no longer do."""
    moved = [each for each in changes if (each.decision.reason is None) != (each.was in COUNTED)]
    won = [each for each in moved if each.decision.reason is None]
    lost = [each.redemption for each in moved if each.decision.reason is not None]
    uses = Counter(each for one in won for each in counts_at(context.codes[one.redemption.code_id]))
    uses.subtract(each for one in lost for each in counts_at(context.codes[one.code_id]))
    await take_uses(session, brand.id, {code_id: count for code_id, count in uses.items() if count}, now=now)
    await write_rewards(session, brand.id, context, [each.decision for each in won if not each.had_reward])
    await record_events(session, brand.id, [Event("redemption.reversed", each.id, now) for each in lost])
    # Of those that another code brought before; the others are noted with their order's facts.
    before = {each.before.referrer_id for each in moved if each.before.referrer_id is not None}
    await note_changes(session, brand.id, before)
    await touch(session, brand.id, "referrers", before)
    posted = [
        one for each in moved for one in (taken_back(each.before), present_discount(each.redemption, now=now))
    ]
    await post_entries(session, brand, posted, now=now)
