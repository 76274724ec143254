"""A friend's order is credited to a referrer whom a person names, by the same rules of money."""

import asyncio

import pytest
from sqlalchemy import func, select, update

from app.base.actor import cli_actor
from app.base.audit import AuditEntry
from app.base.errors import AppError
from app.base.money import Money
from app.brands.models import Brand
from app.checkout.credit import CreditOwner, reserve_credit
from app.checkout.credit_use import capture_credit
from app.insight.invariants import check
from app.ledger.models import CreditAccount
from app.messaging.models import Message
from app.referrals.decide import undo_redemption
from app.referrals.figures import refresh_figures
from app.referrals.models import Code, Redemption
from app.referrals.relink import Relink, relink_order
from app.referrals.reward_models import Reward
from app.referrals.rules import RedemptionStatus, RewardStatus
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.orders import change_order, make_order
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import (
    code_of,
    friend_orders,
    make_referrer,
    owner_of,
    redemption_of,
    reward_of,
    settle,
)


async def relink(context, brand, order_id, code):
    async with context.sessions.begin() as session:
        asked = Relink(order_id, code.id, "they told us on the phone")
        return await relink_order(session, context.tokens, brand, asked, actor=cli_actor(brand.id), now=NOW)


async def refusal(context, brand, order_id, code):
    with pytest.raises(AppError) as raised:
        await relink(context, brand, order_id, code)
    return raised.value.code


async def sound(context):
    """What is violated, once the figures of those who were noted are computed."""
    async with context.sessions.begin() as session:
        for brand_id in await session.scalars(select(Brand.id)):
            while await refresh_figures(session, brand_id, now=NOW):
                pass
    async with context.sessions() as session:
        return [each for each in await check(session, context.tokens) if each.name != "order_has_survey"]


async def test_an_order_without_a_code_is_credited_once_and_rewarded_after_its_hold(context, brand, shop):
    await set_terms(context, brand, {"reward": {"kind": "credit"}})
    code = await make_referrer(context, brand, shop)
    friend = await make_customer(context, brand, first_name="Ben")
    await make_order(context, brand, shop, friend, history=True)
    order_id = await make_order(context, brand, shop, friend, delivered_at=NOW)
    made = await asyncio.gather(
        *(relink(context, brand, order_id, code) for _ in range(3)), return_exceptions=True
    )
    refused = [each.code for each in made if isinstance(each, AppError)]
    assert len(refused) == 2
    assert set(refused) <= {"not_relinkable", "changed_meanwhile", "already_used_by_friend"}
    found = await redemption_of(context, brand, order_id)
    # They got nothing off, and that they had ordered before does not count.
    assert (found.status, found.amount_off, found.holds_use) == (RedemptionStatus.pending, 0, True)
    assert (await code_of(context, brand, code.id)).uses == 1
    assert await settle(context, days=14) == 1
    reward = await reward_of(context, brand, found.id)
    assert (reward.status, reward.referrer_id, reward.amount) == (
        RewardStatus.granted,
        code.referrer_id,
        1000,
    )
    assert await sound(context) == []
    assert await refusal(context, brand, order_id, code) == "not_relinkable", "it is theirs"
    async with context.sessions.begin() as session:
        actor = cli_actor(brand.id)
        await undo_redemption(session, brand, found.id, actor=actor, reason="a mistake", now=NOW)
        actions = await session.scalars(select(AuditEntry.action).where(AuditEntry.subject_id == found.id))
        assert set(actions) == {"redemption_relinked", "redemption_rolled_back"}
    assert (await reward_of(context, brand, found.id)).status is RewardStatus.reversed
    assert (await code_of(context, brand, code.id)).uses == 0
    assert await sound(context) == []


async def test_a_wrong_code_is_changed_and_what_the_friend_got_off_stays(context, brand, shop):
    await set_terms(context, brand, {"reward": {"kind": "credit"}})
    wrong, right = [await make_referrer(context, brand, shop) for _ in range(2)]
    pending = await friend_orders(context, brand, shop, wrong.code)
    async with context.sessions.begin() as session:
        await session.execute(update(Code).where(Code.id == wrong.id).values(minimum_subtotal=100))
    refused = await friend_orders(context, brand, shop, wrong.code)
    assert (pending.status, refused.status) == (RedemptionStatus.pending, RedemptionStatus.refused)
    assert await sound(context) == [], "their figures are computed, so those of a change must be noted"
    for each in (pending, refused):
        await relink(context, brand, each.order_id, right)
        found = await redemption_of(context, brand, each.order_id)
        assert (found.id, found.status, found.amount_off) == (each.id, RedemptionStatus.pending, 800)
        assert (await reward_of(context, brand, each.id)).referrer_id == right.referrer_id
    assert [(await code_of(context, brand, each.id)).uses for each in (wrong, right)] == [0, 2]
    assert await sound(context) == []
    assert await settle(context) == 2
    assert await sound(context) == []


