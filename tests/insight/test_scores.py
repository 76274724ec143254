from datetime import UTC, date, datetime, timedelta

import pytest

from app.base.actor import cli_actor
from app.base.errors import AppError
from app.brands.add import add_shop
from app.brands.programme import Channel
from app.insight.funnel import funnel
from app.insight.funnel_report import funnel_report
from app.insight.periods import Period, before, id_binds, last_days, midnight, read_period
from app.insight.scores import By, count_bands, count_groups, nps_report
from app.messaging.rules import MessageStatus
from app.referrals.rules import RedemptionStatus
from app.surveys.rules import SurveyStatus
from app.surveys.templates import SURVEY
from tests.support.factories.rows import START

ALL = Period()


async def test_without_a_response_the_score_is_null(session, brand, shop):
    facts = (await nps_report(session, brand, ALL)).model_dump()
    assert (facts["responses"], facts["nps"], facts["interval"], facts["response_rate"]) == (
        0,
        None,
        None,
        None,
    )


async def test_score_and_interval_come_from_the_bands(session, brand, rows):
    for score in (10, 9, 9, 8, 7, 6, 0):
        await rows.answer(score)
    facts = (await nps_report(session, brand, ALL)).model_dump()
    assert (facts["promoters"], facts["passives"], facts["detractors"]) == (3, 2, 2)
    assert facts["nps"] == pytest.approx(100 / 7, abs=1e-3)
    assert facts["interval"]["low"] < facts["nps"] < facts["interval"]["high"]
    assert facts["interval"]["level"] == 0.95


async def test_a_customers_latest_response_in_the_window_counts(session, brand, rows):
    person = await rows.customer()
    await rows.answer(10, customer=person, answered_at=START)
    await rows.answer(2, customer=person, answered_at=START + timedelta(days=20))
    assert (await nps_report(session, brand, ALL)).model_dump()["nps"] == -100
    early = Period(START - timedelta(days=1), START + timedelta(days=1))
    assert (await nps_report(session, brand, early)).model_dump()["nps"] == 100


async def test_the_window_is_half_open_in_the_brands_zone(session, brand, rows):
    midnight = datetime(2026, 3, 9, 23, 0, tzinfo=UTC)  # 10 March 0:00 in Berlin
    await rows.answer(10, answered_at=midnight - timedelta(microseconds=1))
    await rows.answer(0, answered_at=midnight)
    on_tenth = (
        await nps_report(session, brand, read_period("2026-03-10", "2026-03-11", brand.time_zone))
    ).model_dump()
    before = (await nps_report(session, brand, read_period(None, "2026-03-10", brand.time_zone))).model_dump()
    assert (on_tenth["responses"], on_tenth["nps"], before["nps"]) == (1, -100, 100)


@pytest.mark.parametrize(
    "text", ["soon", "2026-13-01", "2026-02-30", "2026-03-10T99:00", "0001-01-01T00:00:00+14:00", "-"]
)
def test_an_unreadable_date_is_refused_in_a_sentence(text):
    with pytest.raises(AppError) as refused:
        read_period(text, None, "Europe/Berlin")
    assert refused.value.code == "bad_period"


@pytest.mark.parametrize(
    "text",
    ["0001-01-02", "1969-12-31", "2201-01-01", "9999-12-31", "9999-12-31T23:59:59", "9999-12-31T24:00"],
)
def test_a_year_out_of_reach_is_refused(text):
    for zone in ("Pacific/Kiritimati", "America/Los_Angeles"):
        with pytest.raises(AppError) as refused:
            read_period(None, text, zone)
        assert refused.value.code == "bad_period"


def test_the_widest_period_has_one_before_it_and_ids_to_search_by():
    widest = read_period("1970-01-01", "2200-12-31T23:59:59", "Pacific/Kiritimati")
    earlier = before(widest, "Pacific/Kiritimati")
    assert earlier is not None
    assert earlier.end == widest.start
    assert id_binds(earlier)["last"] < id_binds(widest)["last"]


