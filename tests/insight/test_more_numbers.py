"""Holdout lift, friends' revenue by the referrer's band, times of offers."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.base.ids import new_id
from app.customers.models import Customer
from app.insight.band_revenue import BandRevenue, band_revenue
from app.insight.lift import holdout_lift
from app.insight.number_schemas import HoldoutReport
from app.insight.offer_times import TimeGroup, offer_times, percentile
from app.insight.periods import Period
from app.insight.shares import Share, are_enough, difference
from app.messaging.models import Attempt, Message
from app.referrals.rules import RedemptionStatus, WithheldReason
from app.referrals.withheld_models import WithheldOffer
from app.surveys.models import Response
from tests.support.factories.rows import START, Rows

DAY = timedelta(days=1)
LATER = {"placed_at": START + DAY}


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        # Newcombe (1998), table II, method 10.
        (Share(56, 70), Share(48, 80), 0.0524, 0.3339),
        (Share(9, 10), Share(3, 10), 0.1705, 0.8090),
        (Share(5, 56), Share(0, 29), -0.0381, 0.1926),
        (Share(10, 10), Share(0, 10), 0.6075, 1.0),
    ],
)
def test_the_difference_of_two_shares_has_newcombes_interval(first, second, low, high):
    found = difference(first, second)
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_few_people_and_nobody_are_too_few_to_compare():
    assert difference(Share(0, 0), Share(1, 2)) is None
    assert are_enough(Share(1, 30), Share(0, 30))
    assert not are_enough(Share(1, 300), Share(0, 29))


async def hold_out(session, brand, response):
    session.add(
        WithheldOffer(
            brand_id=brand.id,
            customer_id=response.customer_id,
            survey_id=response.survey_id,
            reason=WithheldReason.held_out,
            at=START,
        )
    )


async def test_those_with_an_offer_are_compared_with_those_held_out(session, brand, shop):
    """Only orders of their own within 90 days of their first such answer count."""
    rows = Rows(session, brand, shop)
    offered = [await rows.answer(9) for _ in range(3)]
    codes = [await rows.code(each.customer_id, each.survey_id) for each in offered]
    held = [await rows.answer(10) for _ in range(2)]
    for each in held:
        await hold_out(session, brand, each)
    await rows.answer(10)
    await hold_out(session, brand, await rows.answer(8))
    again = await session.get_one(Customer, (brand.id, held[0].customer_id))
    await hold_out(session, brand, await rows.answer(9, customer=again, answered_at=START + 120 * DAY))
    people = [await session.get_one(Customer, (brand.id, each.customer_id)) for each in offered]
    await rows.order(people[0], **LATER)
    await rows.order(people[0], placed_at=START + 2 * DAY)
    await rows.order(people[1], placed_at=START + 91 * DAY)
    await rows.order(people[1], **LATER, cancelled_at=START + 2 * DAY)
    await rows.order(people[2], **LATER, test=True)
    await rows.redemption(codes[2], RedemptionStatus.approved)
    await rows.redemption(codes[2], RedemptionStatus.refused)
    found = await holdout_lift(session, brand, Period())
    assert (found.offered, found.held_out, found.friends_orders) == (Share(1, 3), Share(0, 2), 1)
    report = HoldoutReport.of(found)
    assert (report.lift, report.is_enough) == (0.333333, False)
    assert await holdout_lift(session, brand, Period(), shop.id) == found
    assert (await holdout_lift(session, brand, Period(), new_id())).offered == Share(0, 0)
    nobody = await holdout_lift(session, brand, Period(START + DAY, None))
    assert (nobody.offered, HoldoutReport.of(nobody).lift) == (Share(0, 0), None)


async def test_friends_revenue_is_of_the_band_that_their_referrer_had_answered_last_before(
    session, brand, shop
):
    rows = Rows(session, brand, shop)
    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id)
    await rows.redemption(code, **LATER)
    await rows.redemption(code, RedemptionStatus.refused, **LATER)
    await rows.redemption(code, **LATER, refunded=200)
    angry = await rows.answer(2, answered_at=START + 2 * DAY)
    await session.execute(
        update(Response).where(Response.id == angry.id).values(customer_id=happy.customer_id)
    )
    await rows.redemption(code, placed_at=START + 3 * DAY)
    unknown = await rows.code((await rows.customer()).id)
    await rows.redemption(unknown, **LATER, currency="USD")
    assert await band_revenue(session, brand, Period()) == [
        BandRevenue("promoter", "EUR", 1, 2, 14_200),
        BandRevenue("detractor", "EUR", 1, 1, 7_200),
        BandRevenue(None, "USD", 1, 1, 7_200),
    ]
    assert len(await band_revenue(session, brand, Period(), shop.id)) == 3
    assert await band_revenue(session, brand, Period(), new_id()) == []
    later = await band_revenue(session, brand, Period(START + 2 * DAY, None))
    assert [each.band for each in later] == ["detractor"]


async def test_offers_are_timed_from_the_answer_to_the_attempt_that_was_accepted(session, brand, shop):
    """Times that are about alike, here 3 and 3.4 seconds, are shown as their mean."""
    rows = Rows(session, brand, shop)
    assert (await offer_times(session, brand, Period())).p50 is None
    for seconds in (1, 2, 3, 3.4):
        happy = await rows.answer(10)
        code = await rows.code(happy.customer_id, happy.survey_id)
        message = select(Message.id).where(Message.subject_id == code.id).scalar_subquery()
        at = happy.created_at + timedelta(seconds=seconds)
        await session.execute(update(Attempt).where(Attempt.message_id == message).values(created_at=at))
    found = await offer_times(session, brand, Period())
    assert (found.offers, found.p50) == (4, 2.6)
    assert await offer_times(session, brand, Period(), shop.id) == found
    assert (await offer_times(session, brand, Period(), new_id())).offers == 0
    assert (found.p95, found.p99) == (3.2, 3.2)


def test_percentiles_of_groups_are_those_of_their_people():
    """As `percentile_cont` has it of 1, 1, 1, 4 and 10 seconds, and of none."""
    groups = [TimeGroup(3, 1.0), TimeGroup(1, 4.0), TimeGroup(1, 10.0)]
    assert [percentile(groups, part) for part in (0, 0.5, 0.75, 0.9, 1)] == [1, 1, 4, pytest.approx(7.6), 10]
    assert percentile([], 0.5) is None
