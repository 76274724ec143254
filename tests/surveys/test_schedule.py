import asyncio
from datetime import timedelta
from itertools import permutations

import pytest
from sqlalchemy import func, select, update

from app.brands.programme import Channel
from app.customers.models import ConsentFact
from app.orders.models import Order
from app.surveys.erase import erase_responses
from app.surveys.models import Survey
from app.surveys.schedule import reconsider, schedule_surveys
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer, put_customer
from tests.support.factories.orders import change_order, make_delivered_order
from tests.support.factories.programme import set_terms
from tests.support.factories.surveys import advance, messages_of, sent_survey, survey_of

DAY = timedelta(days=1)


async def test_a_delivered_order_is_planned_three_days_later(context, brand, shop):
    order_id = await make_delivered_order(context, brand, shop, await make_customer(context, brand))
    survey = await survey_of(context, brand, order_id)
    assert (survey.status, survey.channel, survey.due_at) == ("planned", Channel.email, NOW - DAY)
    assert survey.triggered_at == NOW - 4 * DAY


@pytest.mark.parametrize(
    ("customer", "order", "terms", "reason"),
    [
        ({"country": "DE"}, {}, {}, "no_consent"),
        ({"consents": {Channel.email: False}}, {}, {}, "no_consent"),
        ({}, {"test": True}, {}, "excluded"),
        ({}, {"history": True}, {}, "excluded"),
        ({}, {"cancelled_at": NOW}, {}, "cancelled"),
        ({}, {"refunded": 8000}, {}, "refunded"),
        ({}, {"delivered_at": NOW - 34 * DAY}, {}, "too_late"),
        ({}, {}, {"surveys_enabled": False}, "surveys_disabled"),
        ({}, {}, {"survey": {"sample_percent": 0}}, "sampled_out"),
        ({}, {"total": 1999}, {"survey": {"exclude": {"below_total": "20.00"}}}, "excluded"),
        ({}, {"currency": "JPY", "total": 80}, {"survey": {"exclude": {"below_total": "81"}}}, "excluded"),
    ],
)
async def test_an_order_that_is_not_surveyed_has_a_reason(
    context, brand, shop, customer, order, terms, reason
):
    await set_terms(context, brand, terms)
    order_id = await make_delivered_order(
        context, brand, shop, await make_customer(context, brand, **customer), **order
    )
    survey = await survey_of(context, brand, order_id)
    assert (survey.status, survey.reason, survey.due_at) == ("skipped", reason, None)


async def test_an_order_without_a_customer_has_no_address(context, brand, shop):
    survey = await survey_of(context, brand, await make_delivered_order(context, brand, shop, None))
    assert (survey.status, survey.reason) == ("skipped", "no_address")


async def test_an_order_of_a_customer_without_an_address_has_no_address(context, brand, shop):
    customer = await put_customer(context, brand, email=None, email_key=None)
    survey = await survey_of(context, brand, await make_delivered_order(context, brand, shop, customer))
    assert (survey.status, survey.reason, survey.due_at) == ("skipped", "no_address", None)


async def test_a_partly_refunded_order_is_still_surveyed(context, brand, shop):
    order_id = await make_delivered_order(
        context, brand, shop, await make_customer(context, brand), refunded=7999
    )
    assert (await survey_of(context, brand, order_id)).status == "planned"


async def test_a_delivery_moves_a_survey_that_waited_for_it(context, brand, shop):
    order_id = await make_delivered_order(
        context, brand, shop, await make_customer(context, brand), delivered_at=None
    )
    assert (await survey_of(context, brand, order_id)).due_at == NOW + 7 * DAY
    await change_order(context, brand, order_id, delivered_at=NOW)
    assert (await survey_of(context, brand, order_id)).due_at == NOW + 3 * DAY


async def test_the_order_in_which_facts_come_does_not_matter(context, brand, shop):
    facts = [{"fulfilled_at": NOW - DAY}, {"delivered_at": NOW}, {"refunded": 2000}]
    customer = await make_customer(context, brand)
    plans = set()
    for order in permutations(facts):
        order_id = await make_delivered_order(context, brand, shop, customer, delivered_at=None)
        for fact in order:
            await change_order(context, brand, order_id, **fact)
            await change_order(context, brand, order_id, **fact)
        survey = await survey_of(context, brand, order_id)
        plans.add(
            (
                survey.status,
                survey.reason,
                survey.channel,
                survey.triggered_at,
                survey.due_at,
                survey.deferred_reason,
            )
        )
    assert len(plans) == 1


async def test_a_late_paid_event_before_a_fresh_delivery_is_not_too_late_for_ever(context, brand, shop):
    order_id = await make_delivered_order(
        context,
        brand,
        shop,
        await make_customer(context, brand),
        paid_at=NOW - 60 * DAY,
        placed_at=NOW - 60 * DAY,
        delivered_at=None,
    )
    assert (await survey_of(context, brand, order_id)).reason == "too_late"
    await change_order(context, brand, order_id, delivered_at=NOW - DAY)
    assert (await survey_of(context, brand, order_id)).status == "planned"


@pytest.mark.parametrize(
    ("fact", "reason"), [({"cancelled_at": NOW}, "cancelled"), ({"refunded": 8000}, "refunded")]
)
async def test_a_planned_survey_is_skipped_when_the_order_is_cancelled(context, brand, shop, fact, reason):
    order_id = await make_delivered_order(context, brand, shop, await make_customer(context, brand))
    await change_order(context, brand, order_id, **fact)
    survey = await survey_of(context, brand, order_id)
    assert (survey.status, survey.reason, survey.due_at) == ("skipped", reason, None)
    assert await advance(context) == 0
    assert await messages_of(context, brand) == []


