"""Surveys that are not about an order, from planning to response and offer."""

from datetime import timedelta

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import func, select

from app.base.ids import new_id
from app.base.tokens import Subject
from app.brands.programme import Channel
from app.customers.models import ConsentFact
from app.insight.funnel import funnel
from app.insight.invariants import check
from app.insight.periods import Period
from app.insight.scores import By, count_groups
from app.insight.timeline import timeline
from app.referrals.models import Code
from app.surveys.gather import Occasion
from app.surveys.models import Survey
from app.surveys.respond import NewResponse, record_response
from app.surveys.routes import router
from app.surveys.schedule import plan_survey, reconsider
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.programme import set_terms
from tests.support.factories.surveys import (
    advance,
    deliver,
    messages_of,
    plan_occasion,
    responses_of,
    survey_of,
)

DAY = timedelta(days=1)


async def test_an_occasion_is_surveyed_after_the_delay(context, brand, shop):
    cause_id = await plan_occasion(context, brand, shop, await make_customer(context, brand), at=NOW)
    survey = await survey_of(context, brand, cause_id)
    assert (survey.cause_kind, survey.order_id, survey.status) == ("occasion", None, "planned")
    assert (survey.triggered_at, survey.due_at) == (NOW, NOW + 3 * DAY)


async def test_an_occasion_has_one_survey(context, brand, shop):
    occasion = Occasion(new_id(), shop.id, await make_customer(context, brand), NOW)
    for _ in range(2):
        async with context.sessions.begin() as session:
            await plan_survey(session, context.tokens, brand, occasion, now=NOW)
    async with context.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Survey)) == 1


async def test_its_message_says_nothing_of_an_order(context, brand, shop):
    await plan_occasion(context, brand, shop, await make_customer(context, brand))
    await advance(context)
    (message,) = await messages_of(context, brand)
    assert message.template_params == {
        "first_name": "Ana",
        "item_title": None,
        "order_number": None,
        "ordered_on": None,
    }


async def test_it_is_sent_reminded_and_expires(context, brand, shop):
    cause_id = await plan_occasion(context, brand, shop, await make_customer(context, brand))
    await deliver(context)
    assert (await survey_of(context, brand, cause_id)).status == "sent"
    await deliver(context, NOW + 4 * DAY)
    assert [it.template for it in await messages_of(context, brand)] == ["survey", "reminder"]
    await deliver(context, NOW + 30 * DAY)
    assert (await survey_of(context, brand, cause_id)).status == "expired"


async def test_a_consent_given_later_lets_it_be_planned(context, brand, shop):
    customer_id = await make_customer(context, brand, country="DE")
    cause_id = await plan_occasion(context, brand, shop, customer_id)
    assert (await survey_of(context, brand, cause_id)).reason == "no_consent"
    async with context.sessions.begin() as session:
        session.add(
            ConsentFact(brand_id=brand.id, customer_id=customer_id, channel=Channel.email, given=True, at=NOW)
        )
        await session.flush()
        await reconsider(session, context.tokens, brand, [customer_id], now=NOW)
    survey = await survey_of(context, brand, cause_id)
    assert (survey.status, survey.due_at) == ("planned", NOW - DAY)


async def test_terms_that_exclude_small_orders_do_not_exclude_it(context, brand, shop):
    await set_terms(context, brand, {"survey": {"exclude": {"below_total": "20.00"}}})
    cause_id = await plan_occasion(context, brand, shop, await make_customer(context, brand))
    assert (await survey_of(context, brand, cause_id)).status == "planned"


@pytest.fixture
async def web(context):
    app = FastAPI()
    app.state.context = context
    app.include_router(router)
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://test") as client:
        yield client


async def test_its_pages_name_no_order_and_a_promoter_gets_an_offer(context, brand, shop, web):
    customer_id = await make_customer(context, brand)
    cause_id = await plan_occasion(context, brand, shop, customer_id)
    await deliver(context)
    survey = await survey_of(context, brand, cause_id)
    link = f"/s/{context.tokens.link('survey', brand.id, survey.id)}"
    page = (await web.get(link)).text
    assert "How likely are you to recommend Acme Goods to a friend?" in page
    assert "You bought" not in page
    assert "None" not in page
    answered = await web.post(link, data={"score": "10"}, follow_redirects=True)
    assert (answered.status_code, str(answered.url).endswith("/thanks")) == (200, True)
    (response,) = await responses_of(context, brand)
    assert (response.order_id, response.score) == (None, 10)
    async with context.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Code)) == 1
        assert await check(session, context.tokens) == []


async def _answered(context, brand, shop, score: int):
    customer_id = await make_customer(context, brand, country="FR")
    cause_id = await plan_occasion(context, brand, shop, customer_id)
    await deliver(context)
    survey = await survey_of(context, brand, cause_id)
    async with context.sessions.begin() as session:
        await record_response(
            session, context.tokens, Subject(brand.id, survey.id), NewResponse(score), now=NOW
        )
    return customer_id


@pytest.mark.parametrize(
    ("by", "key"),
    [(By.shop, "acme"), (By.country, "FR"), (By.product, None), (By.channel, "email"), (By.locale, "en")],
)
async def test_its_response_counts_in_every_group(context, brand, shop, by, key):
    await _answered(context, brand, shop, 9)
    async with context.sessions() as session:
        groups = await count_groups(session, brand, Period(), by)
    assert [(group.key, group.counts.promoters) for group in groups] == [(key, 1)]


async def test_the_funnel_counts_it_without_an_order(context, brand, shop):
    await _answered(context, brand, shop, 9)
    for period in (Period(), Period(NOW - 10 * DAY, NOW + DAY)):
        async with context.sessions() as session:
            stages = (await funnel(session, brand, period)).stages
        assert (stages.orders, stages.surveyed, stages.answered, stages.promoters) == (0, 1, 1, 1)
    async with context.sessions() as session:
        stages = (await funnel(session, brand, Period(NOW + DAY))).stages
    assert (stages.surveyed, stages.answered) == (0, 0)


async def test_the_timeline_shows_it(context, brand, shop):
    customer_id = await _answered(context, brand, shop, 3)
    async with context.sessions() as session:
        entries = await timeline(session, context.tokens, brand.id, customer_id)
    texts = [entry.text for entry in entries if entry.kind == "survey_answered"]
    assert texts == ["The survey was sent by e-mail and answered."]
