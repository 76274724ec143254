"""A person sends a message again or dismisses it: audited, once, never while it is under way."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.admin.rules import Scope
from app.base import clock
from app.base.actor import cli_actor
from app.base.audit import AuditEntry
from app.base.due import sweep_once
from app.base.errors import AppError, NotFound
from app.base.ids import new_id, public_id
from app.insight.invariants import check
from app.messaging.models import Message
from app.messaging.resend import dismiss_message, resend_message
from app.messaging.rules import (
    DISMISSABLE_STATUSES,
    RESENDABLE_STATUSES,
    MessageStatus,
    why_not_resendable,
)
from app.surveys.models import Survey
from app.surveys.rules import SurveyStatus
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.messages import GRACE, attempts, messages, queue, the_message
from tests.support.factories.orders import make_delivered_order
from tests.support.fakes.scripted import Scripted, both, lose, refuse
from tests.support.keys import api_of


@pytest.fixture
async def client(context, brand):
    async with await api_of(context, brand, Scope.read, Scope.write) as client:
        yield client


async def set_status(context, status: MessageStatus, reason: str | None = None) -> None:
    async with context.sessions.begin() as session:
        await session.execute(update(Message).values(status=status, reason=reason))


async def test_a_message_in_review_is_sent_again_as_a_new_attempt(context, brand, shop, client):
    await queue(context, brand, shop)
    provider = Scripted([lose, lose])
    for hour in range(3):
        await sweep_once(both(context, provider), NOW + GRACE * hour)
    message = await the_message(context)
    assert message.status is MessageStatus.review
    answer = await client.post(f"/messages/{public_id('msg', message.id)}/resend")
    assert (answer.status_code, answer.json()["status"]) == (200, "planned")
    assert await sweep_once(both(context, provider), NOW) == 1, "due whatever time a sweep is run at"
    message = await the_message(context)
    assert (message.status, message.attempts, message.possible_duplicate) == (MessageStatus.accepted, 3, True)
    assert len({attempt.id for attempt in await attempts(context)}) == 3
    async with context.sessions() as session:
        entry = await session.scalar(select(AuditEntry).where(AuditEntry.subject_id == message.id))
        assert (entry.action, entry.fields) == ("message_resent", ["status"])
        assert await check(session, context.tokens) == []


async def test_a_failed_message_begins_its_refusals_anew(context, brand, shop):
    await queue(context, brand, shop)
    provider = Scripted([refuse(permanent=True), refuse()])
    await sweep_once(both(context, provider), NOW)
    message = await the_message(context)
    assert (message.status, message.refusals) == (MessageStatus.failed, 1)
    async with context.sessions.begin() as session:
        await resend_message(session, brand.id, message.id, actor=cli_actor(brand.id), now=NOW)
    await sweep_once(both(context, provider), NOW)
    message = await the_message(context)
    assert (message.status, message.refusals, message.reason) == (MessageStatus.planned, 1, None)
    assert not message.possible_duplicate, "both attempts were refused"
    await sweep_once(both(context, provider), NOW + timedelta(minutes=1))
    assert (await the_message(context)).status is MessageStatus.accepted


async def test_what_the_customer_lost_is_sent_again_and_marked(context, brand, shop):
    await queue(context, brand, shop)
    provider = Scripted()
    await sweep_once(both(context, provider), NOW)
    message = await the_message(context)
    async with context.sessions.begin() as session:
        await resend_message(session, brand.id, message.id, actor=cli_actor(brand.id), now=NOW)
    await sweep_once(both(context, provider), NOW)
    assert set(provider.reached.values()) == {2}
    assert (await the_message(context)).possible_duplicate
    async with context.sessions() as session:
        assert await check(session, context.tokens) == []


@pytest.mark.parametrize("status", [each for each in MessageStatus if each not in RESENDABLE_STATUSES])
async def test_in_every_other_state_a_sentence_names_the_reason(context, brand, shop, client, status):
    await queue(context, brand, shop)
    await set_status(context, status, "refunded" if status is MessageStatus.cancelled else None)
    path = f"/messages/{public_id('msg', (await the_message(context)).id)}"
    answer = await client.post(f"{path}/resend")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_resendable")
    assert answer.json()["detail"] == why_not_resendable(
        status, "refunded" if status is MessageStatus.cancelled else None
    )
    answer = await client.post(f"{path}/dismiss")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_dismissable")
    assert (await the_message(context)).status is status


def test_each_refusal_is_a_sentence_of_its_own():
    sentences = [why_not_resendable(status, "refunded") for status in MessageStatus]
    others = [status for status in MessageStatus if status not in RESENDABLE_STATUSES]
    assert len({why_not_resendable(status, None) for status in others}) == len(others)
    assert all(sentence.endswith(".") for sentence in sentences)
    assert set(DISMISSABLE_STATUSES) < set(RESENDABLE_STATUSES)


async def test_an_erased_person_gets_nothing_again(context, brand, shop, client):
    await queue(context, brand, shop)
    async with context.sessions.begin() as session:
        await session.execute(
            update(Message).values(status=MessageStatus.failed, address=None, template_params={})
        )
    path = f"/messages/{public_id('msg', (await the_message(context)).id)}"
    answer = await client.post(f"{path}/resend")
    assert (answer.status_code, "erased" in answer.json()["detail"]) == (409, True)
    bulk = await client.post("/messages/resend", json={"status": "failed"})
    assert bulk.json() == {"messages": 0, "skipped": {}, "remaining": 0}


async def test_of_many_resends_at_once_one_wins(context, brand, shop):
    await queue(context, brand, shop)
    await set_status(context, MessageStatus.failed)
    message_id = (await the_message(context)).id

    async def resend() -> bool:
        try:
            async with context.sessions.begin() as session:
                await resend_message(session, brand.id, message_id, actor=cli_actor(brand.id), now=NOW)
        except AppError:
            return False
        return True

    assert sum(await asyncio.gather(*(resend() for _ in range(8)))) == 1
    provider = Scripted()
    await asyncio.gather(*(sweep_once(both(context, provider), NOW) for _ in range(4)))
    assert len(provider.calls) == 1


async def test_a_dismissed_message_is_not_sent_again_and_leaves_the_list(context, brand, shop, client):
    await queue(context, brand, shop)
    await set_status(context, MessageStatus.review)
    message_id = public_id("msg", (await the_message(context)).id)
    assert (await client.post(f"/messages/{message_id}/dismiss")).json()["status"] == "dismissed"
    assert (await client.get("/messages", params={"status": "review"})).json()["data"] == []
    assert await sweep_once(both(context, Scripted()), NOW + GRACE * 9) == 0


async def test_a_selection_is_sent_again_or_dismissed_together(context, brand, shop, client):
    await queue(context, brand, shop, 5)
    await set_status(context, MessageStatus.failed)
    assert (await client.post("/messages/resend", json={"status": "accepted"})).status_code == 422
    none = await client.post("/messages/resend", json={"status": "failed", "channel": "sms"})
    assert none.json() == {"messages": 0, "skipped": {}, "remaining": 0}
    five = await client.post("/messages/resend", json={"status": "failed", "template": "survey"})
    assert five.json() == {"messages": 5, "skipped": {}, "remaining": 0}
    assert await sweep_once(both(context, Scripted()), NOW) == 5
    await set_status(context, MessageStatus.review)
    assert (await client.post("/messages/dismiss", json={"status": "review"})).json()["messages"] == 5
    assert {message.status for message in await messages(context)} == {MessageStatus.dismissed}
    async with context.sessions() as session:
        entries = (await session.scalars(select(AuditEntry.action))).all()
    assert (entries.count("message_resent"), entries.count("message_dismissed")) == (5, 5)


async def test_a_survey_that_is_over_is_skipped_with_its_reason(context, brand, shop, client):
    ids = {}
    for state in ("open", "expired", "due_to_expire", "answered"):
        customer = await make_customer(context, brand)
        order_id = await make_delivered_order(context, brand, shop, customer)
        (queued,) = await queue(context, brand, shop, subject_id=await survey_of(context, order_id))
        ids[state] = queued.subject_id
    await set_status(context, MessageStatus.failed)
    async with context.sessions.begin() as session:
        later, before = (clock.now() + timedelta(days=days) for days in (9, -1))
        for state, values in {
            "open": {"status": SurveyStatus.sent, "expires_at": later},
            "expired": {"status": SurveyStatus.expired, "expires_at": later},
            "due_to_expire": {"status": SurveyStatus.sent, "expires_at": before},
            "answered": {"status": SurveyStatus.answered, "expires_at": before},
        }.items():
            await session.execute(update(Survey).where(Survey.id == ids[state]).values(values))
    bulk = await client.post("/messages/resend", json={"status": "failed"})
    skipped = {"survey_expired": 2, "survey_answered": 1}
    assert bulk.json() == {"messages": 1, "skipped": skipped, "remaining": 0}
    failed = [each for each in await messages(context) if each.status is MessageStatus.failed]
    assert {each.subject_id for each in failed} == {ids[it] for it in ids if it != "open"}
    refused = {}
    for each in failed:
        answer = await client.post(f"/messages/{public_id('msg', each.id)}/resend")
        refused[each.subject_id] = (answer.status_code, answer.json().get("code"))
    assert refused == {
        ids["expired"]: (409, "not_resendable"),
        ids["due_to_expire"]: (409, "not_resendable"),
        ids["answered"]: (200, None),
    }


async def survey_of(context, order_id: UUID) -> UUID:
    async with context.sessions() as session:
        return (await session.scalars(select(Survey.id).where(Survey.order_id == order_id))).one()


async def test_another_brands_message_does_not_exist(context, brand, shop):
    message_id: UUID = new_id()
    async with context.sessions() as session:
        with pytest.raises(NotFound):
            await resend_message(session, brand.id, message_id, actor=cli_actor(brand.id), now=NOW)
        with pytest.raises(NotFound):
            await dismiss_message(session, brand.id, message_id, actor=cli_actor(brand.id))