def test_the_days_before_some_whole_days_are_whole_days_too_where_clocks_changed():
    last = last_days(30, "Europe/Berlin", now=datetime(2026, 11, 12, 9, tzinfo=UTC))
    earlier = before(last, "Europe/Berlin")
    assert earlier == Period(midnight(date(2026, 9, 14), "Europe/Berlin"), last.start)
    part = Period(last.start, datetime(2026, 11, 12, 9, tzinfo=UTC))
    assert before(part, "Europe/Berlin") == Period(part.start - (part.end - part.start), part.start)


def test_a_period_cannot_end_before_it_starts():
    with pytest.raises(AppError):
        read_period("2026-03-10", "2026-03-09", "UTC")


def test_times_may_carry_a_zone_and_a_plus_that_was_lost_on_the_way():
    said = read_period("2026-03-10T12:00:00 01:00", "2026-03-10T12:00:00Z", "UTC")
    assert said == Period(datetime(2026, 3, 10, 11, tzinfo=UTC), datetime(2026, 3, 10, 12, tzinfo=UTC))


def test_the_last_days_include_today_even_when_clocks_change():
    period = last_days(2, "Europe/Berlin", now=datetime(2026, 3, 29, 12, tzinfo=UTC))
    assert period == Period(datetime(2026, 3, 27, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC))


async def test_each_week_is_a_window_of_its_own(session, brand, rows):
    person = await rows.customer()
    await rows.answer(10, customer=person, answered_at=START)
    await rows.answer(0, customer=person, answered_at=START + timedelta(days=7))
    groups = await count_groups(session, brand, ALL, By.week)
    assert [(group.key, group.counts.promoters, group.counts.detractors) for group in groups] == [
        ("2026-03-02", 1, 0),
        ("2026-03-09", 0, 1),
    ]
    months = await count_groups(session, brand, ALL, By.month)
    assert [(group.key, group.counts.responses) for group in months] == [("2026-03", 1)]


async def test_responses_group_by_product_and_shop(session, brand, rows):
    basket = [{"sku": "MUG", "title": "Mug"}, {"sku": "MUG", "title": "Mug"}, {"sku": None, "title": "Tea"}]
    await rows.answer(9, order={"items": basket, "country": "FR"}, channel=Channel.sms)
    await rows.answer(3, order={"items": [], "country": None})

    async def by(what):
        return {
            group.key: (group.counts.promoters, group.counts.detractors)
            for group in await count_groups(session, brand, ALL, what)
        }

    assert await by(By.product) == {"MUG": (1, 0), "Tea": (1, 0), None: (0, 1)}
    assert await by(By.country) == {"FR": (1, 0), None: (0, 1)}
    assert await by(By.channel) == {"sms": (1, 0), "email": (0, 1)}
    assert await by(By.shop) == {"acme": (1, 1)}
    assert await by(By.locale) == {"de": (1, 1)}


async def test_the_rate_is_of_delivered_messages_where_the_provider_reports_delivery(session, brand, rows):
    await rows.answer(9)
    for status in (MessageStatus.delivered, MessageStatus.bounced, MessageStatus.accepted):
        person = await rows.customer()
        survey = await rows.survey(await rows.order(person))
        await rows.message(SURVEY, person.id, survey.id, status=status)
    facts = (await nps_report(session, brand, ALL)).model_dump()
    assert (facts["answered"], facts["delivered"], facts["response_rate"]) == (1, 2, 0.5)
    assert facts["response_rate_interval"]["low"] < 0.5 < facts["response_rate_interval"]["high"]


async def test_the_rate_is_of_accepted_messages_where_no_delivery_is_reported(session, brand, rows):
    for number in range(4):
        person = await rows.customer()
        survey = await rows.survey(await rows.order(person))
        sent_at = None if number == 0 else START
        status = MessageStatus.failed if number == 0 else MessageStatus.accepted
        await rows.message(SURVEY, person.id, survey.id, status=status, sent_at=sent_at)
    facts = (await nps_report(session, brand, ALL)).model_dump()
    assert (facts["answered"], facts["delivered"], facts["response_rate"]) == (0, 3, 0.0)


