import asyncio
from datetime import timedelta
from itertools import permutations

import pytest
from conftest import NOW
from sqlalchemy import func, select, update
from surveying import advance, change_order, make_customer, make_order, messages_of, sent_survey, set_terms, survey_of

from app.brands.programme import Channel
from app.customers.models import Consent
from app.orders.models import Order
from app.surveys.erase import erase_responses
from app.surveys.models import Survey
from app.surveys.schedule import reconsider, schedule_surveys

DAY = timedelta(days=1)


async def test_a_delivered_order_is_planned_three_days_later(ground, brand, shop):
    order_id = await make_order(ground, brand, shop, await make_customer(ground, brand))
    survey = await survey_of(ground, brand, order_id)
    assert (survey.status, survey.channel, survey.due_at) == ("planned", Channel.email, NOW - DAY)
    assert survey.triggered_at == NOW - 4 * DAY


@pytest.mark.parametrize(
    ("customer", "order", "terms", "reason"),
    [
        ({"email": None}, {}, {}, "no_address"),
        ({"country": "DE"}, {}, {}, "no_consent"),
        ({"consents": {Channel.email: False}}, {}, {}, "no_consent"),
        ({}, {"test": True}, {}, "excluded"),
        ({}, {"history": True}, {}, "excluded"),
        ({}, {"cancelled_at": NOW}, {}, "cancelled"),
        ({}, {"refunded": 8000}, {}, "refunded"),
        ({}, {"delivered_at": NOW - 34 * DAY}, {}, "too_late"),
        ({}, {}, {"asking": False}, "not_asking"),
        ({}, {}, {"survey": {"sample_percent": 0}}, "sampled_out"),
        ({}, {"total": 1999}, {"survey": {"exclude": {"below_total": "20.00"}}}, "excluded"),
        ({}, {"currency": "JPY", "total": 80}, {"survey": {"exclude": {"below_total": "81"}}}, "excluded"),
    ],
)
async def test_an_order_that_is_not_surveyed_says_why(ground, brand, shop, customer, order, terms, reason):
    await set_terms(ground, brand, terms)
    order_id = await make_order(ground, brand, shop, await make_customer(ground, brand, **customer), **order)
    survey = await survey_of(ground, brand, order_id)
    assert (survey.status, survey.reason, survey.due_at) == ("skipped", reason, None)


async def test_an_order_of_nobody_has_no_address(ground, brand, shop):
    survey = await survey_of(ground, brand, await make_order(ground, brand, shop, None))
    assert (survey.status, survey.reason) == ("skipped", "no_address")


async def test_a_partly_refunded_order_is_still_surveyed(ground, brand, shop):
    order_id = await make_order(ground, brand, shop, await make_customer(ground, brand), refunded=7999)
    assert (await survey_of(ground, brand, order_id)).status == "planned"


async def test_a_delivery_moves_a_survey_that_waited_for_it(ground, brand, shop):
    order_id = await make_order(ground, brand, shop, await make_customer(ground, brand), delivered_at=None)
    assert (await survey_of(ground, brand, order_id)).due_at == NOW + 7 * DAY
    await change_order(ground, brand, order_id, delivered_at=NOW)
    assert (await survey_of(ground, brand, order_id)).due_at == NOW + 3 * DAY


async def test_the_order_in_which_facts_come_does_not_matter(ground, brand, shop):
    facts = [{"fulfilled_at": NOW - DAY}, {"delivered_at": NOW}, {"refunded": 2000}]
    customer = await make_customer(ground, brand)
    plans = set()
    for order in permutations(facts):
        order_id = await make_order(ground, brand, shop, customer, delivered_at=None)
        for fact in order:
            await change_order(ground, brand, order_id, **fact)
            await change_order(ground, brand, order_id, **fact)
        survey = await survey_of(ground, brand, order_id)
        plans.add((survey.status, survey.reason, survey.channel, survey.triggered_at, survey.due_at, survey.deferred_reason))
    assert len(plans) == 1


async def test_a_late_paid_event_before_a_fresh_delivery_is_not_too_late_for_ever(ground, brand, shop):
    order_id = await make_order(
        ground, brand, shop, await make_customer(ground, brand), paid_at=NOW - 60 * DAY, placed_at=NOW - 60 * DAY, delivered_at=None
    )
    assert (await survey_of(ground, brand, order_id)).reason == "too_late"
    await change_order(ground, brand, order_id, delivered_at=NOW - DAY)
    assert (await survey_of(ground, brand, order_id)).status == "planned"


@pytest.mark.parametrize(("fact", "reason"), [({"cancelled_at": NOW}, "cancelled"), ({"refunded": 8000}, "refunded")])
async def test_a_planned_survey_is_skipped_when_the_order_is_taken_back(ground, brand, shop, fact, reason):
    order_id = await make_order(ground, brand, shop, await make_customer(ground, brand))
    await change_order(ground, brand, order_id, **fact)
    survey = await survey_of(ground, brand, order_id)
    assert (survey.status, survey.reason, survey.due_at) == ("skipped", reason, None)
    assert await advance(ground) == 0
    assert await messages_of(ground, brand) == []


