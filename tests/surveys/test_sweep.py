import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from app.base.turns import Busy
from app.brands.programme import Channel
from app.customers.models import ConsentFact
from app.surveys.models import Survey
from app.surveys.send import send_due
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.orders import change_order, make_delivered_order
from tests.support.factories.programme import set_terms
from tests.support.factories.surveys import advance, messages_of, sent_survey, survey_of

DAY = timedelta(days=1)


async def test_a_due_survey_is_sent_with_what_reminds_of_the_order(context, brand, shop):
    survey = await sent_survey(context, brand, shop)
    assert (survey.sent_at, survey.expires_at, survey.reminder_due_at) == (NOW, NOW + 30 * DAY, NOW + 4 * DAY)
    (message,) = await messages_of(context, brand)
    assert (message.template, message.subject_id, message.channel, message.due_at) == (
        "survey",
        survey.id,
        "email",
        NOW,
    )
    assert message.template_params == {
        "first_name": "Ana",
        "item_title": "Linen shirt",
        "order_number": "1042",
        "ordered_on": "2026-03-03",
    }


async def test_what_is_not_due_is_not_sent(context, brand, shop):
    order_id = await make_delivered_order(
        context, brand, shop, await make_customer(context, brand), delivered_at=NOW
    )
    assert await advance(context) == 0
    assert await advance(context, NOW + 3 * DAY - timedelta(seconds=1)) == 0
    assert await advance(context, NOW + 3 * DAY) == 1
    assert (await survey_of(context, brand, order_id)).status == "queued"


async def test_a_text_goes_to_who_allowed_it_and_has_no_mail(context, brand, shop):
    await set_terms(context, brand, {"survey": {"channels": ["email", "sms"]}})
    customer = await make_customer(
        context, brand, email=None, phone="+4915112345678", consents={Channel.sms: True}
    )
    survey = await survey_of(context, brand, await make_delivered_order(context, brand, shop, customer))
    assert survey.channel is Channel.sms
    await advance(context)
    (message,) = await messages_of(context, brand)
    assert (message.channel, message.address) == (Channel.sms, "+4915112345678")


async def test_a_consent_withdrawn_before_sending_counts(context, brand, shop):
    customer = await make_customer(context, brand)
    order_id = await make_delivered_order(context, brand, shop, customer)
    async with context.sessions.begin() as session:
        session.add(
            ConsentFact(brand_id=brand.id, customer_id=customer, channel=Channel.email, given=False, at=NOW)
        )
    await advance(context)
    survey = await survey_of(context, brand, order_id)
    assert (survey.status, survey.reason) == ("skipped", "no_consent")
    assert await messages_of(context, brand) == []


async def test_disabled_surveys_skip_what_is_due(context, brand, shop):
    order_id = await make_delivered_order(context, brand, shop, await make_customer(context, brand))
    await set_terms(context, brand, {"surveys_enabled": False})
    await advance(context)
    assert (await survey_of(context, brand, order_id)).reason == "surveys_disabled"


async def test_a_survey_that_waited_too_long_is_skipped(context, brand, shop):
    order_id = await make_delivered_order(context, brand, shop, await make_customer(context, brand))
    await advance(context, NOW + 29 * DAY + timedelta(seconds=1))
    assert (await survey_of(context, brand, order_id)).reason == "too_late"


async def test_no_survey_leaves_in_quiet_hours(context, brand, shop):
    order_id = await make_delivered_order(context, brand, shop, await make_customer(context, brand))
    night = datetime(2026, 3, 10, 22, 30, tzinfo=UTC)
    assert await advance(context, night) == 1
    survey = await survey_of(context, brand, order_id)
    assert (survey.status, survey.due_at, survey.deferred_reason) == (
        "planned",
        datetime(2026, 3, 11, 8, tzinfo=UTC),
        "quiet_hours",
    )
    assert await advance(context, night) == 0
    await advance(context, datetime(2026, 3, 11, 8, tzinfo=UTC))
    assert (await survey_of(context, brand, order_id)).status == "queued"


async def test_quiet_hours_follow_the_customers_time_zone(context, brand, shop):
    customer = await make_customer(context, brand, time_zone="America/Los_Angeles", country="US")
    order_id = await make_delivered_order(context, brand, shop, customer)
    await advance(context)
    assert (await survey_of(context, brand, order_id)).due_at == datetime(2026, 3, 10, 16, tzinfo=UTC)


