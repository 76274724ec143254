"""Refunds, cancellations and deliveries: in any order, any number of times, the same end."""

import asyncio
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.base import outbox
from app.base.context import AppContext
from app.base.models import DomainEvent
from app.brands.models import Brand, Shop
from app.orders.facts import record_facts
from app.platforms.events import OrderCancelled
from app.referrals.fold_facts import fold_order_facts
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
    redeem,
    redemption_of,
    reward_of,
    settle,
)

DAY = timedelta(days=1)


async def test_refund_keeps_the_use_and_a_cancellation_gives_it_back_once(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    refunded, cancelled = [await friend_orders(context, brand, shop, code.code) for _ in range(2)]
    await change_order(context, brand, refunded.order_id, refunded=7200)
    for _ in range(3):
        await change_order(context, brand, cancelled.order_id, cancelled_at=NOW)
    assert (await code_of(context, brand, code.id)).uses == 1
    first, second = (
        await redemption_of(context, brand, refunded.order_id),
        await redemption_of(context, brand, cancelled.order_id),
    )
    assert first is not None
    assert second is not None
    assert (first.status, first.reason, first.holds_use) == (RedemptionStatus.reversed, "refunded", True)
    assert (second.status, second.reason, second.holds_use) == (RedemptionStatus.reversed, "cancelled", False)
    assert await balances(context, brand) == {"discount_cost": 800, "friends": -800}


async def test_hold_is_counted_from_the_delivery_else_from_thirty_days_after_the_payment(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await set_terms(context, brand, {"reward": {"hold_days": 7}})
    code = await make_referrer(context, brand, shop)
    redemption = await friend_orders(context, brand, shop, code.code, delivered_at=None)
    assert redemption.hold_until == NOW + 37 * DAY
    assert await settle(context, days=36.9) == 0
    await change_order(context, brand, redemption.order_id, delivered_at=NOW + 3 * DAY)
    found = await redemption_of(context, brand, redemption.order_id)
    assert found is not None
    assert found.hold_until == NOW + 10 * DAY


@pytest.mark.parametrize(
    ("how", "refunds", "net"),
    [
        ("proportional", [1800], 750),
        ("proportional", [1800, 1800], 500),
        ("proportional", [1, 1], 999),
        ("proportional", [7200], 0),
        ("threshold", [2200], 1000),
        ("threshold", [2201], 0),
    ],
)
async def test_refund_before_or_after_approval_leaves_the_same_reward(
    context: AppContext, brand: Brand, shop: Shop, how: str, refunds: list[int], net: int
) -> None:
    await set_terms(
        context, brand, {"offer": {"minimum_subtotal": "50.00"}, "reward": {"partial_refund": how}}
    )
    code = await make_referrer(context, brand, shop)
    for settle_after in range(len(refunds) + 1):
        redemption = await friend_orders(context, brand, shop, code.code)
        for turn in range(len(refunds) + 1):
            if turn == settle_after:
                await settle(context)
            if turn < len(refunds):
                await change_order(context, brand, redemption.order_id, refunded=sum(refunds[: turn + 1]))
        found, reward = (
            await redemption_of(context, brand, redemption.order_id),
            await reward_of(context, brand, redemption.id),
        )
        assert found is not None
        undone = sum(refunds) >= 7200
        assert found.status is (RedemptionStatus.reversed if undone else RedemptionStatus.approved)
        assert reward is not None
        lost = RewardStatus.cancelled if reward.granted_at is None else RewardStatus.reversed
        expected = RewardStatus.granted if net else lost
        assert (reward.amount, reward.net_amount, reward.status) == (1000, net, expected)
    assert (await balances(context, brand)).get("reward_cost", 0) == net * (len(refunds) + 1)


FACTS = [{"refunded": 1800}, {"delivered_at": NOW + DAY}, {"cancelled_at": NOW + 2 * DAY}, "settle"]


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
async def test_every_order_of_facts_ends_alike(
    context: AppContext, brand: Brand, shop: Shop, step: int
) -> None:
    await set_terms(
        context, brand, {"offer": {"max_uses_per_code": 1000}, "reward": {"hold_from": "delivered"}}
    )
    code = await make_referrer(context, brand, shop)
    ends = set()
    for facts in list(permutations(FACTS))[::step]:
        redemption = await friend_orders(context, brand, shop, code.code, delivered_at=None)
        for fact in (*facts, *facts):
            if isinstance(fact, dict):
                await change_order(context, brand, redemption.order_id, **fact)
            else:
                await settle(context, days=100)
        found, reward = (
            await redemption_of(context, brand, redemption.order_id),
            await reward_of(context, brand, redemption.id),
        )
        assert found is not None
        ends.add((found.status, found.reason, found.holds_use, reward.net_amount if reward else 0))
    assert ends == {(RedemptionStatus.reversed, "cancelled", False, 0)}
    assert (await code_of(context, brand, code.id)).uses == 0
    assert await balances(context, brand) == {}


async def test_of_orders_taken_up_again_at_once_each_use_and_each_friend_counts_once(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await set_terms(context, brand, {"offer": {"max_uses_per_code": 2}})
    codes = [await make_referrer(context, brand, shop) for _ in range(2)]
    friends = [await make_customer(context, brand) for _ in range(4)]
    uses = [(0, 0), (0, 1), (1, 2), (1, 2), (1, 3)]
    """Of each order the code and the friend."""
    ids = [f"order-{number}" for number in range(len(uses))]
    orders, one_by_one = {}, []

    async def report(number: int, **given: Any) -> UUID:
        code, friend = uses[number]
        given |= {"order_id": ids[number], "placed_at": NOW}
        return await make_order(context, brand, shop, friends[friend], codes[code].code, **given)

    async def cancel(number: int, at: datetime) -> None:
        async with context.sessions.begin() as session:
            await record_facts(session, brand, shop, [OrderCancelled(ids[number], at, revocable=True)])

    async def fold(*order_ids: UUID) -> None:
        async with context.sessions.begin() as session:
            await fold_order_facts(session, brand, order_ids, now=NOW + DAY)

    for number in range(len(uses)):
        order_id = orders[number] = await report(number)
        one_by_one += await redeem(context, brand, order_id)
        await cancel(number, NOW + DAY)
        await fold(order_id)
    assert {each.status for each in one_by_one} == {RedemptionStatus.pending}
    await friend_orders(context, brand, shop, codes[0].code)
    for number in range(len(uses)):
        await report(number, stood_at=NOW + 2 * DAY, version_at=NOW + 2 * DAY)
    await fold(*orders.values())
    found = [await redemption_of(context, brand, order_id) for order_id in orders.values()]
    # Of the first code one use is left, and the third and the fourth order are one friend's.
    assert [each is not None and each.holds_use for each in found] == [True, False, True, False, True]
    counted = (RedemptionStatus.pending, None), (RedemptionStatus.reversed, "cancelled")
    assert [each is not None and (each.status, each.reason) for each in found] == [
        counted[0 if holds else 1] for holds in (True, False, True, False, True)
    ]
    assert [(await code_of(context, brand, code.id)).uses for code in codes] == [2, 2]
    assert await balances(context, brand) == {"discount_cost": 3200, "friends": -3200}
    # What a cancellation gives back is there for an order of the same batch.
    await cancel(0, NOW + 3 * DAY)
    await fold(orders[0], orders[1])
    found = [await redemption_of(context, brand, orders[number]) for number in (0, 1)]
    assert [each is not None and each.status for each in found] == [counted[1][0], counted[0][0]]
    assert (await code_of(context, brand, codes[0].id)).uses == 2
    assert await balances(context, brand) == {"discount_cost": 3200, "friends": -3200}


async def test_refund_beside_the_settling_sweep_never_leaves_too_much(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await set_terms(context, brand, {"offer": {"max_uses_per_code": 1000}})
    code = await make_referrer(context, brand, shop)
    redemptions = [await friend_orders(context, brand, shop, code.code) for _ in range(12)]
    refunds = [
        change_order(
            context, brand, redemption.order_id, **({"refunded": 3600} if turn % 2 else {"cancelled_at": NOW})
        )
        for turn, redemption in enumerate(redemptions)
    ]
    await asyncio.gather(*refunds[:6], settle(context), settle(context), *refunds[6:])
    await settle(context)
    for turn, redemption in enumerate(redemptions):
        reward = await reward_of(context, brand, redemption.id)
        assert (reward.net_amount if reward else 0) == (500 if turn % 2 else 0)
    assert (await balances(context, brand))["reward_cost"] == 3000
    assert (await code_of(context, brand, code.id)).uses == 6


async def test_orders_without_redemption_are_passed_over(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    async with context.sessions.begin() as session:
        await fold_order_facts(session, brand, [], now=NOW)
        await fold_order_facts(session, brand, [shop.id], now=NOW)
    assert await balances(context, brand) == {}


async def test_cancelled_refusal_leaks_nothing(context: AppContext, brand: Brand, shop: Shop) -> None:
    code = await make_referrer(context, brand, shop)
    redemption = await friend_orders(context, brand, shop, code.code, placed_at=code.expires_at)
    assert await balances(context, brand) == {"leaked_discount": 800, "friends": -800}
    await change_order(context, brand, redemption.order_id, cancelled_at=NOW)
    assert await balances(context, brand) == {}


async def test_ledger_takes_no_change(context: AppContext, brand: Brand, shop: Shop) -> None:
    code = await make_referrer(context, brand, shop)
    await friend_orders(context, brand, shop, code.code)
    for statement in ("UPDATE ledger_entries SET amount = 0", "DELETE FROM ledger_entries"):
        async with context.sessions() as session:
            with pytest.raises(DBAPIError, match="append-only"):
                await session.execute(text(statement))


async def test_approval_reward_and_reversal_are_one_event_each(
    context: AppContext, brand: Brand, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = frozenset({"redemption.approved", "reward.granted", "redemption.reversed"})

    async def consume(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(outbox, "CONSUMERS", [outbox.Consumer("any", kinds, consume)])
    code = await make_referrer(context, brand, shop)
    redemption = await friend_orders(context, brand, shop, code.code)
    for _ in range(2):
        await settle(context, days=14)
    for _ in range(2):
        await change_order(context, brand, redemption.order_id, cancelled_at=NOW)
    reward = await reward_of(context, brand, redemption.id)
    assert reward is not None
    async with context.sessions() as session:
        rows = await session.execute(select(DomainEvent.kind, DomainEvent.subject_id))
        assert sorted(tuple(row) for row in rows) == [
            ("redemption.approved", redemption.id),
            ("redemption.reversed", redemption.id),
            ("reward.granted", reward.id),
        ]