async def spend(context, brand, code, amount):
    owner = CreditOwner(await owner_of(context, code), code.referrer_id)
    async with context.sessions.begin() as session:
        made = await reserve_credit(
            session, brand, owner, Money(amount, "EUR"), order_id="o", seconds=60, now=NOW
        )
        await capture_credit(session, brand, made.id, None, now=NOW)


async def balances(context, brand):
    async with context.sessions() as session:
        rows = await session.execute(select(CreditAccount.referrer_id, CreditAccount.balance))
        return {row.referrer_id: row.balance for row in rows}


async def test_a_reward_that_was_granted_is_taken_back_as_far_as_unspent_and_the_other_one_gets_theirs(
    context, brand, shop
):
    terms = {"reward": {"kind": "credit", "budget": {"amount": {"EUR": "10.00"}, "period": "total"}}}
    await set_terms(context, brand, terms)
    wrong, right = [await make_referrer(context, brand, shop) for _ in range(2)]
    red = await friend_orders(context, brand, shop, wrong.code)
    assert await settle(context, days=50) == 1
    await spend(context, brand, wrong, 400)
    assert await sound(context) == []
    found = await asyncio.gather(
        *(relink(context, brand, red.order_id, right) for _ in range(3)), return_exceptions=True
    )
    assert [each for each in found if not isinstance(each, AppError)] == [red.id]
    assert await balances(context, brand) == {wrong.referrer_id: 0, right.referrer_id: 1000}
    reward = await reward_of(context, brand, red.id)
    assert (reward.referrer_id, reward.status, reward.net_amount) == (
        right.referrer_id,
        RewardStatus.granted,
        1000,
    )
    async with context.sessions() as session:
        kept = await session.scalar(select(Reward).where(Reward.referrer_id == wrong.referrer_id))
        assert (kept.redemption_id, kept.net_amount, kept.status) == (None, 400, RewardStatus.used)
        told = select(func.count()).select_from(Message).where(Message.subject_id == reward.id)
        assert await session.scalar(told) == 1
    assert await sound(context) == []
    # Later facts concern the other one alone.
    await change_order(context, brand, red.order_id, refunded=3600, now=NOW)
    assert await balances(context, brand) == {wrong.referrer_id: 0, right.referrer_id: 500}
    assert await sound(context) == []
    await relink(context, brand, red.order_id, wrong)
    assert await balances(context, brand) == {wrong.referrer_id: 500, right.referrer_id: 0}
    assert [(await code_of(context, brand, each.id)).uses for each in (wrong, right)] == [1, 0]
    assert await sound(context) == []


@pytest.mark.parametrize("kind", ["code", "none"])
async def test_the_code_of_a_reward_of_the_wrong_referrer_ends(context, brand, shop, kind):
    await set_terms(context, brand, {"reward": {"kind": "code"}})
    wrong = await make_referrer(context, brand, shop)
    red = await friend_orders(context, brand, shop, wrong.code)
    await settle(context, days=50)
    await set_terms(context, brand, {"reward": {"kind": kind}})
    right = await make_referrer(context, brand, shop)
    await relink(context, brand, red.order_id, right)
    assert (await redemption_of(context, brand, red.order_id)).status is RedemptionStatus.approved
    async with context.sessions() as session:
        rewards = (await session.scalars(select(Reward).order_by(Reward.id))).all()
    expected = [(wrong.referrer_id, RewardStatus.reversed)]
    expected += [(right.referrer_id, RewardStatus.granted)] if kind == "code" else []
    assert [(each.referrer_id, each.status) for each in rewards] == expected
    assert await sound(context) == []


async def test_what_no_person_may_decide_otherwise_is_refused(context, brand, shop):
    code = await make_referrer(context, brand, shop)
    other = await make_referrer(context, brand, shop)
    own = await make_order(context, brand, shop, await owner_of(context, code))
    assert await refusal(context, brand, own, code) == "own_order"
    friend = await make_customer(context, brand, first_name="Ben")
    first = await make_order(context, brand, shop, friend)
    await relink(context, brand, first, code)
    second = await make_order(context, brand, shop, friend)
    assert await refusal(context, brand, second, other) == "already_used_by_friend"
    history = await make_order(context, brand, shop, await make_customer(context, brand), history=True)
    assert await refusal(context, brand, history, code) == "not_relinkable"
    gone = await make_order(context, brand, shop, await make_customer(context, brand), cancelled_at=NOW)
    assert await refusal(context, brand, gone, code) == "not_relinkable"
    async with context.sessions.begin() as session:
        await session.execute(update(Code).where(Code.id == other.id).values(uses=Code.max_uses))
    assert await refusal(context, brand, first, other) == "exhausted"
    async with context.sessions() as session:
        assert len((await session.scalars(select(Redemption.id))).all()) == 1
