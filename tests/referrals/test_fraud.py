"""Friends who cannot be told from the referrer or an earlier friend, and orders worth nothing."""

from typing import Any

import pytest
from sqlalchemy import update

from app.base.context import AppContext
from app.brands.models import Brand, Shop
from app.orders.models import Order
from app.referrals.models import Redemption
from app.referrals.rules import RedemptionStatus, RewardStatus
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.orders import change_order, make_order
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import (
    friend_orders,
    make_referrer,
    owner_of,
    redeem,
    redemption_of,
    reward_of,
    settle,
)

IN_REVIEW = (RedemptionStatus.in_review, "suspected_fraud")
PENDING = (RedemptionStatus.pending, None)


def state(redemption: Redemption) -> tuple[RedemptionStatus, str | None]:
    return redemption.status, redemption.reason


async def test_reward_in_another_currency_than_the_order_waits_for_a_person(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    """A percentage holds in every currency, but 10.00 EUR may be more than an order of 3.00 USD."""
    code = await make_referrer(context, brand, shop)
    dollars = await friend_orders(context, brand, shop, code.code, currency="USD", subtotal=300, total=300)
    assert state(dollars) == (RedemptionStatus.in_review, "currency_mismatch")
    await settle(context, days=1000)
    found = await redemption_of(context, brand, dollars.order_id)
    assert found is not None
    assert state(found) == (RedemptionStatus.in_review, "currency_mismatch")
    await set_terms(context, brand, {"reward": {"kind": "none"}})
    thanks = await make_referrer(context, brand, shop)
    assert state(await friend_orders(context, brand, shop, thanks.code, currency="USD")) == PENDING


async def test_an_order_of_nobody_who_can_be_recognised_waits_for_a_person(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    by_shop_id = await make_customer(context, brand, email=None, external_id="77")
    by_phone = await make_customer(context, brand, email=None, phone="+33612345678")
    orders = [await make_order(context, brand, shop, one, code.code) for one in (None, by_shop_id, by_phone)]
    found = await redeem(context, brand, *orders)
    assert [state(one) for one in found] == [IN_REVIEW, IN_REVIEW, PENDING]
    await settle(context, days=1000)
    approved = [await redemption_of(context, brand, order_id) for order_id in orders]
    assert [one.status.value for one in approved if one] == ["in_review", "in_review", "approved"]


MARKS = ["shipping_address", "payment_fingerprint"]


def marked(mark: str, value: str) -> dict[str, Any]:
    """An order to the flat, or paid with the card, of this name."""
    address = ("5 Main St", f"Flat {value}", "75001", "Paris", "FR")
    return {mark: address if mark == "shipping_address" else value}


@pytest.mark.parametrize("mark", MARKS)
async def test_referrers_address_or_card_is_suspected(
    context: AppContext, brand: Brand, shop: Shop, mark: str
) -> None:
    code = await make_referrer(context, brand, shop)
    owner = await owner_of(context, code)
    await make_order(context, brand, shop, owner, **marked(mark, "mine"))
    await make_order(context, brand, shop, owner, test=True, **marked(mark, "test"))
    assert state(await friend_orders(context, brand, shop, code.code, **marked(mark, "mine"))) == IN_REVIEW
    assert state(await friend_orders(context, brand, shop, code.code, **marked(mark, "test"))) == PENDING
    assert state(await friend_orders(context, brand, shop, code.code, **marked(mark, "other"))) == PENDING
    stranger = await make_referrer(context, brand, shop)
    assert state(await friend_orders(context, brand, shop, stranger.code, **marked(mark, "mine"))) == PENDING


@pytest.mark.parametrize("mark", MARKS)
async def test_earlier_friends_address_or_card_is_suspected_in_one_batch_and_in_two(
    context: AppContext, brand: Brand, shop: Shop, mark: str
) -> None:
    code = await make_referrer(context, brand, shop)
    friends = [await make_customer(context, brand) for _ in range(3)]
    orders = [
        await make_order(context, brand, shop, one, code.code, **marked(mark, "same")) for one in friends
    ]
    first, second = await redeem(context, brand, *orders[:2])
    [third] = await redeem(context, brand, orders[2])
    assert [state(one) for one in (first, second, third)] == [PENDING, IN_REVIEW, IN_REVIEW]


async def test_a_friend_who_orders_again_is_no_other_friend(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await set_terms(context, brand, {"offer": {"new_customers_only": False, "one_per_friend": False}})
    code, friend = await make_referrer(context, brand, shop), await make_customer(context, brand)
    orders = [
        await make_order(context, brand, shop, friend, code.code, **marked("shipping_address", "a"))
        for _ in "ab"
    ]
    assert [state(one) for one in await redeem(context, brand, *orders)] == [PENDING, PENDING]


@pytest.mark.parametrize(
    ("total", "shipping", "amount"), [(0, 0, 0), (1, 0, 0), (2, 0, 2), (491, 490, 0), (999, 0, 999)]
)
async def test_a_reward_is_never_more_than_the_goods_are_worth(
    context: AppContext, brand: Brand, shop: Shop, total: int, shipping: int, amount: int
) -> None:
    code = await make_referrer(context, brand, shop)
    redemption = await friend_orders(
        context, brand, shop, code.code, total=total, shipping_total=shipping, subtotal=8000
    )
    await settle(context)
    found = await redemption_of(context, brand, redemption.order_id)
    reward = await reward_of(context, brand, redemption.id)
    assert found is not None
    assert reward is not None
    assert (found.status, found.reason) == (RedemptionStatus.approved, None)
    assert (reward.amount, reward.net_amount, reward.status) == (amount, amount, RewardStatus.granted)


async def test_a_reward_follows_an_order_that_turns_out_to_be_worth_less_or_more(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    redemption = await friend_orders(context, brand, shop, code.code, total=500)
    for total, amount in ((300, 300), (7200, 1000)):
        async with context.sessions.begin() as session:
            await session.execute(update(Order).values(total=total).where(Order.id == redemption.order_id))
        await change_order(context, brand, redemption.order_id)
        reward = await reward_of(context, brand, redemption.id)
        assert reward is not None
        assert (reward.amount, reward.net_amount) == (amount, amount)
    await change_order(context, brand, redemption.order_id, refunded=7190)
    reward = await reward_of(context, brand, redemption.id)
    assert reward is not None
    assert (reward.amount, reward.net_amount) == (1000, 1)


async def test_a_whole_reward_is_capped_by_what_refunds_leave(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await set_terms(context, brand, {"reward": {"partial_refund": "threshold"}})
    code = await make_referrer(context, brand, shop)
    redemption = await friend_orders(context, brand, shop, code.code)
    await change_order(context, brand, redemption.order_id, refunded=7000)
    reward = await reward_of(context, brand, redemption.id)
    assert reward is not None
    assert (reward.amount, reward.net_amount) == (1000, 200)


async def test_a_reward_of_nothing_by_the_cap_is_approved_with_its_reason(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await set_terms(context, brand, {"reward": {"cap_per_referrer": 1}})
    code = await make_referrer(context, brand, shop)
    redemptions = [await friend_orders(context, brand, shop, code.code) for _ in range(3)]
    await settle(context)
    ends = []
    for one in redemptions:
        found, reward = (
            await redemption_of(context, brand, one.order_id),
            await reward_of(context, brand, one.id),
        )
        assert found is not None
        assert reward is not None
        ends.append((found.status.value, found.reason, reward.amount, reward.reason))
    capped = ("approved", "cap_reached", 0, "cap_reached")
    assert ends == [("approved", None, 1000, None), capped, capped]
    await change_order(context, brand, redemptions[0].order_id, cancelled_at=NOW)
    assert state(await friend_orders(context, brand, shop, code.code)) == PENDING


async def test_a_spent_budget_or_a_missing_currency_stops_new_offers(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await set_terms(context, brand, {"reward": {"budget": {"amount": "15.00", "period": "month"}}})
    code = await make_referrer(context, brand, shop)
    await friend_orders(context, brand, shop, code.code)
    with pytest.raises(Exception, match="No row was found"):
        await make_referrer(context, brand, shop)
    await set_terms(context, brand, {"reward": {"value": {"CHF": "11.00"}}})
    with pytest.raises(Exception, match="No row was found"):
        await make_referrer(context, brand, shop)
    await set_terms(context, brand, {"reward": {"value": {"EUR": "11.00"}}})
    assert (await make_referrer(context, brand, shop)).active