async def test_a_customer_is_surveyed_once_in_the_recontact_time(context, brand, shop):
    first = await sent_survey(context, brand, shop)
    second = await make_delivered_order(context, brand, shop, first.customer_id)
    await advance(context)
    assert (await survey_of(context, brand, second)).reason == "recontact"


async def test_a_second_survey_waits_where_the_window_ends_in_time(context, brand, shop):
    await set_terms(context, brand, {"survey": {"recontact_days": 10}})
    first = await sent_survey(context, brand, shop)
    second = await make_delivered_order(context, brand, shop, first.customer_id)
    await advance(context)
    survey = await survey_of(context, brand, second)
    assert (survey.status, survey.due_at, survey.deferred_reason) == ("planned", NOW + 10 * DAY, "recontact")
    await advance(context, NOW + 10 * DAY)
    assert (await survey_of(context, brand, second)).status == "queued"


async def test_two_orders_of_one_customer_in_one_batch_get_one_survey(context, brand, shop):
    customer = await make_customer(context, brand)
    orders = [await make_delivered_order(context, brand, shop, customer) for _ in range(3)]
    await advance(context)
    assert sorted([(await survey_of(context, brand, order)).status for order in orders]) == [
        "queued",
        "skipped",
        "skipped",
    ]


async def test_concurrent_sweeps_survey_a_customer_once(context, brand, shop):
    customers = [await make_customer(context, brand) for _ in range(8)]
    orders = [
        await make_delivered_order(context, brand, shop, customer) for customer in customers for _ in range(3)
    ]

    async def turn() -> None:
        async with context.sessions.begin() as session:
            await send_due(session, context.tokens, brand.id, now=NOW)

    await asyncio.gather(*(turn() for _ in range(6)))
    await advance(context)
    statuses = [(await survey_of(context, brand, order)).status for order in orders]
    assert (statuses.count("queued"), statuses.count("skipped")) == (8, 16)
    assert len(await messages_of(context, brand)) == 8


async def test_a_sweep_does_not_wait_for_a_customer_whom_another_holds(context, brand, shop):
    in_review, free = [await make_customer(context, brand) for _ in range(2)]
    waiting = await make_delivered_order(context, brand, shop, in_review)
    other = await make_delivered_order(context, brand, shop, free)
    async with context.sessions.begin() as session:
        await session.execute(select(Survey.id).where(Survey.order_id == waiting).with_for_update())
        async with asyncio.timeout(5):
            await advance(context)
    assert (await survey_of(context, brand, other)).status == "queued"
    assert (await survey_of(context, brand, waiting)).status == "planned"
    await advance(context)
    assert (await survey_of(context, brand, waiting)).status == "queued"


async def test_the_days_most_holds_under_concurrent_sweeps_and_the_rest_is_put_off(context, brand, shop):
    await set_terms(context, brand, {"survey": {"max_per_day": 3}})
    orders = [
        await make_delivered_order(context, brand, shop, await make_customer(context, brand))
        for _ in range(8)
    ]

    async def turn() -> None:
        # Who finds the day's count taken leaves what is due to the other.
        with suppress(Busy):
            async with context.sessions.begin() as session:
                await send_due(session, context.tokens, brand.id, now=NOW)

    await asyncio.gather(*(turn() for _ in range(4)))
    assert await advance(context) == 0
    surveys = [await survey_of(context, brand, order) for order in orders]
    assert [survey.status for survey in surveys].count("queued") == 3
    put_off = {(survey.due_at, survey.deferred_reason) for survey in surveys if survey.status == "planned"}
    # Midnight in Berlin is quiet, so the next day begins at nine.
    assert put_off == {(datetime(2026, 3, 11, 8, tzinfo=UTC), "max_per_day")}
    for day in (1, 2):
        await advance(context, NOW + day * DAY)
    assert {(await survey_of(context, brand, order)).status for order in orders} == {"queued"}


async def test_a_daily_limit_of_zero_sends_no_survey(context, brand, shop):
    await set_terms(context, brand, {"survey": {"max_per_day": 0}})
    order_id = await make_delivered_order(context, brand, shop, await make_customer(context, brand))
    assert await advance(context) == 1
    assert (await survey_of(context, brand, order_id)).deferred_reason == "max_per_day"


