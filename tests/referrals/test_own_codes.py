"""A reward of kind `code`: the owner's own, used once, worth what is left of the reward."""

import asyncio
from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.base.context import AppContext
from app.base.money import Money
from app.brands.models import Brand, Shop
from app.checkout.validate import validate_code
from app.customers.models import Customer
from app.customers.person import Person
from app.referrals.models import Code
from app.referrals.own_use import use_own_codes
from app.referrals.reward_models import Reward
from app.referrals.rules import RedemptionStatus, RewardStatus
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

LATER = NOW + timedelta(days=60)


async def earned(context: AppContext, brand: Brand, shop: Shop) -> tuple[UUID, UUID, Code]:
    """The owner, the redemption's order and the own code of a granted reward of 10.00."""
    share = await make_referrer(context, brand, shop)
    redemption = await friend_orders(context, brand, shop, share.code)
    await settle(context)
    reward = await reward_of(context, brand, redemption.id)
    assert reward is not None
    assert reward.code_id is not None
    return await owner_of(context, share), redemption.order_id, await code_of(context, brand, reward.code_id)


async def reward_paid_with(context: AppContext, code: Code) -> Reward:
    async with context.sessions() as session:
        return (await session.scalars(select(Reward).where(Reward.code_id == code.id))).one()


async def buys(
    context: AppContext, brand: Brand, shop: Shop, buyer: UUID | None, *codes: str, **given: Any
) -> UUID:
    order_id = await make_order(context, brand, shop, buyer, *codes, **({"placed_at": LATER} | given))
    await redeem(context, brand, order_id)
    await fold_uses(context, brand, order_id)
    return order_id


async def fold_uses(context: AppContext, brand: Brand, *order_ids: UUID) -> None:
    async with context.sessions.begin() as session:
        await use_own_codes(session, context.tokens, brand, order_ids, now=LATER)


async def validated(
    context: AppContext, brand: Brand, code: Code, buyer: UUID, subtotal: int = 8000, currency: str = "EUR"
) -> tuple[str | None, int]:
    async with context.sessions() as session:
        customer = (await session.scalars(select(Customer).where(Customer.id == buyer))).one()
        found = await validate_code(
            session,
            context.tokens,
            brand,
            code.display,
            Person(email=customer.email),
            subtotal=Money(subtotal, currency),
            now=LATER,
        )
    return found.reason, found.amount_off


async def test_own_code_is_its_owners_alone(context: AppContext, brand: Brand, shop: Shop) -> None:
    owner, _, code = await earned(context, brand, shop)
    stranger = await make_customer(context, brand)
    assert await validated(context, brand, code, owner) == (None, 1000)
    assert await validated(context, brand, code, owner, subtotal=600) == (None, 600)
    assert await validated(context, brand, code, owner, currency="USD") == ("currency_mismatch", 0)
    assert await validated(context, brand, code, stranger) == ("unknown_code", 0)
    strangers = await buys(context, brand, shop, stranger, code.code)
    await buys(context, brand, shop, None, code.code)
    assert await redemption_of(context, brand, strangers) is None
    assert (await reward_paid_with(context, code)).status is RewardStatus.granted
    order_id = await buys(context, brand, shop, owner, code.code)
    reward = await reward_paid_with(context, code)
    assert (reward.status, reward.used_amount, reward.used_order_id) == (RewardStatus.used, 1000, order_id)
    assert await redemption_of(context, brand, order_id) is None
    assert await validated(context, brand, code, owner) == ("exhausted", 0)
    assert (await balances(context, brand)) == {
        "discount_cost": 800,
        "friends": -800,
        "reward_cost": 1000,
        "spent_rewards": -1000,
    }


async def test_own_code_stands_beside_a_friends_code(context: AppContext, brand: Brand, shop: Shop) -> None:
    await set_terms(context, brand, {"offer": {"new_customers_only": False}})
    owner, _, code = await earned(context, brand, shop)
    friends = await make_referrer(context, brand, shop)
    order_id = await buys(context, brand, shop, owner, code.code, friends.code)
    redemption = await redemption_of(context, brand, order_id)
    assert redemption is not None
    assert (redemption.code_id, redemption.status) == (friends.id, RedemptionStatus.pending)
    assert (await reward_paid_with(context, code)).status is RewardStatus.used


