"""Orders that change, are reported again, refunded and sent in parts, through all of processing."""

from itertools import permutations

import pytest
from sqlalchemy import func, select, update

from app.ingest.models import Delivery
from app.ingest.rules import DeliveryStatus
from app.ingest.store import NewDelivery, store_deliveries
from app.insight.invariants import check
from app.ledger.models import LedgerEntry
from app.ledger.rules import LedgerAccount
from app.orders.models import Order
from app.referrals.models import Code, Redemption
from app.referrals.reward_models import Reward
from app.referrals.rules import RedemptionStatus, RewardStatus
from app.surveys.models import Survey
from app.surveys.rules import SkipReason, SurveyStatus
from tests.support.constants import NOW
from tests.support.deliveries import code_of, deliver, fact, rows, run, told
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import settle


async def only(context, table):
    [row] = await rows(context, table)
    return row


async def is_sound(context) -> bool:
    async with context.sessions() as session:
        return await check(session, context.tokens) == []


async def booked(context, account: LedgerAccount) -> int:
    async with context.sessions() as session:
        total = await session.scalar(
            select(func.sum(LedgerEntry.amount)).where(LedgerEntry.account == account)
        )
        return int(total or 0)


@pytest.mark.slow
async def test_edits_and_refunds_leave_the_same_money_in_whatever_order_they_come(context, brand, shop):
    """An order of 80.00 grows to 165.00 with 5.00 of shipping; 85.00 go back with that shipping."""
    code = await code_of(context, brand, shop)
    async with context.sessions.begin() as session:
        await session.execute(update(Code).values(max_uses=200))
    for number, way in enumerate(permutations(range(4))):
        codes = {"discount_codes": [code]}
        grown = codes | {"total": "165.00", "subtotal": "176.00", "shipping_total": "5.00"}
        facts = [
            told("paid", number, **codes, discounts=[{"code": code, "amount": "6.40"}]),
            told("updated", number, hours=2, **grown, discounts=[{"code": code, "amount": "16.00"}]),
            told("paid", number, hours=1, total="1.00", subtotal="1.00", **codes),
            fact("refunded", number, refund_id="r1", amount="85.00", shipping="5.00"),
        ]
        for place in way:
            await deliver(context, shop, facts[place])
            if number % 3 == 0:
                await run(context)
    while await run(context):
        pass
    await deliver(context, shop, *(fact("delivered", number) for number in range(24)))
    await run(context)
    assert await settle(context) == 24
    orders = {(each.total, each.refunded, each.status) for each in await rows(context, Order)}
    assert orders == {(16500, 8500, "delivered")}
    assert {each.net_amount for each in await rows(context, Reward)} == {500}
    assert {each.amount_off for each in await rows(context, Redemption)} == {1600}
    assert await booked(context, LedgerAccount.discount_cost) == 24 * 1600
    assert await booked(context, LedgerAccount.reward_cost) == 24 * 500
    assert await is_sound(context)


async def test_what_the_shop_says_a_code_took_off_is_booked(context, brand, shop):
    code = await code_of(context, brand, shop)
    sale = {"discount_codes": ["SALE", code], "discount_total": "22.40", "total": "57.60"}
    await deliver(
        context, shop, told("paid", 1, **sale, discounts=[{"code": code.lower(), "amount": "6.40"}])
    )
    await run(context)
    assert (await only(context, Redemption)).amount_off == 640
    assert await booked(context, LedgerAccount.discount_cost) == 640


async def test_refund_of_all_that_was_known_is_undone_by_a_late_edit(context, brand, shop):
    code = await code_of(context, brand, shop)
    await deliver(context, shop, told("paid", 1, discount_codes=[code]), fact("delivered", 1))
    await run(context)
    await settle(context)
    assert (await only(context, Reward)).status is RewardStatus.granted
    await deliver(context, shop, fact("refunded", 1, refund_id="r1", amount="80.00"))
    await run(context)
    reward, redemption = await only(context, Reward), await only(context, Redemption)
    assert (reward.status, reward.net_amount) == (RewardStatus.reversed, 0)
    assert (redemption.status, redemption.reason) == (RedemptionStatus.reversed, "refunded")
    await deliver(context, shop, told("updated", 1, hours=1, total="160.00", discount_codes=[code]))
    await run(context)
    reward, redemption = await only(context, Reward), await only(context, Redemption)
    assert (reward.status, reward.net_amount) == (RewardStatus.granted, 500)
    assert (redemption.status, redemption.reason) == (RedemptionStatus.approved, None)
    assert await booked(context, LedgerAccount.reward_cost) == 500
    assert await is_sound(context)