async def test_a_customer_without_a_response_is_reminded_once(context, brand, shop):
    survey = await sent_survey(context, brand, shop)
    assert await advance(context, NOW + 4 * DAY - timedelta(seconds=1)) == 0
    assert await advance(context, NOW + 4 * DAY) == 1
    assert await advance(context, NOW + 20 * DAY) == 0
    after = await survey_of(context, brand, survey.order_id)
    assert (after.reminders_sent, after.reminder_due_at) == (1, None)
    assert [(one.template, one.step) for one in await messages_of(context, brand)] == [
        ("survey", 0),
        ("reminder", 1),
    ]


async def test_reminders_are_sent_as_often_as_the_terms_set(context, brand, shop):
    await set_terms(context, brand, {"survey": {"max_reminders": 3, "reminder_after_hours": 24}})
    await sent_survey(context, brand, shop)
    for day in range(1, 7):
        await advance(context, NOW + day * DAY)
    assert [one.step for one in await messages_of(context, brand)] == [0, 1, 2, 3]


async def test_a_reminder_keeps_quiet_hours_too(context, brand, shop):
    survey = await sent_survey(context, brand, shop)
    night = datetime(2026, 3, 14, 22, tzinfo=UTC)
    assert await advance(context, night) == 1
    assert await advance(context, night) == 0
    assert (await survey_of(context, brand, survey.order_id)).reminder_due_at == datetime(
        2026, 3, 15, 8, tzinfo=UTC
    )


@pytest.mark.parametrize("fact", [{"cancelled_at": NOW}, {"refunded": 8000}])
async def test_no_reminder_for_a_cancelled_order(context, brand, shop, fact):
    survey = await sent_survey(context, brand, shop)
    await change_order(context, brand, survey.order_id, **fact)
    await advance(context, NOW + 4 * DAY)
    assert [one.template for one in await messages_of(context, brand)] == ["survey"]


async def test_who_unsubscribed_is_not_reminded(context, brand, shop):
    survey = await sent_survey(context, brand, shop)
    async with context.sessions.begin() as session:
        session.add(
            ConsentFact(
                brand_id=brand.id, customer_id=survey.customer_id, channel=Channel.email, given=False, at=NOW
            )
        )
    await advance(context, NOW + 4 * DAY)
    assert (await survey_of(context, brand, survey.order_id)).reminder_due_at is None
    assert len(await messages_of(context, brand)) == 1


async def test_an_unanswered_survey_expires(context, brand, shop):
    survey = await sent_survey(context, brand, shop)
    await advance(context, NOW + 30 * DAY - timedelta(seconds=1))
    assert (await survey_of(context, brand, survey.order_id)).status == "sent"
    await advance(context, NOW + 30 * DAY)
    assert (await survey_of(context, brand, survey.order_id)).status == "expired"


async def test_a_batch_takes_the_same_number_of_queries_however_many_are_due(context, brand, shop):
    from sqlalchemy import event

    counts = []
    for many in (2, 30):
        for _ in range(many):
            await make_delivered_order(context, brand, shop, await make_customer(context, brand))
        seen = []

        def count(*_args: object, seen: list = seen) -> None:
            seen.append(1)

        event.listen(context.engine.sync_engine, "before_cursor_execute", count)
        async with context.sessions.begin() as session:
            assert await send_due(session, context.tokens, brand.id, now=NOW) == many
        event.remove(context.engine.sync_engine, "before_cursor_execute", count)
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 16


async def test_more_than_a_batch_is_worked_off(context, brand, shop):
    from app.base.ids import new_id
    from app.customers.models import Customer
    from app.orders.models import Order
    from app.surveys.schedule import schedule_surveys

    first = await make_delivered_order(context, brand, shop, await make_customer(context, brand), plan=False)
    async with context.sessions.begin() as session:
        row = (await session.scalars(select(Order).where(Order.id == first))).one()
        shared = {column.name: getattr(row, column.name) for column in Order.__table__.columns}
        people = [
            {"brand_id": brand.id, "id": new_id(), "email": f"p{number}@example.com", "country": "FR"}
            for number in range(1100)
        ]
        await session.execute(Customer.__table__.insert(), people)
        orders = [
            shared | {"id": new_id(), "external_id": person["email"], "customer_id": person["id"]}
            for person in people
        ]
        await session.execute(Order.__table__.insert(), orders)
        await schedule_surveys(session, context.tokens, brand, [order["id"] for order in orders], now=NOW)
    assert await advance(context) == 1100
    async with context.sessions() as session:
        assert await session.scalar(select(func.count()).where(Survey.status == "queued")) == 1100