async def test_a_sent_survey_gets_no_reminder_when_the_order_is_cancelled(context, brand, shop):
    survey = await sent_survey(context, brand, shop)
    await change_order(context, brand, survey.order_id, cancelled_at=NOW)
    after = await survey_of(context, brand, survey.order_id)
    assert (after.status, after.reminder_due_at, after.due_at) == ("sent", None, survey.due_at)


async def test_a_queued_survey_is_cancelled_when_the_order_is_refunded(context, brand, shop):
    order_id = await make_delivered_order(context, brand, shop, await make_customer(context, brand))
    await advance(context)
    await change_order(context, brand, order_id, refunded=8000)
    survey = await survey_of(context, brand, order_id)
    assert (survey.status, survey.reminder_due_at) == ("queued", None)
    assert [message.status for message in await messages_of(context, brand)] == ["cancelled"]


async def test_a_skip_that_no_fact_can_undo_stays(context, brand, shop):
    await set_terms(context, brand, {"surveys_enabled": False})
    order_id = await make_delivered_order(context, brand, shop, await make_customer(context, brand))
    await set_terms(context, brand, {})
    await change_order(context, brand, order_id, fulfilled_at=NOW)
    assert (await survey_of(context, brand, order_id)).reason == "surveys_disabled"


async def test_a_consent_given_later_lets_the_survey_be_planned(context, brand, shop):
    customer = await make_customer(context, brand, country="DE")
    order_id = await make_delivered_order(context, brand, shop, customer)
    async with context.sessions.begin() as session:
        session.add(
            ConsentFact(brand_id=brand.id, customer_id=customer, channel=Channel.email, given=True, at=NOW)
        )
        await session.flush()
        await reconsider(session, context.tokens, brand, [customer], now=NOW)
    assert (await survey_of(context, brand, order_id)).status == "planned"


async def test_concurrent_calls_leave_one_survey_an_order(context, brand, shop):
    customer = await make_customer(context, brand)
    orders = [await make_delivered_order(context, brand, shop, customer, plan=False) for _ in range(20)]

    async def plan(ids):
        async with context.sessions.begin() as session:
            await schedule_surveys(session, context.tokens, brand, ids, now=NOW)

    await asyncio.gather(*(plan(orders if turn % 2 else orders[::-1]) for turn in range(6)))
    async with context.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Survey)) == 20


async def test_a_large_batch_is_planned_in_one_call(context, brand, shop):
    customer = await make_customer(context, brand)
    first = await make_delivered_order(context, brand, shop, customer, plan=False)
    async with context.sessions.begin() as session:
        row = (await session.scalars(select(Order).where(Order.id == first))).one()
        columns = [
            column.name for column in Order.__table__.columns if column.name not in ("id", "external_id")
        ]
        copied = select(
            func.gen_random_uuid(),
            func.generate_series(1, 4000).cast(Order.__table__.c.external_id.type),
            *(getattr(Order, name) for name in columns),
        )
        await session.execute(
            Order.__table__.insert().from_select(
                ["id", "external_id", *columns], copied.where(Order.id == row.id)
            )
        )
        ids = (await session.scalars(select(Order.id))).all()
        await schedule_surveys(session, context.tokens, brand, [*ids, *ids[:10]], now=NOW)
        assert await session.scalar(select(func.count()).select_from(Survey)) == 4001


async def test_another_brands_orders_are_left_alone(context, brand, shop):
    from app.brands.add import add_brand

    order_id = await make_delivered_order(
        context, brand, shop, await make_customer(context, brand), plan=False
    )
    async with context.sessions.begin() as session:
        other = await add_brand(session, "other", name="Other")
        await schedule_surveys(session, context.tokens, other, [order_id], now=NOW)
        assert await session.scalar(select(func.count()).select_from(Survey)) == 0


async def test_an_erased_customer_gets_no_survey(context, brand, shop):
    sent = await sent_survey(context, brand, shop)
    planned = await make_delivered_order(context, brand, shop, sent.customer_id, delivered_at=NOW)
    for _ in range(2):
        async with context.sessions.begin() as session:
            await erase_responses(session, brand.id, [sent.customer_id])
    assert (await survey_of(context, brand, planned)).reason == "no_address"
    assert (await survey_of(context, brand, sent.order_id)).status == "expired"


async def test_a_deferral_remains_when_a_fact_is_repeated(context, brand, shop):
    customer = await make_customer(context, brand)
    order_id = await make_delivered_order(context, brand, shop, customer)
    async with context.sessions.begin() as session:
        await session.execute(update(Survey).values(due_at=NOW + DAY, deferred_reason="max_per_day"))
    await change_order(context, brand, order_id, fulfilled_at=NOW - 5 * DAY)
    survey = await survey_of(context, brand, order_id)
    assert (survey.due_at, survey.deferred_reason) == (NOW + DAY, "max_per_day")
    async with context.sessions.begin() as session:
        await session.execute(update(Survey).values(due_at=NOW - 2 * DAY))
    await change_order(context, brand, order_id, fulfilled_at=NOW - 5 * DAY)
    survey = await survey_of(context, brand, order_id)
    assert (survey.due_at, survey.deferred_reason) == (NOW - DAY, None)
