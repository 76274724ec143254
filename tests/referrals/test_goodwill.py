"""Goodwill is a reward like others, within a limit, and on the referrer's page."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.base.actor import cli_actor
from app.base.audit import AuditEntry
from app.base.errors import AppError
from app.base.money import Money
from app.base.tokens import Subject
from app.checkout.credit import CreditOwner, reserve_credit
from app.checkout.credit_use import capture_credit
from app.insight.invariants import check
from app.ledger.models import LedgerEntry
from app.ledger.rules import CauseKind
from app.ledger.sums import referrers_liabilities
from app.messaging.models import Message
from app.referrals.goodwill import Grant, grant_goodwill
from app.referrals.models import Code, Referrer
from app.referrals.own_use import use_own_codes
from app.referrals.progress import find_progress
from app.referrals.reward_models import Reward
from app.referrals.rules import CodeKind, RewardStatus
from app.referrals.take_back import take_goodwill_back
from tests.support.constants import NOW
from tests.support.factories.orders import make_order
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import make_referrer, owner_of


async def grant(context, brand, referrer_id, amount, *, currency="EUR", times=5, now=NOW):
    async with context.sessions.begin() as session:
        reward = await grant_goodwill(
            session,
            brand,
            referrer_id,
            Money(amount, currency),
            times=times,
            actor=cli_actor(brand.id),
            grant=Grant("a late parcel"),
            now=now,
        )
        return reward.id


async def test_goodwill_is_a_code_on_their_page_that_they_use_without_a_message(context, brand, shop):
    await set_terms(context, brand, {"reward": {"kind": "code"}})
    share = await make_referrer(context, brand, shop)
    customer_id = await owner_of(context, share)
    reward_id = await grant(context, brand, share.referrer_id, 1500)
    async with context.sessions() as session:
        reward = await session.get_one(Reward, (brand.id, reward_id))
        code = await session.get_one(Code, (brand.id, reward.code_id))
        assert (reward.status, reward.redemption_id, code.kind) == (
            RewardStatus.granted,
            None,
            CodeKind.reward,
        )
        assert reward.expires_at == NOW + timedelta(days=365)
        page = await find_progress(session, "http://test", Subject(brand.id, share.referrer_id), now=NOW)
        assert [(each.code, each.amount) for each in page.rewards] == [(code.display, "€15")]
        assert await session.scalar(select(Message.id).where(Message.template == "reward")) is None
        [entry] = await session.scalars(select(AuditEntry).where(AuditEntry.subject_id == reward_id))
        assert entry.action == "goodwill_granted"
    order_id = await make_order(context, brand, shop, customer_id, code.display, plan=True)
    async with context.sessions.begin() as session:
        await use_own_codes(session, context.tokens, brand, [order_id], now=NOW)
    async with context.sessions.begin() as session:
        [owed] = (await referrers_liabilities(session, brand.id, [share.referrer_id]))[share.referrer_id]
        assert (owed.granted, owed.used, owed.outstanding) == (1500, 1500, 0)
        assert await check(session, context.tokens) == []


async def test_what_one_referrer_is_granted_in_thirty_days_is_limited_by_the_role(context, brand, shop):
    await set_terms(context, brand, {"reward": {"kind": "credit"}})
    share = await make_referrer(context, brand, shop)
    found = await asyncio.gather(
        *(grant(context, brand, share.referrer_id, 3000) for _ in range(4)), return_exceptions=True
    )
    refused = [each for each in found if isinstance(each, AppError)]
    assert [each.code for each in refused] == ["above_limit"] * 3
    assert "20.00 EUR more" in refused[0].detail
    await grant(context, brand, share.referrer_id, 9000, times=50)
    await grant(context, brand, share.referrer_id, 5000, now=NOW + timedelta(days=31))
    for amount, currency, code in ((0, "EUR", "bad_amount"), (100, "JPY", "currency_mismatch")):
        with pytest.raises(AppError) as raised:
            await grant(context, brand, share.referrer_id, amount, currency=currency)
        assert raised.value.code == code
    async with context.sessions.begin() as session:
        referrer = await session.get_one(Referrer, (brand.id, share.referrer_id))
        assert await check(session, context.tokens) == []
        referrer.revoked_at = NOW
    with pytest.raises(AppError) as raised:
        await grant(context, brand, share.referrer_id, 100)
    assert raised.value.code == "not_rewardable"


async def take_back(context, brand, reward_id, *, now=NOW):
    async with context.sessions.begin() as session:
        reward = await take_goodwill_back(
            session, brand, reward_id, actor=cli_actor(brand.id), reason="the wrong person", now=now
        )
        return reward.status, reward.net_amount


async def test_goodwill_is_taken_back_once_and_its_code_ends(context, brand, shop):
    await set_terms(context, brand, {"reward": {"kind": "code"}})
    share = await make_referrer(context, brand, shop)
    customer_id = await owner_of(context, share)
    first, second = [await grant(context, brand, share.referrer_id, 1500) for _ in range(2)]
    found = await asyncio.gather(
        *(take_back(context, brand, first) for _ in range(3)), return_exceptions=True
    )
    assert [each for each in found if not isinstance(each, AppError)] == [(RewardStatus.reversed, 0)]
    assert {each.code for each in found if isinstance(each, AppError)} == {"nothing_left"}
    async with context.sessions() as session:
        codes = (await session.scalars(select(Code.display).where(Code.kind == CodeKind.reward))).all()
    order_id = await make_order(context, brand, shop, customer_id, *codes, plan=True)
    async with context.sessions.begin() as session:
        await use_own_codes(session, context.tokens, brand, [order_id], now=NOW)
    async with context.sessions() as session:
        used = (await session.scalars(select(Reward.id).where(Reward.status == "used"))).all()
        assert used == [second], "a code that was taken back buys nothing"
    with pytest.raises(AppError) as raised:
        await take_back(context, brand, second)
    assert raised.value.code == "nothing_left"
    async with context.sessions.begin() as session:
        [owed] = (await referrers_liabilities(session, brand.id, [share.referrer_id]))[share.referrer_id]
        assert (owed.granted, owed.reversed, owed.used, owed.outstanding) == (3000, 1500, 1500, 0)
        entries = select(LedgerEntry.amount).where(
            LedgerEntry.cause_kind == CauseKind.withdrawal, LedgerEntry.cause_id == first
        )
        assert sorted(await session.scalars(entries)) == [-1500, 1500]
        audited = select(AuditEntry.action).where(AuditEntry.subject_id == first)
        assert set(await session.scalars(audited)) == {"goodwill_granted", "goodwill_taken_back"}
        assert await check(session, context.tokens) == []


async def test_credit_that_was_spent_or_is_reserved_is_not_taken_back(context, brand, shop):
    await set_terms(context, brand, {"reward": {"kind": "credit"}})
    share = await make_referrer(context, brand, shop)
    owner = CreditOwner(await owner_of(context, share), share.referrer_id)
    reward_id = await grant(context, brand, share.referrer_id, 3000)

    async def reserve(amount):
        async with context.sessions.begin() as session:
            made = await reserve_credit(
                session, brand, owner, Money(amount, "EUR"), order_id="o", seconds=600, now=NOW
            )
            return made.id

    first, second = await reserve(1000), await reserve(500)
    async with context.sessions.begin() as session:
        await capture_credit(session, brand, first, None, now=NOW)
    assert await take_back(context, brand, reward_id) == (RewardStatus.granted, 1500)
    with pytest.raises(AppError) as raised:
        await take_back(context, brand, reward_id)
    assert raised.value.code == "nothing_left"
    async with context.sessions.begin() as session:
        await capture_credit(session, brand, second, None, now=NOW)
        assert (await session.get_one(Reward, (brand.id, reward_id))).status is RewardStatus.used
        assert await check(session, context.tokens) == []
