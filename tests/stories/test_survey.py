"""The second flow: what is due is sent, once, at a decent hour, to who may be written to."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.support.constants import NOW
from tests.support.story import Story, an_order, link_to, open_story, survey_link

ANA = "ana@example.com"
DUE = NOW + timedelta(hours=72)


@pytest.fixture
async def story(context, brand, shop) -> AsyncIterator[Story]:
    async with open_story(context, brand) as story:
        yield story


async def delivered(story: Story, number: int = 1, **more) -> None:
    await story.deliver("order.paid", an_order(number, NOW - timedelta(days=4), **more))
    await story.deliver("order.delivered", {"order_id": f"order-{number}", "at": NOW.isoformat()})
    await story.at(NOW)


async def survey_of(story: Story, number: int = 1) -> dict:
    order = next(order for order in await story.api("/orders") if order["external_id"] == f"order-{number}")
    return next(survey for survey in await story.api("/surveys") if survey["order"] == order["id"])


async def test_survey_comes_when_it_is_due_and_not_before(story) -> None:
    await delivered(story)
    await story.at(DUE - timedelta(minutes=1))
    assert await story.mails(ANA) == []
    await story.at(DUE)
    (mail,) = await story.mails(ANA)
    assert "Linen shirt" in mail.text
    assert "1 Main St, Berlin" in mail.text
    assert (await survey_of(story))["status"] == "sent"
    (message,) = await story.api("/messages", template="survey")
    assert (message["status"], message["sent_at"][:16]) == ("accepted", "2026-03-13T12:00")


async def test_mail_offers_all_eleven_scores_and_one_click_unsubscribe(story) -> None:
    await delivered(story)
    await story.at(DUE)
    (mail,) = await story.mails(ANA)
    link = survey_link(mail)
    for score in range(11):
        assert f"{link}?score={score}" in mail.text
        assert f"{link}?score={score}" in mail.html
    assert link_to("u", mail) in mail.headers["List-Unsubscribe"]
    assert mail.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


async def test_no_customer_is_surveyed_twice_by_concurrent_sweeps(story) -> None:
    await delivered(story)
    await asyncio.gather(*[story.at(DUE) for _ in range(4)])
    await story.at(DUE + timedelta(hours=1))
    assert len(await story.mails(ANA)) == 1


async def test_silent_customers_are_reminded_once_with_the_same_link(story) -> None:
    await delivered(story)
    for hours in (0, 95, 96, 200, 400):
        await story.at(DUE + timedelta(hours=hours))
    first, reminder = await story.mails(ANA)
    assert survey_link(first) == survey_link(reminder)


async def test_customer_who_responded_is_not_reminded(story) -> None:
    await delivered(story)
    await story.at(DUE)
    (mail,) = await story.mails(ANA)
    await story.client.post(survey_link(mail), data={"score": "7"})
    await story.at(DUE + timedelta(days=10))
    assert len(await story.mails(ANA)) == 1


async def test_order_refunded_before_its_survey_is_not_surveyed(story) -> None:
    await delivered(story)
    await story.deliver(
        "order.refunded", {"order_id": "order-1", "refund_id": "r1", "amount": "80.00", "at": NOW.isoformat()}
    )
    await story.at(DUE)
    assert (await survey_of(story))["reason"] == "refunded"
    assert await story.mails(ANA) == []


async def test_partly_refunded_order_is_surveyed(story) -> None:
    await delivered(story)
    await story.deliver(
        "order.refunded", {"order_id": "order-1", "refund_id": "r1", "amount": "10.00", "at": NOW.isoformat()}
    )
    await story.at(DUE)
    assert len(await story.mails(ANA)) == 1


async def test_second_order_within_the_window_waits_for_its_end(story) -> None:
    await story.terms(survey={"recontact_days": 20})
    await delivered(story, 1)
    await delivered(story, 2)
    await story.at(DUE)
    assert len(await story.mails(ANA)) == 1
    statuses = sorted([(await survey_of(story, number))["status"] for number in (1, 2)])
    assert statuses == ["planned", "sent"]
    await story.at(DUE + timedelta(days=20))
    assert {(await survey_of(story, number))["status"] for number in (1, 2)} == {"sent"}


async def test_second_order_whose_turn_would_come_too_late_is_skipped(story) -> None:
    await delivered(story, 1)
    await delivered(story, 2)
    await story.at(DUE)
    reasons = {(await survey_of(story, number))["reason"] for number in (1, 2)}
    assert reasons == {None, "recontact"}


async def test_who_unsubscribes_by_the_mail_hears_no_more(story) -> None:
    await delivered(story)
    await story.at(DUE)
    (mail,) = await story.mails(ANA)
    done = await story.client.post(link_to("u", mail), data={"List-Unsubscribe": "One-Click"})
    assert done.status_code == 200
    await story.deliver("order.paid", an_order(2, DUE, customer={"email_consent": True}))
    await story.deliver("order.delivered", {"order_id": "order-2", "at": DUE.isoformat()})
    await story.at(DUE + timedelta(days=30))
    assert (await survey_of(story, 2))["reason"] == "unsubscribed", "an order never lifts it"
    assert len(await story.mails(ANA)) == 1


async def test_customer_who_refused_consent_gets_no_message(story) -> None:
    await delivered(story, customer={"email_consent": False})
    await story.at(DUE)
    assert (await survey_of(story))["reason"] == "no_consent"
    assert await story.mails(ANA) == []


async def test_german_of_whom_nothing_is_known_is_not_written_to(story) -> None:
    await delivered(story, customer={"email_consent": None, "country": "DE"})
    await delivered(story, 2, email="marie@example.com", customer={"email_consent": None, "country": "FR"})
    await story.at(DUE)
    assert (await survey_of(story))["reason"] == "no_consent"
    assert len(await story.mails("marie@example.com")) == 1
