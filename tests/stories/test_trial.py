"""A trial takes the real path at once, and no figure, budget or later decision knows of it."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.base.tokens import Subject
from app.brands.find import load_brand
from app.brands.programme import Channel
from app.insight.overview import overview
from app.insight.periods import Period
from app.orders.models import Order
from app.platforms.checkout.parse import read_order
from app.platforms.fields import Fields
from app.referrals.models import Code, Referrer
from app.referrals.rules import RedemptionStatus
from app.surveys.respond import NewResponse, record_response
from app.surveys.rules import SkipReason, SurveyStatus
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.orders import make_delivered_order, make_order
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import friend_orders, make_referrer, redeem, settle
from tests.support.factories.surveys import deliver, messages_of, responses_of, survey_of

NIGHT = NOW.replace(hour=23)
"""In Berlin nobody is surveyed at this hour."""


async def answered(context, brand, shop, customer_id, *, trial, score=10):
    """An order whose survey was sent and answered."""
    order_id = await make_delivered_order(context, brand, shop, customer_id, trial=trial)
    await deliver(context)
    survey = await survey_of(context, brand, order_id)
    async with context.sessions.begin() as session:
        await record_response(
            session, context.tokens, Subject(brand.id, survey.id), NewResponse(score), now=NOW
        )
    await deliver(context)
    return survey


async def figures(context, brand):
    """Everything on the overview, whatever the period."""
    async with context.sessions() as session:
        return await overview(session, await load_brand(session, brand.id), Period())


async def test_a_trial_is_surveyed_at_once_whatever_defers_others(context, brand, shop):
    await set_terms(context, brand, {"survey": {"sample_percent": 0, "max_per_day": 1}})
    lea = await make_customer(context, brand)
    for _ in range(2):
        order_id = await make_order(context, brand, shop, lea, placed_at=NIGHT, trial=True, plan=True)
        await deliver(context, NIGHT)
        survey = await survey_of(context, brand, order_id)
        assert (survey.status, survey.due_at, survey.trial) == (SurveyStatus.sent, NIGHT, True)


@pytest.mark.parametrize(
    ("terms", "consent", "reason"),
    [
        ({"surveys_enabled": False}, True, SkipReason.surveys_disabled),
        ({"survey": {"exclude": {"below_total": "100"}}}, True, SkipReason.excluded),
        ({}, False, SkipReason.no_consent),
    ],
)
async def test_a_trial_is_skipped_for_the_reasons_that_others_are(
    context, brand, shop, terms, consent, reason
):
    await set_terms(context, brand, terms)
    lea = await make_customer(context, brand, consents={Channel.email: consent})
    survey = await survey_of(
        context, brand, await make_order(context, brand, shop, lea, trial=True, plan=True)
    )
    assert (survey.status, survey.reason) == (SurveyStatus.skipped, reason)


async def test_a_trial_neither_defers_the_persons_next_survey_nor_takes_a_place_of_the_day(
    context, brand, shop
):
    await set_terms(context, brand, {"survey": {"max_per_day": 1}})
    lea = await make_customer(context, brand)
    await answered(context, brand, shop, lea, trial=True)
    order_id = await make_delivered_order(context, brand, shop, lea)
    await deliver(context)
    assert (await survey_of(context, brand, order_id)).status is SurveyStatus.sent


async def test_a_trial_is_in_no_figure(context, brand, shop):
    lea = await make_customer(context, brand)
    await answered(context, brand, shop, lea, trial=True)
    sent = [(each.template, each.trial) for each in await messages_of(context, brand)]
    assert sent == [("survey", True), ("offer", True)]
    assert [each.trial for each in await responses_of(context, brand)] == [True]
    found = await figures(context, brand)
    assert (found.counts.responses, found.rate.delivered, found.latest, found.groups) == (0, 0, [], [])
    assert not any(getattr(found.funnel.stages, name) for name in type(found.funnel.stages).__slots__)
    assert (found.activity.offers, found.answer_to_offer) == (0, None)
    await answered(context, brand, shop, await make_customer(context, brand), trial=False)
    found = await figures(context, brand)
    assert (found.counts.responses, found.rate.delivered, len(found.latest)) == (1, 1, 1)
    assert (found.funnel.stages.orders, found.funnel.stages.promoters) == (1, 1)
    assert (found.funnel.stages.offers_delivered, found.activity.offers) == (1, 1)


async def test_an_insider_counts_once_they_answered_about_a_real_order(context, brand, shop):
    lea = await make_customer(context, brand)
    await answered(context, brand, shop, lea, trial=True)
    async with context.sessions() as session:
        code = (await session.scalars(select(Code))).one()
    await friend_orders(context, brand, shop, code.code)
    assert (await figures(context, brand)).funnel.stages.redemptions == 0
    real = await answered(context, brand, shop, lea, trial=False)
    await answered(context, brand, shop, lea, trial=True)
    stages = (await figures(context, brand)).funnel.stages
    assert (stages.orders, stages.promoters, stages.redemptions) == (2, 1, 1)
    async with context.sessions() as session:
        assert await session.scalar(select(Referrer.survey_id)) == real.id


async def test_a_friends_trial_is_in_no_figure_and_no_budget(context, brand, shop):
    budget = {"amount": "10", "period": "total"}
    await set_terms(context, brand, {"reward": {"value": "10", "budget": budget}})
    code = await make_referrer(context, brand, shop)
    trial = await friend_orders(context, brand, shop, code.code, trial=True)
    assert (trial.status, trial.reason) == (RedemptionStatus.pending, None)
    await settle(context)
    found = await figures(context, brand)
    assert (found.activity.redemptions, found.activity.approved) == (0, 0)
    assert (found.funnel.stages.redemptions, found.funnel.stages.approved) == (0, 0)
    for totals in (*found.activity.totals, *found.funnel.totals):
        assert (totals.revenue, totals.cost) == (0, 0)
    real = await friend_orders(context, brand, shop, code.code)
    assert (real.status, real.reason) == (RedemptionStatus.pending, None)


async def test_a_person_is_as_new_after_a_trial_as_before(context, brand, shop):
    code = await make_referrer(context, brand, shop)
    max_id = await make_customer(context, brand, first_name="Max")
    for trial in (True, True, False):
        order_id = await make_order(
            context, brand, shop, max_id, code.code, trial=trial, payment_fingerprint="a card"
        )
        [redemption] = await redeem(context, brand, order_id)
        assert (redemption.status, redemption.reason) == (RedemptionStatus.pending, None)


async def test_an_order_is_a_trial_as_it_was_first_reported(context, brand, shop):
    lea = await make_customer(context, brand)
    for first in (True, False):
        external_id = f"first {first}"
        for trial in (first, not first):
            await make_order(
                context,
                brand,
                shop,
                lea,
                order_id=external_id,
                trial=trial,
                placed_at=NOW + timedelta(minutes=1),
            )
        async with context.sessions() as session:
            order = (await session.scalars(select(Order).where(Order.external_id == external_id))).one()
            assert order.trial is first


def test_only_true_makes_a_trial():
    body = {"id": "1", "currency": "EUR", "total": "1"}
    for value, trial in ((True, True), (False, False), (None, False), ("true", False), (1, False)):
        assert read_order(Fields({**body, "trial": value}), NOW).trial is trial
