"""A hold that is over becomes a reward, once; people decide about held redemptions."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.due import run_until_idle
from app.base.errors import AppError, NotFound
from app.base.ids import new_id
from app.brands.add import add_shop
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.checkout.parse import Rollback
from app.checkout.roll_back import roll_back
from app.messaging.models import Message
from app.orders.facts import record_facts
from app.orders.models import Order
from app.platforms.events import OrderRefunded
from app.referrals.decide import approve_redemption, reject_redemption
from app.referrals.fold_facts import fold_order_facts
from app.referrals.models import Code, Redemption
from app.referrals.rules import RedemptionStatus, RewardStatus
from app.referrals.settle import sweep
from app.referrals.templates import REWARD
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.orders import change_order, make_order
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import (
    balances,
    code_of,
    friend_orders,
    make_referrer,
    owner_of,
    redeem,
    redemption_of,
    reward_of,
    settle,
)
from tests.support.locks import somebody_waits


async def reward_messages(context: AppContext, brand: Brand) -> list[Message]:
    async with context.sessions() as session:
        query = select(Message).where(Message.brand_id == brand.id, Message.template == REWARD.name)
        return list(await session.scalars(query))


async def test_reward_comes_when_the_hold_is_over_and_not_before(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await set_terms(context, brand, {"reward": {"kind": "credit"}})
    code = await make_referrer(context, brand, shop)
    redemption = await friend_orders(context, brand, shop, code.code)
    assert await settle(context, days=13.9) == 0
    assert await settle(context, days=14) == 1
    assert await settle(context, days=20) == 0
    found, reward = (
        await redemption_of(context, brand, redemption.order_id),
        await reward_of(context, brand, redemption.id),
    )
    assert found is not None
    assert reward is not None
    assert (found.status, found.approved_at) == (RedemptionStatus.approved, NOW + timedelta(days=14))
    assert (reward.kind, reward.amount, reward.net_amount, reward.status) == (
        "credit",
        1000,
        1000,
        RewardStatus.granted,
    )
    assert await balances(context, brand) == {
        "discount_cost": 800,
        "friends": -800,
        "reward_cost": 1000,
        "referrers": -1000,
    }
    [message] = await reward_messages(context, brand)
    assert (message.subject_id, message.customer_id) == (reward.id, await owner_of(context, code))
    assert message.template_params == {
        "first_name": "Ana",
        "amount": "€10",
        "kind": "credit",
        "code": None,
        "expires_on": "2027-03-23",
        "referrer_id": str(code.referrer_id),
        "spent_in": None,
    }


async def test_message_names_what_refunds_have_left_of_a_reward(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    halved, undone = [await friend_orders(context, brand, shop, code.code) for _ in range(2)]
    await change_order(context, brand, halved.order_id, refunded=3600)
    await change_order(context, brand, undone.order_id, refunded=7200)
    await settle(context)
    [message] = await reward_messages(context, brand)
    assert message.template_params["amount"] == "€5"


async def test_many_sweeps_at_once_reward_once(context: AppContext, brand: Brand, shop: Shop) -> None:
    code = await make_referrer(context, brand, shop)
    for _ in range(8):
        await friend_orders(context, brand, shop, code.code)
    await asyncio.gather(*(settle(context) for _ in range(5)))
    assert (await balances(context, brand))["reward_cost"] == 8000
    assert len(await reward_messages(context, brand)) == 8


async def test_sweep_comes_to_rest(context: AppContext, brand: Brand, shop: Shop) -> None:
    code = await make_referrer(context, brand, shop)
    for _ in range(3):
        await friend_orders(context, brand, shop, code.code)
    assert await run_until_idle([sweep(context)], NOW + timedelta(days=15)) == {"referrals": 3}


async def test_reward_kinds(context: AppContext, brand: Brand, shop: Shop) -> None:
    await set_terms(context, brand, {"reward": {"kind": "none", "value": "0"}})
    thanks = await make_referrer(context, brand, shop)
    await set_terms(context, brand, {"reward": {"kind": "code", "value": "5.00"}})
    own_code = await make_referrer(context, brand, shop)
    first, second = [await friend_orders(context, brand, shop, code.code) for code in (thanks, own_code)]
    await settle(context)
    assert await reward_of(context, brand, first.id) is None
    reward = await reward_of(context, brand, second.id)
    assert reward is not None
    assert reward.code_id is not None
    code = await code_of(context, brand, reward.code_id)
    assert (reward.kind, reward.amount, len(code.display), code.kind) == ("code", 500, 10, "reward")
    [message] = await reward_messages(context, brand)
    assert message.template_params["code"] == code.display


async def test_reward_is_computed_in_the_currency_of_the_orders_shop(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    async with context.sessions.begin() as session:
        japan, _ = await add_shop(
            session,
            context.tokens,
            brand,
            "acme-jp",
            name="Acme JP",
            currency="JPY",
            actor=cli_actor(brand.id),
        )
    await set_terms(context, brand, {"reward": {"value": "500.00"}})
    code = await make_referrer(context, brand, shop)
    redemption = await friend_orders(context, brand, japan, code.code, currency="JPY")
    await settle(context)
    reward = await reward_of(context, brand, redemption.id)
    assert reward is not None
    assert (reward.amount, reward.currency) == (500, "JPY")


async def test_text_about_a_reward_waits_for_the_morning(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(
        context, brand, shop, phone="+33612345678", consents={Channel.email: False, Channel.sms: True}
    )
    await friend_orders(context, brand, shop, code.code)
    await settle(context, days=14.4)
    [message] = await reward_messages(context, brand)
    assert message.channel is Channel.sms
    assert message.due_at.isoformat() == "2026-03-25T08:00:00+00:00"


async def in_review(context: AppContext, brand: Brand, shop: Shop) -> tuple[Code, Redemption]:
    code = await make_referrer(context, brand, shop)
    await make_order(context, brand, shop, await owner_of(context, code), payment_fingerprint="card")
    return code, await friend_orders(context, brand, shop, code.code, payment_fingerprint="card")


async def test_redemption_in_review_waits_for_a_decision_however_long(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    _, redemption = await in_review(context, brand, shop)
    assert await settle(context, days=1000) == 0
    async with context.sessions.begin() as session:
        await reject_redemption(
            session, brand, redemption.id, reason="same household", now=NOW, actor=cli_actor(brand.id)
        )
    found = await redemption_of(context, brand, redemption.order_id)
    assert found is not None
    assert (found.status, found.reason) == (RedemptionStatus.rejected, "same household")
    async with context.sessions.begin() as session:
        await approve_redemption(
            session, context.tokens, brand, redemption.id, now=NOW, actor=cli_actor(brand.id)
        )
    assert (await balances(context, brand))["reward_cost"] == 1000
    async with context.sessions.begin() as session:
        with pytest.raises(AppError, match="approved cannot become rejected"):
            await reject_redemption(
                session, brand, redemption.id, reason="no", now=NOW, actor=cli_actor(brand.id)
            )
    async with context.sessions.begin() as session:
        with pytest.raises(AppError, match="approved cannot become approved"):
            await approve_redemption(
                session, context.tokens, brand, redemption.id, now=NOW, actor=cli_actor(brand.id)
            )


async def test_two_people_approve_at_once_and_one_reward_comes(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    _, redemption = await in_review(context, brand, shop)

    async def approve() -> None:
        async with context.sessions.begin() as session:
            await approve_redemption(
                session, context.tokens, brand, redemption.id, now=NOW, actor=cli_actor(brand.id)
            )

    outcomes = await asyncio.gather(*(approve() for _ in range(4)), return_exceptions=True)
    assert sorted(isinstance(one, AppError) for one in outcomes) == [False, True, True, True]
    assert (await balances(context, brand))["reward_cost"] == 1000


async def test_unknown_redemption_is_not_found(context: AppContext, brand: Brand) -> None:
    async with context.sessions.begin() as session:
        with pytest.raises(NotFound):
            await approve_redemption(
                session, context.tokens, brand, new_id(), now=NOW, actor=cli_actor(brand.id)
            )


@pytest.mark.parametrize("settled", [False, True])
async def test_full_rollback_takes_all_out_of_the_books_and_gives_the_use_back(
    context: AppContext, brand: Brand, shop: Shop, settled: bool
) -> None:
    code = await make_referrer(context, brand, shop)
    redemption = await friend_orders(context, brand, shop, code.code)
    if settled:
        await settle(context)
    for _ in range(2):
        async with context.sessions.begin() as session:
            await roll_back(
                session,
                brand,
                redemption.id,
                Rollback(None, "till error"),
                key="a",
                now=NOW,
                actor=cli_actor(brand.id),
            )
    found, reward = (
        await redemption_of(context, brand, redemption.order_id),
        await reward_of(context, brand, redemption.id),
    )
    assert found is not None
    assert (found.status, found.reason, found.holds_use) == (RedemptionStatus.reversed, "till error", False)
    assert (reward.status if reward else None) == (
        RewardStatus.reversed if settled else RewardStatus.cancelled
    )
    assert (await code_of(context, brand, code.id)).uses == 0
    assert await balances(context, brand) == {}
    assert await settle(context, days=100) == 0


async def test_partial_rollback_counts_like_a_refund_once_a_key(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    redemption = await friend_orders(context, brand, shop, code.code)
    await settle(context)
    for _ in range(2):
        async with context.sessions.begin() as session:
            await roll_back(
                session,
                brand,
                redemption.id,
                Rollback("36.00", "half"),
                key="a",
                now=NOW,
                actor=cli_actor(brand.id),
            )
    reward = await reward_of(context, brand, redemption.id)
    assert reward is not None
    assert (reward.amount, reward.net_amount) == (1000, 500)
    assert (await code_of(context, brand, code.id)).uses == 1
    for wrong in ("0", "-1", "0.004", "99.00", "much"):
        async with context.sessions.begin() as session:
            with pytest.raises(AppError):
                await roll_back(
                    session,
                    brand,
                    redemption.id,
                    Rollback(wrong, "half"),
                    key="b",
                    now=NOW,
                    actor=cli_actor(brand.id),
                )


@pytest.mark.parametrize("settled", [False, True])
async def test_refund_and_full_rollback_end_alike_in_either_order(
    context: AppContext, brand: Brand, shop: Shop, settled: bool
) -> None:
    await set_terms(context, brand, {"offer": {"new_customers_only": False}})
    ends = []
    for refund_first in (True, False):
        code, friend = await make_referrer(context, brand, shop), await make_customer(context, brand)
        [redemption] = await redeem(context, brand, await make_order(context, brand, shop, friend, code.code))
        if settled:
            await settle(context)
        for refund in (refund_first, not refund_first, refund_first, not refund_first):
            if refund:
                await change_order(context, brand, redemption.order_id, refunded=7200)
                continue
            async with context.sessions.begin() as session:
                await roll_back(
                    session,
                    brand,
                    redemption.id,
                    Rollback(None, "till error"),
                    key="a",
                    now=NOW,
                    actor=cli_actor(brand.id),
                )
        found, reward = (
            await redemption_of(context, brand, redemption.order_id),
            await reward_of(context, brand, redemption.id),
        )
        assert found is not None
        net = None if reward is None else reward.net_amount
        uses = (await code_of(context, brand, code.id)).uses
        ends.append(
            (
                found.status,
                found.reason,
                found.reversed_at,
                found.holds_use,
                net,
                uses,
                await balances(context, brand),
            )
        )
        # One use a friend: it is free again.
        other = await make_referrer(context, brand, shop)
        [again] = await redeem(context, brand, await make_order(context, brand, shop, friend, other.code))
        assert again.status is RedemptionStatus.pending
        await change_order(context, brand, again.order_id, cancelled_at=NOW)
    assert ends == [(RedemptionStatus.reversed, "till error", NOW, False, 0, 0, {})] * 2


async def test_partial_rollback_beside_a_reported_refund_waits_for_it(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    redemption = await friend_orders(context, brand, shop, code.code)
    await settle(context)

    async def roll_back_half() -> None:
        async with context.sessions.begin() as session:
            await roll_back(
                session,
                brand,
                redemption.id,
                Rollback("36.00", "half"),
                key="a",
                now=NOW,
                actor=cli_actor(brand.id),
            )

    async with context.sessions.begin() as session:
        order = (
            await session.scalars(
                select(Order).where(Order.brand_id == brand.id, Order.id == redemption.order_id)
            )
        ).one()
        await record_facts(session, brand, shop, [OrderRefunded(order.external_id, "r1", "18.00", NOW)])
        beside = asyncio.create_task(roll_back_half())
        await somebody_waits(context)
        await fold_order_facts(session, brand, [order.id], now=NOW)
    await beside
    reward = await reward_of(context, brand, redemption.id)
    assert reward is not None
    assert (reward.amount, reward.net_amount) == (1000, 250)


async def test_no_message_goes_to_an_erased_customer(context: AppContext, brand: Brand, shop: Shop) -> None:
    code = await make_referrer(context, brand, shop, consents={Channel.email: False})
    await friend_orders(context, brand, shop, code.code)
    await settle(context)
    async with context.sessions() as session:
        assert (await session.execute(select(func.count()).select_from(Message))).scalar_one() == 0
    assert (await balances(context, brand))["reward_cost"] == 1000
