"""Redemptions whose order is reported again with something that was missing or wrong."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import select, update

from app.base.context import AppContext
from app.brands.models import Brand, Shop
from app.insight.invariants import check
from app.insight.timeline import timeline
from app.referrals.figures import refresh_figures
from app.referrals.models import Code, Redemption
from app.referrals.reward_models import Reward
from app.referrals.rules import RedemptionStatus, RewardStatus
from tests.support.constants import NOW
from tests.support.deliveries import code_of, deliver, fact, rows, run, told
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import balances, settle

FRIEND = {"id": "f1", "email": "friend@example.com", "country": "NL"}
NOBODY = {"id": "f1"}
REFERRER = {"id": "r1", "email": "referrer@example.com", "country": "NL"}
HOME = {"line1": "5 Main St", "line2": "Flat 3", "postal_code": "75001", "city": "Paris", "country": "FR"}


async def reported(context: AppContext, shop: Shop, *bodies: dict[str, Any]) -> None:
    """Each body is a delivery of its own, processed before the next one comes."""
    for body in bodies:
        await deliver(context, shop, body)
        await run(context)


async def states(context: AppContext, brand: Brand) -> list[tuple[str, str | None]]:
    """Status and reason of all redemptions; every invariant holds.

    The figures of referrers are computed before, so a change that was not noted breaks theirs.
    """
    async with context.sessions.begin() as session:
        while await refresh_figures(session, brand.id, now=NOW):
            pass
    async with context.sessions() as session:
        assert await check(session, context.tokens) == []
        found = await session.scalars(
            select(Redemption).where(Redemption.brand_id == brand.id).order_by(Redemption.id)
        )
        return [(each.status.value, each.reason) for each in found]


async def only(context: AppContext, table: Any) -> Any:
    [row] = await rows(context, table)
    return row


async def uses(context: AppContext, code: str) -> int:
    async with context.sessions() as session:
        return (await session.scalars(select(Code.uses).where(Code.code == code))).one()


async def with_minimum(context: AppContext, brand: Brand) -> None:
    await set_terms(context, brand, {"offer": {"minimum_subtotal": "50.00"}})


async def test_refused_order_that_grows_beyond_the_minimum_counts_as_if_it_had_come_so(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await with_minimum(context, brand)
    code = await code_of(context, brand, shop)
    small = {"discount_codes": [code], "subtotal": "40.00", "total": "36.00", "discount_total": "4.00"}
    grown = {"discount_codes": [code], "subtotal": "80.00", "total": "72.00", "discount_total": "8.00"}
    await reported(context, shop, told("paid", 1, **small))
    assert await states(context, brand) == [("refused", "minimum_not_met")]
    assert await balances(context, brand) == {"leaked_discount": 400, "friends": -400}
    before = (await only(context, Redemption)).id
    await reported(context, shop, told("updated", 1, hours=1, **grown))
    assert await states(context, brand) == [("pending", None)]
    redemption, reward = await only(context, Redemption), await only(context, Reward)
    assert (redemption.id, redemption.amount_off, reward.status) == (before, 800, RewardStatus.pending)
    assert await uses(context, code) == 1
    assert await balances(context, brand) == {"discount_cost": 800, "friends": -800}
    [earlier] = redemption.earlier
    assert (earlier["status"], earlier["reason"]) == ("refused", "minimum_not_met")
    await settle(context)
    assert await states(context, brand) == [("approved", None)]


async def test_order_whose_code_had_expired_may_win_with_another_that_is_named_later(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    old, good = await code_of(context, brand, shop), await code_of(context, brand, shop, "other")
    async with context.sessions.begin() as session:
        await session.execute(update(Code).where(Code.code == old).values(expires_at=NOW))
    await reported(context, shop, told("paid", 1, discount_codes=[old]))
    assert await states(context, brand) == [("refused", "expired")]
    await reported(context, shop, told("updated", 1, hours=1, discount_codes=[old, good]))
    assert await states(context, brand) == [("pending", None)]
    assert (await uses(context, old), await uses(context, good)) == (0, 1)


async def test_what_was_decided_on_arrival_is_not_decided_again(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await code_of(context, brand, shop)
    async with context.sessions.begin() as session:
        await session.execute(update(Code).values(max_uses=1))
    await reported(context, shop, *(told("paid", number, discount_codes=[code]) for number in (1, 2)))
    await reported(context, shop, fact("cancelled", 1))
    assert await uses(context, code) == 0
    await reported(context, shop, told("updated", 2, hours=1, discount_codes=[code], total="90.00"))
    assert await states(context, brand) == [("reversed", "cancelled"), ("refused", "exhausted")]


async def test_order_of_nobody_counts_once_a_later_version_names_its_buyer(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await code_of(context, brand, shop)
    codes = {"discount_codes": [code]}
    await reported(context, shop, told("paid", 1, customer=None, **codes))
    assert await states(context, brand) == [("in_review", "suspected_fraud")]
    await reported(context, shop, told("updated", 1, hours=1, customer=FRIEND, **codes))
    assert await states(context, brand) == [("pending", None)]
    redemption = await only(context, Redemption)
    assert redemption.friend_email_key == "friend@example.com"
    await settle(context)
    assert await states(context, brand) == [("approved", None)]
    async with context.sessions() as session:
        story = await timeline(session, context.tokens, brand.id, redemption.friend_id)
    texts = [each.text for each in story if each.kind == "redemption_decided"]
    assert texts == [
        "Before that, the redemption by order 1 waited for a person to decide (suspected fraud)."
    ]


async def test_buyer_known_by_the_shops_id_alone_is_named_by_a_report_that_changes_nothing_else(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await code_of(context, brand, shop)
    for customer in (NOBODY, FRIEND):
        await reported(context, shop, told("paid", 1, customer=customer, discount_codes=[code]))
    assert await states(context, brand) == [("pending", None)]


@pytest.mark.parametrize(
    ("buyer", "reason"), [(REFERRER, "own_order"), (FRIEND, "existing_customer")], ids=["own", "known"]
)
async def test_order_of_nobody_loses_its_use_where_the_buyer_may_not_have_it(
    context: AppContext, brand: Brand, shop: Shop, buyer: dict[str, Any], reason: str
) -> None:
    code = await code_of(context, brand, shop)
    earlier = (NOW - timedelta(days=9)).isoformat()
    codes = {"discount_codes": [code], "total": "72.00", "discount_total": "8.00"}
    await reported(
        context,
        shop,
        told("paid", 1, customer=FRIEND, placed_at=earlier),
        told("paid", 2, customer=None, **codes),
        told("updated", 2, hours=1, customer=buyer, **codes),
    )
    assert await states(context, brand) == [("refused", reason)]
    assert await uses(context, code) == 0
    assert (await only(context, Reward)).status is RewardStatus.cancelled
    assert await balances(context, brand) == {"leaked_discount": 800, "friends": -800}
    assert await settle(context) == 0


async def test_friend_with_a_use_already_is_refused_the_second_when_they_are_named(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await set_terms(context, brand, {"offer": {"new_customers_only": False}})
    first, second = await code_of(context, brand, shop), await code_of(context, brand, shop, "other")
    await reported(
        context,
        shop,
        told("paid", 1, customer=FRIEND, discount_codes=[first]),
        told("paid", 2, customer=None, discount_codes=[second]),
        told("updated", 2, hours=1, customer=FRIEND, discount_codes=[second]),
    )
    assert await states(context, brand) == [("pending", None), ("refused", "already_used_by_friend")]


async def test_address_that_is_told_later_puts_an_order_in_review_and_one_alone_does_not(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await code_of(context, brand, shop)
    codes = {"discount_codes": [code]}
    await reported(
        context,
        shop,
        told("paid", 1, customer=REFERRER, shipping_address=HOME),
        told("paid", 2, **codes),
        told("paid", 3, **codes),
        told("updated", 2, hours=1, shipping_address=HOME, **codes),
        told("updated", 3, hours=1, shipping_address=HOME | {"line2": "Flat 4"}, **codes),
    )
    assert await states(context, brand) == [("in_review", "suspected_fraud"), ("pending", None)]


async def test_later_friend_at_the_same_address_does_not_put_the_earlier_in_review(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await code_of(context, brand, shop)
    home = {"discount_codes": [code], "shipping_address": HOME}
    await reported(
        context,
        shop,
        told("paid", 1, **home),
        told("paid", 2, **home),
        told("updated", 1, hours=1, total="90.00", **home),
        told("updated", 2, hours=1, total="90.00", **home),
    )
    assert await states(context, brand) == [("pending", None), ("in_review", "suspected_fraud")]


async def test_review_does_not_end_by_an_address_that_is_changed(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await code_of(context, brand, shop)
    home = {"discount_codes": [code], "shipping_address": HOME}
    await reported(
        context,
        shop,
        told("paid", 1, customer=REFERRER, shipping_address=HOME),
        told("paid", 2, **home),
        told("updated", 2, hours=1, **home | {"shipping_address": HOME | {"line2": "Flat 9"}}),
    )
    assert await states(context, brand) == [("in_review", "suspected_fraud")]


async def test_versions_leave_the_same_in_whatever_order_they_come(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await with_minimum(context, brand)
    code = await code_of(context, brand, shop)
    async with context.sessions.begin() as session:
        await session.execute(update(Code).values(max_uses=50))
    for number, way in enumerate(permutations(range(3))):
        buyer = FRIEND | {"id": f"f{number}", "email": f"friend{number}@example.com"}
        versions: Sequence[dict[str, Any]] = [
            told("paid", number, customer=None, discount_codes=[code], subtotal="40.00", total="36.00"),
            told("updated", number, hours=1, customer=buyer, subtotal="45.00", total="45.00"),
            told("updated", number, hours=2, customer=None, subtotal="80.00", total="72.00"),
        ]
        await reported(context, shop, *(versions[place] for place in way))
    assert await states(context, brand) == [("pending", None)] * 6
    assert {each.amount_off for each in await rows(context, Redemption)} == {800}
    assert {each.amount for each in await rows(context, Reward)} == {1000}
    assert await uses(context, code) == 6
    assert await balances(context, brand) == {"discount_cost": 4800, "friends": -4800}


async def test_refund_and_its_end_keep_why_an_order_is_in_review(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await code_of(context, brand, shop)
    codes = {"discount_codes": [code]}
    await reported(
        context,
        shop,
        told("paid", 1, customer=None, **codes),
        fact("refunded", 1, refund_id="r1", amount="80.00"),
    )
    assert await states(context, brand) == [("reversed", "refunded")]
    await reported(context, shop, told("updated", 1, hours=1, customer=None, total="160.00", **codes))
    assert await states(context, brand) == [("in_review", "suspected_fraud")]
    redemption = await only(context, Redemption)
    assert [(each["status"], each["reason"]) for each in redemption.earlier] == [
        (RedemptionStatus.in_review, "suspected_fraud"),
        (RedemptionStatus.reversed, "refunded"),
    ]
