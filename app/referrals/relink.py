"""Credit a friend's order to a referrer whom a person names: one without a code, or a wrong one."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.errors import AppError, NotFound
from app.base.ids import public_id, public_id_or_none
from app.base.tokens import Tokens
from app.base.touched import touch
from app.brands.models import Brand
from app.ledger.post import post_entries
from app.referrals.book_discounts import present_discount, taken_back
from app.referrals.candidates import (
    RedemptionCandidate,
    RedemptionContext,
    RedemptionDecision,
    counts_at,
)
from app.referrals.code_uses import take_uses
from app.referrals.figures import note_changes
from app.referrals.find_candidates import find_order
from app.referrals.fold_facts import fold_order_facts
from app.referrals.gather import gather
from app.referrals.models import SETTLING_SWEEP, Code, Redemption
from app.referrals.move_reward import RewardMove, lock_reward, move_reward
from app.referrals.record import hold_until_of, record_decisions, set_code, set_friend
from app.referrals.reward import reward_redemptions
from app.referrals.rules import (
    COUNTED,
    CodeKind,
    RedemptionStatus,
    RefusalReason,
)

RELINKED = (*COUNTED, RedemptionStatus.rejected, RedemptionStatus.refused)
"""Redemptions that may be credited to somebody else: all but those that were undone."""


@dataclass(frozen=True, slots=True)
class Relink:
    """An order, the code whose referrer and terms it gets, and why, in a person's words."""

    order_id: UUID
    code_id: UUID
    reason: str


async def choose_code(session: AsyncSession, brand_id: int, referrer_id: UUID) -> UUID:
    """The referrer's share code, the present one first; raises 409 `no_code` for who has none."""
    found = await session.scalar(
        select(Code.id)
        .where(Code.brand_id == brand_id, Code.referrer_id == referrer_id, Code.kind == CodeKind.share)
        .order_by(Code.active.desc(), Code.id.desc())
        .limit(1)
    )
    if found is None:
        raise AppError("no_code", "This referrer has no code for friends.", status=409)
    return found


async def relink_order(
    session: AsyncSession, tokens: Tokens, brand: Brand, asked: Relink, *, actor: Actor, now: datetime
) -> UUID:
    """Credit an order to a code's referrer, under that code's terms; returns its redemption.

    It waits for the end of its hold, and is rewarded, as others; one that was approved is rewarded
    at once, and who had the reward loses what is unspent of it (`move_reward`). That the code had
    ended, or that the friend ordered before, does not count against it, since a person decides.
    What the friend got off stays as it was booked. An order has one redemption: a wrong one is
    changed.

    Raises 404, and 409: `not_relinkable` for a test order or one from before the start, or one
    that is undone; `own_order`, `already_used_by_friend`, `exhausted` and `disabled`;
    `changed_meanwhile`.
    """
    candidate = await find_order(session, tokens, brand.id, asked.order_id)
    if candidate is None:
        raise _not_relinkable("It was cancelled, is a test order, or is from before the start.")
    before = await _find(session, brand.id, asked.order_id)
    codes = {asked.code_id} | ({before.code_id} if before is not None else set())
    context = await gather(session, tokens, brand, [candidate], codes)
    present = await _find(session, brand.id, asked.order_id, lock=True)
    if (present and present.code_id) != (before and before.code_id):
        raise AppError("changed_meanwhile", "It was changed at this moment; look at it again.", status=409)
    code = context.codes[asked.code_id]
    _check(context, candidate, code, present)
    previous = None if present is None else present.referrer_id
    was_approved = present is not None and present.status is RedemptionStatus.approved
    if present is None:
        redemption_id = await _add(session, brand, context, candidate, code, now=now)
    else:
        redemption_id = present.id
        await _move(session, brand, context, candidate, code, present, now=now)
    await fold_order_facts(session, brand, [asked.order_id], now=now)
    if was_approved and await _is_pending(session, brand.id, redemption_id):
        await reward_redemptions(session, tokens, brand, [redemption_id], now=now)
    if previous is not None:
        # The other one is noted with the order's facts.
        await note_changes(session, brand.id, [previous])
        await touch(session, brand.id, "referrers", [previous])
    await due.wake(session, SETTLING_SWEEP)
    changes = {
        "referrer": (public_id_or_none("ref", previous), public_id("ref", code.referrer_id)),
        "reason": (None, asked.reason),
    }
    await record_action(session, actor, AuditAction.redemption_relinked, ("red", redemption_id), changes)
    return redemption_id


async def _find(
    session: AsyncSession, brand_id: int, order_id: UUID, *, lock: bool = False
) -> Redemption | None:
    query = select(Redemption).where(Redemption.brand_id == brand_id, Redemption.order_id == order_id)
    if lock:
        query = query.with_for_update(key_share=True)
    return await session.scalar(query.execution_options(populate_existing=True))


