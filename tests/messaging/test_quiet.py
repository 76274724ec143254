"""The last look at the clock before a message leaves: whatever held it up, nobody is asked at
night."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from sqlalchemy import update

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.due import run_until_idle, sweep_once
from app.brands.add import change_programme
from app.brands.models import Brand, Shop
from app.brands.programme import Channel, Programme, QuietHours, SurveyTerms
from app.customers.models import ConsentFact, Customer
from app.messaging.queue import NewMessage, queue_messages
from app.messaging.rules import MessageStatus
from app.messaging.templates import TemplateSpec, customer_templates
from app.referrals.templates import OFFER, REWARD, OfferParams, RewardParams
from tests.support.constants import REFERRER_ID
from tests.support.factories.messages import messages, queue, the_message
from tests.support.fakes.scripted import Scripted, both, lose, refuse

EVENING = datetime(2026, 3, 10, 18, 50, tzinfo=UTC)
"""Ten to eight in Berlin: ten minutes before the quiet hours."""
NIGHT = EVENING + timedelta(minutes=15)
MORNING = datetime(2026, 3, 11, 8, tzinfo=UTC)
"""Nine in Berlin, when they end."""
OFFER_PARAMS = OfferParams("Ana", "ANA-7K4QX", "27k4qx9wm", "10 %", None, None, "2026-09-01", REFERRER_ID)
REWARD_PARAMS = RewardParams("Ana", "10.00 EUR", "credit", None, None, REFERRER_ID)


async def queue_texts(
    context: AppContext, brand: Brand, shop: Shop, count: int = 1, **changes: object
) -> list[NewMessage]:
    """Texts, by default surveys, to people who said yes to them."""
    wanted = await queue(context, brand, shop, count, channel=Channel.sms, due_at=EVENING, **changes)
    async with context.sessions.begin() as session:
        session.add_all(
            ConsentFact(
                brand_id=brand.id, customer_id=one.customer_id, channel=Channel.sms, given=True, at=EVENING
            )
            for one in wanted
        )
    return wanted


async def put_terms(context: AppContext, brand: Brand, quiet_hours: QuietHours | None) -> None:
    terms = Programme(survey=SurveyTerms(quiet_hours=quiet_hours))
    async with context.sessions.begin() as session:
        await change_programme(session, brand.id, terms, actor=cli_actor(brand.id))


async def put_countries(context: AppContext, brand: Brand, country: str, start: str, end: str) -> None:
    """Everybody lives in the country, and the brand keeps these quiet hours there."""
    rules = {country: {"quiet_hours": {"from": start, "to": end}}}
    async with context.sessions.begin() as session:
        await session.execute(update(Brand).where(Brand.id == brand.id).values(countries=rules))
        await session.execute(update(Customer).where(Customer.brand_id == brand.id).values(country=country))


async def test_a_survey_refused_in_the_evening_is_not_retried_in_quiet_hours(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop, due_at=EVENING)
    provider = Scripted([refuse(retry_after=900)])
    each = both(context, provider)
    await sweep_once(each, EVENING)
    assert (await the_message(context)).due_at == NIGHT
    assert await sweep_once(each, NIGHT) == 1, "it is deferred, and only once"
    message = await the_message(context)
    assert (message.status, message.due_at, message.attempts) == (MessageStatus.planned, MORNING, 1)
    assert await each.brands(NIGHT) == []
    assert await sweep_once(each, MORNING - timedelta(seconds=1)) == 0
    assert await run_until_idle([each], MORNING) == {"messages": 1}
    message = await the_message(context)
    assert (message.status, message.sent_at, len(provider.calls)) == (MessageStatus.accepted, MORNING, 2)


@pytest.mark.parametrize("channel", list(Channel))
async def test_a_survey_of_unknown_outcome_is_not_sent_again_in_quiet_hours(
    context: AppContext, brand: Brand, shop: Shop, channel: Channel
) -> None:
    await queue_texts(context, brand, shop) if channel is Channel.sms else await queue(
        context, brand, shop, due_at=EVENING
    )
    provider = Scripted([lose])
    each = both(context, provider)
    await sweep_once(each, EVENING)
    assert await sweep_once(each, NIGHT) == 1
    message = await the_message(context)
    assert (message.status, message.due_at, len(provider.calls)) == (MessageStatus.unknown, MORNING, 1)
    assert await each.brands(NIGHT) == []
    assert await sweep_once(each, MORNING) == 1
    message = await the_message(context)
    assert (message.status, message.possible_duplicate, len(provider.calls)) == (
        MessageStatus.accepted,
        True,
        2,
    )


async def test_messages_delayed_by_an_outage_wait_for_the_morning(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue_texts(context, brand, shop, 300)
    provider = Scripted()
    late = datetime(2026, 3, 10, 22, tzinfo=UTC)
    moved = await asyncio.gather(*(sweep_once(both(context, provider), late) for _ in range(3)))
    assert (sum(moved), provider.calls) == (300, []), "two workers at once defer each once"
    assert {(message.status, message.due_at) for message in await messages(context)} == {
        (MessageStatus.planned, MORNING)
    }
    assert await sweep_once(both(context, provider), MORNING) == 300
    assert set(provider.reached.values()) == {1}


@pytest.mark.parametrize(("template", "template_params"), [(OFFER, OFFER_PARAMS), (REWARD, REWARD_PARAMS)])
async def test_offers_and_rewards_leave_at_night_by_mail_and_in_the_morning_by_text(
    context: AppContext,
    brand: Brand,
    shop: Shop,
    template: TemplateSpec,
    template_params: OfferParams | RewardParams,
) -> None:
    (text,) = await queue_texts(
        context, brand, shop, template=template, template_params=template_params, at_once=True
    )
    async with context.sessions.begin() as session:
        mail = replace(text, channel=Channel.email, address="person0@example.com")
        await queue_messages(session, brand.id, [mail])
    provider = Scripted()
    assert await sweep_once(both(context, provider), NIGHT) == 2
    assert list(provider.reached) == ["person0@example.com"]
    found = {message.channel: message for message in await messages(context)}
    assert found[Channel.email].status is MessageStatus.accepted
    assert (found[Channel.sms].due_at, found[Channel.sms].at_once) == (MORNING, False)
    assert await sweep_once(both(context, provider), MORNING) == 1


async def test_a_lost_offer_due_at_once_is_sent_again_whatever_time_the_sweep_is_run_at(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    later = NIGHT + timedelta(days=90)
    await queue(
        context, brand, shop, template=OFFER, template_params=OFFER_PARAMS, at_once=True, due_at=later
    )
    provider = Scripted([lose])
    await sweep_once(both(context, provider), EVENING)
    assert await sweep_once(both(context, provider), NIGHT) == 1
    assert (await the_message(context)).status is MessageStatus.accepted


@pytest.mark.parametrize(
    ("country", "start", "end", "at", "until"),
    [
        ("FR", "18:00", "10:00", EVENING, MORNING + timedelta(hours=1)),
        ("FR", "23:00", "06:00", NIGHT, MORNING),
    ],
)
async def test_a_country_narrows_the_day_and_never_widens_it(
    context: AppContext,
    brand: Brand,
    shop: Shop,
    country: str,
    start: str,
    end: str,
    at: datetime,
    until: datetime,
) -> None:
    await queue(context, brand, shop, due_at=EVENING)
    await put_countries(context, brand, country, start, end)
    assert await sweep_once(both(context, Scripted()), at) == 1
    assert (await the_message(context)).due_at == until
    assert await sweep_once(both(context, Scripted()), until) == 1
    assert (await the_message(context)).status is MessageStatus.accepted


async def test_the_clock_is_the_customers_before_it_is_the_shops(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop, 2, due_at=EVENING)
    async with context.sessions.begin() as session:
        away = update(Customer).where(Customer.email == "person1@example.com")
        await session.execute(away.values(time_zone="America/New_York"))
    provider = Scripted()
    assert await sweep_once(both(context, provider), NIGHT) == 2
    assert list(provider.reached) == ["person1@example.com"]


async def test_the_terms_in_force_set_the_quiet_hours(context: AppContext, brand: Brand, shop: Shop) -> None:
    await queue(context, brand, shop, due_at=EVENING)
    await put_terms(context, brand, QuietHours(from_=time(19), to=time(7)))
    assert await sweep_once(both(context, Scripted()), EVENING) == 1
    assert (await the_message(context)).due_at == MORNING - timedelta(hours=2)


async def test_without_quiet_hours_a_survey_goes_at_any_time(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop, due_at=EVENING)
    await put_terms(context, brand, None)
    assert await sweep_once(both(context, Scripted()), NIGHT) == 1
    assert (await the_message(context)).status is MessageStatus.accepted


async def test_suppressed_recipients_are_dropped_in_quiet_hours_too(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop, channel=Channel.sms, address="+4915112345000", due_at=EVENING)
    assert await sweep_once(both(context, Scripted()), NIGHT) == 1
    message = await the_message(context)
    assert (message.status, message.reason) == (MessageStatus.suppressed, "no_consent")


def test_only_offers_rewards_and_replies_by_mail_go_to_customers_at_any_hour() -> None:
    any_hour = {
        (template.name, channel)
        for template in customer_templates()
        for channel in template.channels - template.quiet_hours
    }
    assert any_hour == {(name, Channel.email) for name in ("offer", "reward", "reply")}
