"""Goodwill: a reward that a person of the team grants, without a friend's order."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.errors import AppError, NotFound
from app.base.ids import new_id
from app.base.money import Money
from app.base.outbox import Event, record_events
from app.brands.find import ProgrammeInForce, load_programme, load_shops
from app.brands.models import Brand, Shop
from app.brands.programme import RewardKind
from app.referrals.amount_rules import reward_value
from app.referrals.figures import note_changes
from app.referrals.models import Referrer
from app.referrals.pay_rewards import pay_rewards
from app.referrals.reward_models import Reward
from app.referrals.reward_store import RewardChange, RewardValues, store_rewards
from app.referrals.reward_to_pay import RewardToPay
from app.referrals.rules import RewardStatus
from app.referrals.shop_credit.take_up import add_held

PERIOD = timedelta(days=30)
"""What one referrer is granted within this time counts together for the limit."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What goodwill is for, and the id of its reward: the same one again is refused."""

    reason: str
    reward_id: UUID = field(default_factory=new_id)


async def grant_goodwill(
    session: AsyncSession,
    brand: Brand,
    referrer_id: UUID,
    amount: Money,
    *,
    times: int,
    actor: Actor,
    grant: Grant,
    now: datetime,
) -> Reward:
    """Grant a referrer an amount in the currency of their shop; returns the reward.

    It is a code or credit as the programme's rewards are, and is usable at once. No message is
    sent. A referrer gets at most `times` the programme's reward in 30 days; concurrent calls wait
    for each other. Raises 404, 422 `currency_mismatch` and `bad_amount`, 409 `not_rewardable` for
    one who could not use it, `no_rewards` where the programme gives none, `above_limit`, and
    `already_granted` for a grant that was made: a form sent twice grants once.
    """
    referrer = await _lock(session, brand.id, referrer_id)
    if await session.get(Reward, (brand.id, grant.reward_id)) is not None:
        raise AppError(
            "already_granted",
            "This was granted already, once; send the form again to grant more.",
            status=409,
        )
    shops = await load_shops(session, brand.id)
    home = shops[referrer.shop_id]
    in_force = await load_programme(session, brand.id)
    _check(amount, home, in_force)
    await _check_limit(session, brand.id, referrer_id, amount, in_force, times=times, now=now)
    kind = in_force.programme.reward.kind
    reward = _new_reward(brand.id, grant.reward_id, referrer_id, kind, amount)
    session.add(reward)
    await session.flush()
    await _pay(session, brand, RewardToPay(reward, amount.minor, in_force.terms_id, home.id), shops, now=now)
    await record_events(session, brand.id, [Event("reward.granted", reward.id, now)])
    await note_changes(session, brand.id, [referrer_id])
    changes = {"amount": (None, str(amount)), "reason": (None, grant.reason)}
    await record_action(session, actor, AuditAction.goodwill_granted, ("rwd", reward.id), changes)
    return reward


def _new_reward(brand_id: int, reward_id: UUID, referrer_id: UUID, kind: RewardKind, amount: Money) -> Reward:
    return Reward(
        brand_id=brand_id,
        id=reward_id,
        redemption_id=None,
        referrer_id=referrer_id,
        kind=kind,
        amount=amount.minor,
        net_amount=amount.minor,
        used_amount=0,
        lapsed_amount=0,
        currency=amount.currency,
        status=RewardStatus.pending,
        frozen=False,
    )


async def _lock(session: AsyncSession, brand_id: int, referrer_id: UUID) -> Referrer:
    referrer = await session.scalar(
        select(Referrer)
        .where(Referrer.brand_id == brand_id, Referrer.id == referrer_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if referrer is None:
        raise NotFound("There is no such referrer.")
    if referrer.revoked_at is not None or referrer.customer_id is None:
        raise AppError(
            "not_rewardable",
            "This referrer is no customer, or was revoked, so nobody could use the reward.",
            status=409,
        )
    return referrer


def _check(amount: Money, home: Shop, in_force: ProgrammeInForce) -> None:
    if amount.currency != home.currency:
        raise AppError("currency_mismatch", f"This referrer's shop sells in {home.currency}.")
    if amount.minor <= 0:
        raise AppError("bad_amount", "Grant more than nothing.")
    if reward_value(in_force.programme.reward, home.currency) <= 0:
        raise AppError(
            "no_rewards",
            f"The programme rewards nothing in {home.currency}, so there is nothing to grant with.",
            status=409,
        )


async def _check_limit(
    session: AsyncSession,
    brand_id: int,
    referrer_id: UUID,
    amount: Money,
    in_force: ProgrammeInForce,
    *,
    times: int,
    now: datetime,
) -> None:
    """Raise 409 `above_limit`; the referrer's row is locked."""
    limit = reward_value(in_force.programme.reward, amount.currency) * times
    granted = await session.scalar(
        select(func.coalesce(func.sum(Reward.net_amount), 0)).where(
            Reward.brand_id == brand_id,
            Reward.referrer_id == referrer_id,
            Reward.redemption_id.is_(None),
            Reward.currency == amount.currency,
            Reward.granted_at > now - PERIOD,
        )
    )
    left = limit - int(granted or 0)
    if amount.minor > left:
        raise AppError(
            "above_limit",
            f"You may grant this referrer {Money(max(0, left), amount.currency)} more within 30 days.",
            status=409,
        )


async def _pay(
    session: AsyncSession, brand: Brand, it: RewardToPay, shops: Mapping[UUID, Shop], *, now: datetime
) -> None:
    """Grant the reward: its code or credit, the ledger and the balance."""
    terms = (await load_programme(session, brand.id)).programme.reward
    reward, expires_at = it.reward, now + timedelta(days=terms.valid_days)
    payment = await pay_rewards(session, brand, [it], shops, expires={reward.id: expires_at}, now=now)
    code_id = payment.code_id_of(reward.id)
    values = replace(RewardValues.of(reward), granted_at=now, expires_at=expires_at, code_id=code_id)
    await store_rewards(session, brand, [RewardChange(reward, values, counts=True)], now=now)
    await add_held(session, payment.held)