async def _is_pending(session: AsyncSession, brand_id: int, redemption_id: UUID) -> bool:
    """Whether nothing speaks against its reward, such as an open dispute."""
    status = await session.scalar(
        select(Redemption.status).where(Redemption.brand_id == brand_id, Redemption.id == redemption_id)
    )
    return status is RedemptionStatus.pending


def _not_relinkable(because: str) -> AppError:
    return AppError("not_relinkable", f"This order cannot be credited to somebody. {because}", status=409)


def _check(
    context: RedemptionContext, candidate: RedemptionCandidate, code: Code, present: Redemption | None
) -> None:
    """What no person may decide otherwise."""
    if code.kind is CodeKind.reward:
        raise NotFound("There is no such code for friends.")
    if present is not None and (present.status not in RELINKED or present.status_before is not None):
        raise _not_relinkable(f"It is {present.status}: what was undone stays so.")
    if present is not None and present.referrer_id == code.referrer_id and present.status in COUNTED:
        raise _not_relinkable("It is theirs already.")
    given = context.eligibility_of(candidate, code)
    holds = present is not None and present.holds_use and code.id == present.code_id
    for refused, reason, text in (
        (given.own_order, RefusalReason.own_order, "It is the referrer's own order."),
        (
            given.one_per_friend and given.used_before,
            RefusalReason.already_used_by_friend,
            "This friend has used a code already.",
        ),
        (given.uses_left <= 0 and not holds, RefusalReason.exhausted, "Their code is used up."),
        (context.owners[code.referrer_id].revoked, RefusalReason.disabled, "Their link was revoked."),
    ):
        if refused:
            raise AppError(reason, text, status=409)


def _decided(
    context: RedemptionContext, candidate: RedemptionCandidate, code: Code, off: int, redemption: UUID | None
) -> RedemptionDecision:
    """The decision that the code counts, for what was taken off already.

    A person has looked at it, so nothing else but a friend whom nobody knows is in review.
    """
    stated = replace(candidate, stated_discounts={**candidate.stated_discounts, code.code: off})
    made = context.take(stated, code)
    is_nobody = candidate.email_key is None and candidate.phone is None
    made = replace(made, review=made.review if is_nobody else None)
    return made if redemption is None else replace(made, redemption_id=redemption)


async def _add(
    session: AsyncSession,
    brand: Brand,
    context: RedemptionContext,
    candidate: RedemptionCandidate,
    code: Code,
    *,
    now: datetime,
) -> UUID:
    made = _decided(context, candidate, code, 0, None)
    written = await record_decisions(session, brand, context, [made], now=now)
    if not written or written[0].reason is not None:
        raise AppError("changed_meanwhile", "It was changed at this moment; look at it again.", status=409)
    return made.redemption_id


async def _move(
    session: AsyncSession,
    brand: Brand,
    context: RedemptionContext,
    candidate: RedemptionCandidate,
    code: Code,
    redemption: Redemption,
    *,
    now: datetime,
) -> None:
    """Give a redemption to the referrer of the code, its reward pending."""
    reward = await lock_reward(session, redemption, code.referrer_id)
    if reward is not None and redemption.status in COUNTED:
        context.release(candidate, reward.net_amount)
    before = present_discount(redemption, now=now)
    uses = Counter(counts_at(code))
    if redemption.holds_use:
        uses.subtract(counts_at(context.codes[redemption.code_id]))
    made = _decided(context, candidate, code, redemption.amount_off, redemption.id)
    if redemption.status is RedemptionStatus.approved:
        # A person, or the end of the hold, has decided that the order counts.
        made = replace(made, review=None)
    try:
        async with session.begin_nested():
            _apply(context, redemption, made, now=now)
            await session.flush()
    except IntegrityError:
        raise AppError(
            RefusalReason.already_used_by_friend, "This friend has used a code already.", status=409
        ) from None
    await take_uses(session, brand.id, {each: count for each, count in uses.items() if count}, now=now)
    await move_reward(session, brand, context, RewardMove(reward, made), now=now)
    posted = [taken_back(before), present_discount(redemption, now=now)]
    await post_entries(session, brand, posted, now=now)


def _apply(
    context: RedemptionContext, redemption: Redemption, made: RedemptionDecision, *, now: datetime
) -> None:
    terms = context.terms[made.code.terms_id]
    set_friend(redemption, made.candidate)
    set_code(redemption, made, terms)
    redemption.hold_until = hold_until_of(made.candidate, terms) or redemption.hold_until
    status = RedemptionStatus.in_review if made.review else RedemptionStatus.pending
    redemption.become(status, made.review or made.none_because, now=now)
