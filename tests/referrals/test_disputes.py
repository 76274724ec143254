"""Disputes of a friend's payment: the latest word decides, in whatever order the facts come."""

from datetime import datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest
from sqlalchemy import select

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.brands.models import Brand, Shop
from app.orders.facts import record_facts
from app.orders.models import Order
from app.platforms.events import DisputeStatus, OrderDisputed
from app.referrals.decide import reject_redemption
from app.referrals.fold_facts import fold_order_facts
from app.referrals.models import Redemption
from app.referrals.rules import RewardStatus
from tests.support.constants import NOW
from tests.support.factories.orders import change_order, make_order
from tests.support.factories.referrals import (
    balances,
    friend_orders,
    make_referrer,
    owner_of,
    redemption_of,
    reward_of,
    settle,
)

OPEN, WON, LOST = DisputeStatus.open, DisputeStatus.won, DisputeStatus.lost
DAY = timedelta(days=1)


async def dispute(
    context: AppContext,
    brand: Brand,
    shop: Shop,
    order_id: UUID,
    status: DisputeStatus,
    at: datetime,
    dispute_id: str = "d1",
) -> None:
    async with context.sessions.begin() as session:
        external_id = await session.scalar(select(Order.external_id).where(Order.id == order_id))
        assert external_id is not None
        await record_facts(session, brand, shop, [OrderDisputed(external_id, dispute_id, status, at)])
        await fold_order_facts(session, brand, [order_id], now=NOW)


async def state(
    context: AppContext, brand: Brand, redemption: Redemption
) -> tuple[str, str | None, str, int]:
    found = await redemption_of(context, brand, redemption.order_id)
    reward = await reward_of(context, brand, redemption.id)
    assert found is not None
    assert reward is not None
    return found.status.value, found.reason, reward.status.value, reward.net_amount


async def test_open_dispute_holds_a_pending_redemption_until_it_is_won(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    redemption = await friend_orders(context, brand, shop, code.code)
    await dispute(context, brand, shop, redemption.order_id, OPEN, NOW + DAY)
    assert await settle(context, days=1000) == 0
    assert await state(context, brand, redemption) == ("in_review", "disputed", "pending", 1000)
    await dispute(context, brand, shop, redemption.order_id, WON, NOW + 2 * DAY)
    assert await state(context, brand, redemption) == ("pending", None, "pending", 1000)
    assert await settle(context) == 1
    assert await state(context, brand, redemption) == ("approved", None, "granted", 1000)


async def test_open_dispute_freezes_the_reward_of_an_approved_redemption(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    redemption = await friend_orders(context, brand, shop, code.code)
    await settle(context)
    await dispute(context, brand, shop, redemption.order_id, OPEN, NOW + DAY)
    reward = await reward_of(context, brand, redemption.id)
    assert reward is not None
    assert (reward.status, reward.frozen) == (RewardStatus.granted, True)
    await dispute(context, brand, shop, redemption.order_id, LOST, NOW + 2 * DAY)
    assert await state(context, brand, redemption) == ("reversed", "disputed", "reversed", 0)
    assert await balances(context, brand) == {"discount_cost": 800, "friends": -800}
    await dispute(context, brand, shop, redemption.order_id, WON, NOW + 3 * DAY)
    assert await state(context, brand, redemption) == ("approved", None, "granted", 1000)
    reward = await reward_of(context, brand, redemption.id)
    assert reward is not None
    assert not reward.frozen
    assert (await balances(context, brand))["reward_cost"] == 1000


async def test_suspected_fraud_stays_the_reason_through_a_dispute(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    await make_order(context, brand, shop, await owner_of(context, code), payment_fingerprint="card")
    redemption = await friend_orders(context, brand, shop, code.code, payment_fingerprint="card")
    seen = []
    for day, status in enumerate((OPEN, LOST, WON)):
        await dispute(context, brand, shop, redemption.order_id, status, NOW + day * DAY)
        seen.append((await state(context, brand, redemption))[:2])
    suspected = ("in_review", "suspected_fraud")
    assert seen == [suspected, ("reversed", "disputed"), suspected]


async def test_a_persons_rejection_outlives_the_dispute(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    redemption = await friend_orders(context, brand, shop, code.code)
    await dispute(context, brand, shop, redemption.order_id, OPEN, NOW)
    async with context.sessions.begin() as session:
        await reject_redemption(
            session, brand, redemption.id, actor=cli_actor(brand.id), reason="stolen card", now=NOW
        )
    await dispute(context, brand, shop, redemption.order_id, WON, NOW + DAY)
    assert await state(context, brand, redemption) == ("rejected", "stolen card", "cancelled", 0)


FACTS = ("open", "won", "lost", "half", "settle")
"""The dispute's words by their times: open, then lost, then won."""
TIMES = {"open": NOW + DAY, "lost": NOW + 2 * DAY, "won": NOW + 3 * DAY}


@pytest.mark.slow
@pytest.mark.parametrize("last", ["won", "lost"])
async def test_every_order_of_disputes_refunds_and_approval_ends_alike(
    context: AppContext, brand: Brand, shop: Shop, last: str
) -> None:
    code = await make_referrer(context, brand, shop)
    times = TIMES if last == "won" else TIMES | {"lost": NOW + 4 * DAY}
    ends = set()
    for facts in list(permutations(FACTS))[::10]:
        redemption = await friend_orders(context, brand, shop, code.code)
        for fact in (*facts, "settle"):
            if fact == "settle":
                await settle(context, days=100)
            elif fact == "half":
                await change_order(context, brand, redemption.order_id, refunded=3600)
            else:
                await dispute(
                    context, brand, shop, redemption.order_id, DisputeStatus(fact), times[fact], "d1"
                )
        found = await state(context, brand, redemption)
        ends.add(found if last == "won" else (*found[:2], found[3]))
        await change_order(context, brand, redemption.order_id, cancelled_at=NOW)
        assert (await state(context, brand, redemption))[:2] == ("reversed", "cancelled")
    won, lost = ("approved", None, "granted", 500), ("reversed", "disputed", 0)
    assert ends == {won if last == "won" else lost}
    assert await balances(context, brand) == {}
