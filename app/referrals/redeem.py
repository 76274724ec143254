"""Friends' orders that carry a code of ours: who wins a limited use is decided on arrival, once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.tokens import Tokens
from app.brands.models import Brand
from app.referrals.candidates import RedemptionCandidate, RedemptionContext, RedemptionDecision
from app.referrals.eligibility_rules import may_redeem
from app.referrals.find_candidates import find_candidates, find_codes
from app.referrals.fold_facts import fold_order_facts
from app.referrals.gather import gather
from app.referrals.models import SETTLING_SWEEP, Code
from app.referrals.record import record_decisions


async def redeem_orders(
    session: AsyncSession, tokens: Tokens, brand: Brand, order_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Decide the redemption of each recorded order, `order_ids` in the order of their arrival.

    Idempotent: an order that has its redemption keeps it. An order with none of our codes gets no
    row; one whose codes are all refused gets a `refused` row with the first reason. A redemption
    that counts has its reward, `pending`. Test orders and imported history redeem nothing. Facts
    that came before the order are folded in. Whether a code had expired is decided for the time
    the order was placed, so that a late webhook refuses nobody.
    """
    candidates = await find_candidates(session, tokens, brand.id, order_ids)
    carried = await find_codes(session, brand.id, candidates)
    candidates = [candidate for candidate in candidates if candidate.key in carried]
    if not candidates:
        return
    context = await gather(
        session, tokens, brand, candidates, {code_id for ids in carried.values() for code_id in ids}
    )
    decisions = [
        decide(context, candidate, [context.codes[code_id] for code_id in carried[candidate.key]])
        for candidate in candidates
    ]
    decisions = await record_decisions(session, brand, context, decisions, now=now)
    await fold_order_facts(session, brand, [decision.candidate.key for decision in decisions], now=now)
    await due.wake(session, SETTLING_SWEEP)


def decide(
    context: RedemptionContext, candidate: RedemptionCandidate, codes: Sequence[Code]
) -> RedemptionDecision:
    """The first code that counts, added to the context, else the first one with its reason."""
    refused: RedemptionDecision | None = None
    for code in codes:
        reason = may_redeem(context.eligibility_of(candidate, code))
        if reason is None:
            return context.take(candidate, code)
        refused = refused or RedemptionDecision(candidate, code, reason)
    if refused is None:
        raise ValueError("an order without codes of ours has no redemption to decide")
    return refused