async def test_the_funnel_follows_orders_to_approved_redemptions(session, brand, rows):
    happy = await rows.answer(10)
    await rows.answer(5)
    await rows.survey(await rows.order(await rows.customer()), SurveyStatus.skipped)
    await rows.order(await rows.customer(), test=True)
    await rows.order(await rows.customer(), history=True)
    code = await rows.code(happy.customer_id, happy.survey_id)
    await rows.visit(code)
    await rows.visit(code)
    await rows.redemption(code)
    await rows.redemption(code, RedemptionStatus.pending, refunded=7200 // 2)
    await rows.redemption(code, RedemptionStatus.refused)
    facts = funnel_report(await funnel(session, brand, ALL)).model_dump()
    assert [(stage["stage"], stage["count"]) for stage in facts["stages"]] == [
        ("orders", 6),
        ("surveyed", 2),
        ("delivered", 2),
        ("answered", 2),
        ("promoters", 1),
        ("offers_delivered", 1),
        ("shared", 1),
        ("friend_visits", 2),
        ("redemptions", 2),
        ("approved", 1),
    ]
    assert (facts["currency"], facts["revenue"], facts["discount_cost"], facts["leaked_discount"]) == (
        "EUR",
        "108.00",
        "16.00",
        "8.00",
    )
    assert (facts["reward_cost"], facts["message_cost"]) == ("10.00", None)
    assert facts["roi"] == pytest.approx((108 - 34) / 34, abs=1e-4)


async def test_the_funnel_of_a_period_follows_its_orders_only(session, brand, rows):
    old = await rows.answer(10, order={"placed_at": START - timedelta(days=100)})
    code = await rows.code(old.customer_id, old.survey_id)
    await rows.redemption(code, placed_at=START)
    found = await funnel(session, brand, Period(START - timedelta(days=1), START + timedelta(days=1)))
    assert (found.stages.orders, found.stages.redemptions) == (1, 0)
    found = await funnel(session, brand, Period(None, START - timedelta(days=1)))
    assert (found.stages.orders, found.stages.promoters, found.stages.redemptions, found.stages.approved) == (
        1,
        1,
        1,
        1,
    )


async def test_amounts_of_several_currencies_are_never_added_up(session, brand, rows):
    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id)
    await rows.redemption(code)
    await rows.redemption(code, currency="JPY")
    facts = funnel_report(await funnel(session, brand, ALL)).model_dump()
    assert (facts["revenue"], facts["currency"]) == (None, None)
    assert {each["currency"]: each["revenue"] for each in facts["by_currency"]} == {
        "EUR": "72.00",
        "JPY": "7200",
    }


async def test_an_empty_brand_has_a_funnel_of_zeros(session, brand, shop):
    facts = funnel_report(await funnel(session, brand, ALL)).model_dump()
    assert (facts["orders"], facts["approved"], facts["revenue"], facts["roi"], facts["currency"]) == (
        0,
        0,
        "0.00",
        None,
        "EUR",
    )


async def test_responses_group_by_buyer_and_cohort_and_add_up_by_shop(context, session, brand, shop, rows):
    other, _ = await add_shop(
        session, context.tokens, brand, "other", name="Other", platform="checkout", actor=cli_actor(brand.id)
    )
    person = await rows.customer()
    await rows.answer(10, customer=person)
    rows.shop = other
    again = START + timedelta(days=40)
    await rows.answer(3, customer=person, answered_at=again, order={"placed_at": again})
    await rows.answer(8, order={"ordered_before": True})
    await rows.answer(9)

    async def by(what, shop_id=None):
        groups = await count_groups(session, brand, ALL, what, shop_id)
        return [(each.key, each.counts.promoters, each.counts.detractors) for each in groups]

    assert await by(By.buyer) == [("repeat", 0, 1), ("first", 1, 0)]
    assert await by(By.cohort) == [("2026-03", 1, 0), ("2026-04", 0, 1)]
    assert await by(By.shop) == [("other", 1, 1)], "who answered in two shops counts in the latest"
    assert await by(By.cohort, shop.id) == []
    march = Period(None, again)
    assert (await count_bands(session, brand, march, shop.id)).promoters == 1
    assert (await funnel(session, brand, ALL, other.id)).stages.orders == 3
