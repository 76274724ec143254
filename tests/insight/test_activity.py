"""The events of a period, which the overview's cards count."""

from datetime import timedelta

from app.insight.activity import activity
from app.insight.periods import Period
from app.messaging.rules import MessageStatus
from app.referrals.rules import RedemptionStatus
from app.referrals.templates import OFFER
from tests.support.factories.rows import START

WEEK = Period(START, START + timedelta(days=7))
SINCE = Period(START, None)
"""Ids of the tests' messages are of the day on which they are run."""


async def test_events_count_in_the_period_in_which_they_happened(session, brand, rows):
    old = await rows.answer(10, order={"placed_at": START - timedelta(days=100)})
    code = await rows.code(old.customer_id, old.survey_id)
    await rows.redemption(code, placed_at=START)
    await rows.redemption(code, RedemptionStatus.refused, placed_at=START)
    await rows.redemption(code, placed_at=START - timedelta(days=1))
    found = await activity(session, brand, WEEK)
    assert found.redemptions == 1
    [totals] = found.totals
    assert (totals.currency, totals.revenue) == ("EUR", 7200)
    before = await activity(session, brand, Period(START - timedelta(days=7), START))
    assert before.redemptions == 1


async def test_an_offer_counts_once_a_person_and_as_delivered_only_where_that_is_known(session, brand, rows):
    person = await rows.customer()
    for status in (MessageStatus.accepted, MessageStatus.accepted):
        await rows.message(OFFER, person.id, person.id, status=status, step=rows.made)
        rows.made += 1
    found = await activity(session, brand, SINCE)
    assert (found.offers, found.offers_confirmed) == (1, False)
    other = await rows.customer()
    await rows.message(OFFER, other.id, other.id, status=MessageStatus.delivered)
    found = await activity(session, brand, SINCE)
    assert (found.offers, found.offers_confirmed) == (1, True)
    assert (await activity(session, brand, Period(SINCE.start + timedelta(days=1), None))).offers == 0


async def test_an_empty_brand_has_activity_of_zeros(session, brand, shop):
    found = await activity(session, brand, WEEK)
    assert (found.offers, found.redemptions, found.approved) == (0, 0, 0)
    assert [totals.currency for totals in found.totals] == ["EUR"]