async def test_rest_of_a_used_code_lapses(context: AppContext, brand: Brand, shop: Shop) -> None:
    owner, _, code = await earned(context, brand, shop)
    await buys(context, brand, shop, owner, code.code, subtotal=600, total=0)
    reward = await reward_paid_with(context, code)
    assert (reward.used_amount, reward.lapsed_amount, reward.status) == (600, 400, RewardStatus.used)
    found = await balances(context, brand)
    assert (found["spent_rewards"], found["lapsed_rewards"], found.get("referrers")) == (-600, -400, None)


async def test_one_of_many_orders_at_once_uses_it(context: AppContext, brand: Brand, shop: Shop) -> None:
    owner, _, code = await earned(context, brand, shop)
    orders = [await make_order(context, brand, shop, owner, code.code, placed_at=LATER) for _ in range(16)]
    await asyncio.gather(*(fold_uses(context, brand, order_id) for order_id in orders))
    await fold_uses(context, brand, *orders)
    reward = await reward_paid_with(context, code)
    assert (reward.status, reward.used_amount) == (RewardStatus.used, 1000)
    assert (await code_of(context, brand, code.id)).uses == 1
    assert (await balances(context, brand))["spent_rewards"] == -1000


async def test_cancelled_order_gives_the_code_back(context: AppContext, brand: Brand, shop: Shop) -> None:
    owner, _, code = await earned(context, brand, shop)
    order_id = await buys(context, brand, shop, owner, code.code)
    await change_order(context, brand, order_id, cancelled_at=LATER)
    for _ in range(2):
        await fold_uses(context, brand, order_id)
    reward = await reward_paid_with(context, code)
    assert (reward.status, reward.used_amount, reward.lapsed_amount) == (RewardStatus.granted, 0, 0)
    assert (await code_of(context, brand, code.id)).uses == 0
    assert await validated(context, brand, code, owner) == (None, 1000)
    cancelled = await make_order(context, brand, shop, owner, code.code, placed_at=LATER, cancelled_at=LATER)
    await fold_uses(context, brand, cancelled)
    assert (await reward_paid_with(context, code)).status is RewardStatus.granted


async def test_refund_of_the_friend_lowers_an_unused_code_and_leaves_a_used_one(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    owner, friends_order, code = await earned(context, brand, shop)
    await change_order(context, brand, friends_order, refunded=3600)
    assert await validated(context, brand, code, owner) == (None, 500)
    await buys(context, brand, shop, owner, code.code)
    assert (await reward_paid_with(context, code)).used_amount == 500
    await change_order(context, brand, friends_order, refunded=7200)
    reward = await reward_paid_with(context, code)
    assert (reward.status, reward.net_amount, reward.used_amount) == (RewardStatus.reversed, 0, 500)
    assert reward.lapsed_amount == -500
    assert (await balances(context, brand)).get("referrers") is None
    assert await validated(context, brand, code, owner) == ("disabled", 0)


@pytest.mark.parametrize("facts", list(permutations(["half", "use", "rest"])))
async def test_books_agree_whether_the_refund_or_the_use_came_first(
    context: AppContext, brand: Brand, shop: Shop, facts: tuple[str, ...]
) -> None:
    owner, friends_order, code = await earned(context, brand, shop)
    refunded = 0
    for fact in facts:
        if fact == "use":
            await buys(context, brand, shop, owner, code.code)
            continue
        refunded += 3600
        await change_order(context, brand, friends_order, refunded=refunded)
    reward = await reward_paid_with(context, code)
    assert (reward.status, reward.net_amount) == (RewardStatus.reversed, 0)
    found = await balances(context, brand)
    assert (found.get("reward_cost", 0), found.get("referrers", 0)) == (0, 0)
    assert found.get("spent_rewards", 0) + found.get("lapsed_rewards", 0) == 0


async def test_own_codes_expiry_is_judged_by_when_the_order_was_placed(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    owner, _, code = await earned(context, brand, shop)
    await buys(context, brand, shop, owner, code.code, placed_at=code.expires_at)
    assert (await reward_paid_with(context, code)).status is RewardStatus.granted
    await buys(context, brand, shop, owner, code.code, placed_at=code.expires_at - timedelta(seconds=1))
    assert (await reward_paid_with(context, code)).status is RewardStatus.used


async def test_test_orders_and_history_use_nothing(context: AppContext, brand: Brand, shop: Shop) -> None:
    owner, _, code = await earned(context, brand, shop)
    await buys(context, brand, shop, owner, code.code, test=True)
    await buys(context, brand, shop, owner, code.code, history=True)
    assert (await reward_paid_with(context, code)).status is RewardStatus.granted