async def test_a_sent_survey_is_not_followed_up_when_the_order_is_taken_back(ground, brand, shop):
    survey = await sent_survey(ground, brand, shop)
    await change_order(ground, brand, survey.order_id, cancelled_at=NOW)
    after = await survey_of(ground, brand, survey.order_id)
    assert (after.status, after.reminder_due_at, after.due_at) == ("sent", None, survey.due_at)
    assert [message.status for message in await messages_of(ground, brand)] == ["cancelled"]


async def test_a_skip_that_no_fact_can_undo_stays(ground, brand, shop):
    await set_terms(ground, brand, {"asking": False})
    order_id = await make_order(ground, brand, shop, await make_customer(ground, brand))
    await set_terms(ground, brand, {})
    await change_order(ground, brand, order_id, fulfilled_at=NOW)
    assert (await survey_of(ground, brand, order_id)).reason == "not_asking"


async def test_a_consent_given_later_lets_the_survey_be_planned(ground, brand, shop):
    customer = await make_customer(ground, brand, country="DE")
    order_id = await make_order(ground, brand, shop, customer)
    async with ground.sessions.begin() as session:
        session.add(Consent(brand_id=brand.id, customer_id=customer, channel=Channel.email, given=True, at=NOW))
        await session.flush()
        await reconsider(session, ground.tokens, brand, [customer], now=NOW)
    assert (await survey_of(ground, brand, order_id)).status == "planned"


async def test_concurrent_calls_leave_one_survey_an_order(ground, brand, shop):
    customer = await make_customer(ground, brand)
    orders = [await make_order(ground, brand, shop, customer, plan=False) for _ in range(20)]

    async def plan(ids):
        async with ground.sessions.begin() as session:
            await schedule_surveys(session, ground.tokens, brand, ids, now=NOW)

    await asyncio.gather(*(plan(orders if turn % 2 else orders[::-1]) for turn in range(6)))
    async with ground.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Survey)) == 20


async def test_a_large_batch_is_planned_in_one_call(ground, brand, shop):
    customer = await make_customer(ground, brand)
    first = await make_order(ground, brand, shop, customer, plan=False)
    async with ground.sessions.begin() as session:
        row = (await session.scalars(select(Order).where(Order.id == first))).one()
        columns = [column.name for column in Order.__table__.columns if column.name not in ("id", "external_id")]
        copied = select(
            func.gen_random_uuid(),
            func.generate_series(1, 4000).cast(Order.__table__.c.external_id.type),
            *(getattr(Order, name) for name in columns),
        )
        await session.execute(
            Order.__table__.insert().from_select(["id", "external_id", *columns], copied.where(Order.id == row.id))
        )
        ids = (await session.scalars(select(Order.id))).all()
        await schedule_surveys(session, ground.tokens, brand, [*ids, *ids[:10]], now=NOW)
        assert await session.scalar(select(func.count()).select_from(Survey)) == 4001


async def test_another_brands_orders_are_left_alone(ground, brand, shop):
    from app.brands.add import add_brand

    order_id = await make_order(ground, brand, shop, await make_customer(ground, brand), plan=False)
    async with ground.sessions.begin() as session:
        other = await add_brand(session, "other", name="Other")
        await schedule_surveys(session, ground.tokens, other, [order_id], now=NOW)
        assert await session.scalar(select(func.count()).select_from(Survey)) == 0


async def test_an_erased_person_is_asked_nothing_more(ground, brand, shop):
    sent = await sent_survey(ground, brand, shop)
    planned = await make_order(ground, brand, shop, sent.customer_id, delivered_at=NOW)
    for _ in range(2):
        async with ground.sessions.begin() as session:
            await erase_responses(session, brand.id, [sent.customer_id])
    assert (await survey_of(ground, brand, planned)).reason == "no_address"
    assert (await survey_of(ground, brand, sent.order_id)).status == "expired"


async def test_a_deferral_stands_when_a_fact_is_repeated(ground, brand, shop):
    order_id = await make_order(ground, brand, shop, await make_customer(ground, brand))
    async with ground.sessions.begin() as session:
        await session.execute(update(Survey).values(due_at=NOW + DAY, deferred_reason="max_per_day"))
    await change_order(ground, brand, order_id, fulfilled_at=NOW - 5 * DAY)
    survey = await survey_of(ground, brand, order_id)
    assert (survey.due_at, survey.deferred_reason) == (NOW + DAY, "max_per_day")
    await change_order(ground, brand, order_id, delivered_at=NOW - 2 * DAY)
    survey = await survey_of(ground, brand, order_id)
    assert (survey.due_at, survey.deferred_reason) == (NOW + DAY, None)
