"""The last look at the clock before a message leaves: whatever held it up, nobody is asked at night."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from sqlalchemy import update
from test_messaging_deliver import Scripted, both, lose, messages, queue, refuse, the_message

from app.base.due import run_until_idle, sweep_once
from app.base.web import Ground
from app.brands.add import change_programme
from app.brands.models import Brand, Shop
from app.brands.programme import Channel, Programme, QuietHours, SurveyTerms
from app.customers.models import Consent, Customer
from app.messaging.queue import Wanted, queue_messages
from app.messaging.rules import MessageStatus, Template, waits_for_day
from app.messaging.templates import Filling, OfferFilling, RewardFilling

EVENING = datetime(2026, 3, 10, 18, 50, tzinfo=UTC)
"""Ten to eight in Berlin: ten minutes before the quiet hours."""
NIGHT = EVENING + timedelta(minutes=15)
MORNING = datetime(2026, 3, 11, 8, tzinfo=UTC)
"""Nine in Berlin, when they end."""
OFFER = OfferFilling("Ana", "ANA-7K4QX", "27k4qx9wm", "10 %", None, None, "2026-09-01")
REWARD = RewardFilling("Ana", "10.00 EUR", "credit", None)


async def queue_texts(ground: Ground, brand: Brand, shop: Shop, count: int = 1, **changes: object) -> list[Wanted]:
    """Texts, by default surveys, to people who said yes to them."""
    wanted = await queue(ground, brand, shop, count, channel=Channel.sms, due_at=EVENING, **changes)
    async with ground.sessions.begin() as session:
        session.add_all(
            Consent(brand_id=brand.id, customer_id=one.customer_id, channel=Channel.sms, given=True, at=EVENING) for one in wanted
        )
    return wanted


async def put_terms(ground: Ground, brand: Brand, quiet_hours: QuietHours | None) -> None:
    terms = Programme(survey=SurveyTerms(quiet_hours=quiet_hours))
    async with ground.sessions.begin() as session:
        await change_programme(session, brand.id, terms, author="a test")


async def put_countries(ground: Ground, brand: Brand, country: str, start: str, end: str) -> None:
    """Everybody lives in the country, and the brand keeps these quiet hours there."""
    rules = {country: {"quiet_hours": {"from": start, "to": end}}}
    async with ground.sessions.begin() as session:
        await session.execute(update(Brand).where(Brand.id == brand.id).values(countries=rules))
        await session.execute(update(Customer).where(Customer.brand_id == brand.id).values(country=country))


async def test_a_survey_refused_in_the_evening_is_not_tried_again_at_night(ground: Ground, brand: Brand, shop: Shop) -> None:
    await queue(ground, brand, shop, due_at=EVENING)
    carrier = Scripted([refuse(retry_after=900)])
    each = both(ground, carrier)
    await sweep_once(each, EVENING)
    assert (await the_message(ground)).due_at == NIGHT
    assert await sweep_once(each, NIGHT) == 1, "it is put off, and only once"
    message = await the_message(ground)
    assert (message.status, message.due_at, message.attempts) == (MessageStatus.planned, MORNING, 1)
    assert await each.brands(NIGHT) == []
    assert await sweep_once(each, MORNING - timedelta(seconds=1)) == 0
    assert await run_until_idle([each], MORNING) == {"messages": 1}
    message = await the_message(ground)
    assert (message.status, message.sent_at, len(carrier.calls)) == (MessageStatus.accepted, MORNING, 2)


@pytest.mark.parametrize("channel", list(Channel))
async def test_a_question_of_unknown_outcome_is_not_sent_again_at_night(
    ground: Ground, brand: Brand, shop: Shop, channel: Channel
) -> None:
    await queue_texts(ground, brand, shop) if channel is Channel.sms else await queue(ground, brand, shop, due_at=EVENING)
    carrier = Scripted([lose])
    each = both(ground, carrier)
    await sweep_once(each, EVENING)
    assert await sweep_once(each, NIGHT) == 1
    message = await the_message(ground)
    assert (message.status, message.due_at, len(carrier.calls)) == (MessageStatus.unknown, MORNING, 1)
    assert await each.brands(NIGHT) == []
    assert await sweep_once(each, MORNING) == 1
    message = await the_message(ground)
    assert (message.status, message.possible_duplicate, len(carrier.calls)) == (MessageStatus.accepted, True, 2)


async def test_what_an_outage_held_up_waits_for_the_morning(ground: Ground, brand: Brand, shop: Shop) -> None:
    await queue_texts(ground, brand, shop, 300)
    carrier = Scripted()
    late = datetime(2026, 3, 10, 22, tzinfo=UTC)
    moved = await asyncio.gather(*(sweep_once(both(ground, carrier), late) for _ in range(3)))
    assert (sum(moved), carrier.calls) == (300, []), "two workers at once put each off once"
    assert {(message.status, message.due_at) for message in await messages(ground)} == {(MessageStatus.planned, MORNING)}
    assert await sweep_once(both(ground, carrier), MORNING) == 300
    assert set(carrier.reached.values()) == {1}


@pytest.mark.parametrize(("template", "filling"), [(Template.offer, OFFER), (Template.reward, REWARD)])
async def test_offers_and_rewards_go_at_night_by_mail_and_in_the_morning_by_text(
    ground: Ground, brand: Brand, shop: Shop, template: Template, filling: Filling
) -> None:
    (text,) = await queue_texts(ground, brand, shop, template=template, filling=filling, at_once=True)
    async with ground.sessions.begin() as session:
        mail = replace(text, channel=Channel.email, address="person0@example.com")
        await queue_messages(session, brand.id, [mail])
    carrier = Scripted()
    assert await sweep_once(both(ground, carrier), NIGHT) == 2
    assert list(carrier.reached) == ["person0@example.com"]
    found = {message.channel: message for message in await messages(ground)}
    assert found[Channel.email].status is MessageStatus.accepted
    assert (found[Channel.sms].due_at, found[Channel.sms].at_once) == (MORNING, False)
    assert await sweep_once(both(ground, carrier), MORNING) == 1


async def test_a_lost_offer_due_at_once_is_sent_again_whatever_time_the_sweep_is_run_at(
    ground: Ground, brand: Brand, shop: Shop
) -> None:
    later = NIGHT + timedelta(days=90)
    await queue(ground, brand, shop, template=Template.offer, filling=OFFER, at_once=True, due_at=later)
    carrier = Scripted([lose])
    await sweep_once(both(ground, carrier), EVENING)
    assert await sweep_once(both(ground, carrier), NIGHT) == 1
    assert (await the_message(ground)).status is MessageStatus.accepted


@pytest.mark.parametrize(
    ("country", "start", "end", "at", "until"),
    [
        ("FR", "18:00", "10:00", EVENING, MORNING + timedelta(hours=1)),
        ("FR", "23:00", "06:00", NIGHT, MORNING),
    ],
)
async def test_a_country_narrows_the_day_and_never_widens_it(
    ground: Ground, brand: Brand, shop: Shop, country: str, start: str, end: str, at: datetime, until: datetime
) -> None:
    await queue(ground, brand, shop, due_at=EVENING)
    await put_countries(ground, brand, country, start, end)
    assert await sweep_once(both(ground, Scripted()), at) == 1
    assert (await the_message(ground)).due_at == until
    assert await sweep_once(both(ground, Scripted()), until) == 1
    assert (await the_message(ground)).status is MessageStatus.accepted


async def test_the_clock_is_the_customers_before_it_is_the_shops(ground: Ground, brand: Brand, shop: Shop) -> None:
    await queue(ground, brand, shop, 2, due_at=EVENING)
    async with ground.sessions.begin() as session:
        away = update(Customer).where(Customer.email == "person1@example.com")
        await session.execute(away.values(time_zone="America/New_York"))
    carrier = Scripted()
    assert await sweep_once(both(ground, carrier), NIGHT) == 2
    assert list(carrier.reached) == ["person1@example.com"]


async def test_the_terms_in_force_say_when_it_is_night(ground: Ground, brand: Brand, shop: Shop) -> None:
    await queue(ground, brand, shop, due_at=EVENING)
    await put_terms(ground, brand, QuietHours(from_=time(19), to=time(7)))
    assert await sweep_once(both(ground, Scripted()), EVENING) == 1
    assert (await the_message(ground)).due_at == MORNING - timedelta(hours=2)


async def test_without_quiet_hours_a_survey_goes_at_any_time(ground: Ground, brand: Brand, shop: Shop) -> None:
    await queue(ground, brand, shop, due_at=EVENING)
    await put_terms(ground, brand, None)
    assert await sweep_once(both(ground, Scripted()), NIGHT) == 1
    assert (await the_message(ground)).status is MessageStatus.accepted


async def test_who_may_not_be_written_to_is_dropped_at_night_too(ground: Ground, brand: Brand, shop: Shop) -> None:
    await queue(ground, brand, shop, channel=Channel.sms, address="+4915112345000", due_at=EVENING)
    assert await sweep_once(both(ground, Scripted()), NIGHT) == 1
    message = await the_message(ground)
    assert (message.status, message.reason) == (MessageStatus.suppressed, "no_consent")


def test_only_offers_and_rewards_by_mail_go_at_any_hour() -> None:
    awake = {(template, channel) for template in Template for channel in Channel if not waits_for_day(template, channel)}
    assert awake == {(Template.offer, Channel.email), (Template.reward, Channel.email)}