async def test_address_and_code_that_were_missing_are_filled_in(context, brand, shop):
    code = await code_of(context, brand, shop)
    await deliver(context, shop, told("paid", 1, customer=None))
    await run(context)
    survey = await only(context, Survey)
    assert (survey.status, survey.reason) == (SurveyStatus.skipped, SkipReason.no_address)
    await deliver(context, shop, told("paid", 1, hours=1, discount_codes=[code]))
    await run(context)
    survey, changed = await only(context, Survey), await only(context, Order)
    assert (survey.status, survey.customer_id) == (SurveyStatus.planned, changed.customer_id)
    assert changed.customer_id is not None
    redemption = await only(context, Redemption)
    assert (redemption.status, redemption.friend_id) == (RedemptionStatus.pending, changed.customer_id)
    assert await is_sound(context)


async def test_changed_order_in_the_batch_of_its_first_report_is_one_order(context, shop):
    await deliver(context, shop, told("updated", 1, hours=1, total="90.00"), told("paid", 1))
    assert await run(context) == 2
    assert (await only(context, Order)).total == 9000


async def test_part_of_an_order_triggers_nothing(context, shop):
    partial = [fact(kind, 1, partial=True) for kind in ("fulfilled", "delivered")]
    await deliver(context, shop, *partial, told("paid", 1))
    await run(context)
    row, survey = await only(context, Order), await only(context, Survey)
    assert (row.status, row.fulfilled_at, row.delivered_at) == ("paid", None, None)
    assert survey.triggered_at == row.paid_at
    await deliver(context, shop, fact("delivered", 1))
    await run(context)
    assert (await only(context, Order)).status == "delivered"
    assert await is_sound(context)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("undo", ["cancelled", "refunded"])
async def test_skip_reason_does_not_depend_on_the_order_of_facts(context, brand, shop, first, undo):
    """An order that the sample leaves out, and that is undone as well."""
    await set_terms(context, brand, {"survey": {"sample_percent": 0}})
    undone = fact(undo, 1, refund_id="r1", amount="80.00")
    arrivals = [told("paid", 1), undone]
    for body in (arrivals[first], arrivals[1 - first]):
        await deliver(context, shop, body)
        await run(context)
    survey = await only(context, Survey)
    assert (survey.status, survey.reason) == (SurveyStatus.skipped, undo)


async def test_excluded_order_that_loses_its_tag_is_planned_as_if_it_never_had_it(context, brand, shop):
    await set_terms(context, brand, {"survey": {"exclude": {"tags": ["staff"]}}})
    await deliver(context, shop, told("paid", 1, tags=["staff"]))
    await run(context)
    assert (await only(context, Survey)).reason == SkipReason.excluded
    await deliver(context, shop, told("updated", 1, hours=1, tags=["vip"]))
    await run(context)
    assert (await only(context, Survey)).status is SurveyStatus.planned


async def test_delivery_with_the_id_of_another_and_another_body_is_kept(context, shop):
    bodies = (b'{"type": "a"}', b'{"type": "b"}', b'{"type": "a"}')
    async with context.sessions.begin() as session:
        await store_deliveries(
            session,
            [NewDelivery(shop.brand_id, shop.id, "checkout", "t", "same", raw, NOW) for raw in bodies],
        )
    kept = await rows(context, Delivery)
    assert sorted(each.body for each in kept) == [b'{"type": "a"}', b'{"type": "b"}']
    assert {each.status for each in kept} == {DeliveryStatus.new}


async def test_referrers_own_account_under_another_address_is_their_own_order(context, brand, shop):
    code = await code_of(context, brand, shop)
    mine = {"id": "r1", "email": "referrer@example.com", "country": "NL"}
    await deliver(context, shop, told("paid", 1, customer=mine))
    await run(context)
    other = mine | {"email": "elsewhere@example.com"}
    await deliver(context, shop, told("paid", 2, hours=1, customer=other, discount_codes=[code]))
    await run(context)
    redemption = await only(context, Redemption)
    assert (redemption.status, redemption.reason) == (RedemptionStatus.refused, "own_order")
