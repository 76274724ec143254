import asyncio
from datetime import timedelta

from sqlalchemy import update

from app.base.due import run_until_idle, sweep_once
from app.messaging.models import Message
from app.surveys.confirm import confirm_sent
from app.surveys.models import Survey
from app.surveys.sweep import sweep
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.orders import make_delivered_order
from tests.support.factories.surveys import advance, deliver, messages_of, survey_of
from tests.support.fakes.scripted import Scripted, both, refuse

DAY = timedelta(days=1)


async def test_a_survey_is_sent_once_a_provider_has_accepted_it(context, brand, shop):
    order_id = await make_delivered_order(context, brand, shop, await make_customer(context, brand))
    await advance(context)
    queued = await survey_of(context, brand, order_id)
    assert (queued.status, queued.queued_at, queued.sent_at) == ("queued", NOW, None)
    # Where the acceptance is recorded: no sweep of surveys has run since.
    await sweep_once(both(context, Scripted()), NOW)
    sent = await survey_of(context, brand, order_id)
    assert (sent.status, sent.queued_at, sent.sent_at) == ("sent", NOW, NOW)


async def test_reminder_and_expiry_count_from_the_acceptance(context, brand, shop):
    order_id = await make_delivered_order(context, brand, shop, await make_customer(context, brand))
    await advance(context)
    later = NOW + timedelta(hours=5)
    await deliver(context, later)
    sent = await survey_of(context, brand, order_id)
    assert (sent.sent_at, sent.reminder_due_at, sent.expires_at) == (later, later + 4 * DAY, later + 30 * DAY)


async def test_a_refused_survey_stays_queued_without_reminders_until_it_expires(context, brand, shop):
    order_id = await make_delivered_order(context, brand, shop, await make_customer(context, brand))
    sweeps = [sweep(context), both(context, Scripted([refuse(permanent=True)]))]
    await run_until_idle(sweeps, NOW)
    await run_until_idle(sweeps, NOW + 10 * DAY)
    assert (await survey_of(context, brand, order_id)).status == "queued"
    assert [(it.template, it.status) for it in await messages_of(context, brand)] == [("survey", "failed")]
    await advance(context, NOW + 30 * DAY)
    expired = await survey_of(context, brand, order_id)
    assert (expired.status, expired.sent_at) == ("expired", None)


async def test_a_survey_that_is_locked_when_its_message_is_accepted_is_marked_by_the_sweep(
    context, brand, shop
):
    order_ids = [
        await make_delivered_order(context, brand, shop, await make_customer(context, brand))
        for _ in range(2)
    ]
    await advance(context)
    provider = both(context, Scripted())
    async with context.sessions.begin() as session:
        locked = await session.get(
            Survey, (brand.id, (await survey_of(context, brand, order_ids[0])).id), with_for_update=True
        )
        # Whoever has the survey may wait for its message: recording must not wait for the survey.
        await asyncio.wait_for(sweep_once(provider, NOW), 20)
        assert locked is not None
        statuses = [(await survey_of(context, brand, order_id)).status for order_id in order_ids]
        assert statuses == ["queued", "sent"]
    await sweep_once(sweep(context), NOW)
    found = await survey_of(context, brand, order_ids[0])
    assert (found.status, found.sent_at) == ("sent", NOW)


async def test_concurrent_sweeps_confirm_each_survey_once(context, brand, shop):
    orders = [
        await make_delivered_order(context, brand, shop, await make_customer(context, brand))
        for _ in range(6)
    ]
    await advance(context)
    async with context.sessions.begin() as session:
        await session.execute(update(Message).values(status="accepted", sent_at=NOW))

    async def confirm() -> int:
        async with context.sessions.begin() as session:
            return await confirm_sent(session, context.tokens, brand.id, now=NOW)

    assert sum(await asyncio.gather(*(confirm() for _ in range(4)))) == 6
    surveys = [await survey_of(context, brand, order_id) for order_id in orders]
    assert {(survey.status, survey.expires_at) for survey in surveys} == {("sent", NOW + 30 * DAY)}
