"""Claim, send, record: nothing is lost, nothing is sent twice unless nobody can know."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.due import sweep_once
from app.base.errors import Outcome, OutsideError
from app.base.ids import new_id
from app.brands.add import add_brand, add_shop
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.customers.consent import suppress
from app.customers.models import ConsentFact, Suppression
from app.customers.rules import SuppressionReason
from app.messaging.models import Attempt, Message, OutboxItem
from app.messaging.providers.outbox.client import Outbox
from app.messaging.providers.protocol import Accepted, OutgoingBatch, Result
from app.messaging.queue import cancel_messages, queue_messages
from app.messaging.render import fill
from app.messaging.rules import MOST_REFUSALS, AttemptStatus, FailureCause, MessageStatus, RecipientRefused
from app.messaging.send_sweeps import sweep, urgent_sweep
from app.referrals.templates import OFFER, OfferParams
from app.surveys.templates import SURVEY
from tests.support.constants import NOW, REFERRER_ID
from tests.support.factories.messages import GRACE, attempts, messages, queue, the_message
from tests.support.fakes.scripted import Scripted, accept, both, lose, refuse


async def test_a_due_message_is_sent_once_and_its_attempt_recorded(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop)
    provider = Scripted()
    assert await sweep_once(both(context, provider), NOW) == 1
    assert await sweep_once(both(context, provider), NOW + GRACE * 2) == 0
    message = await the_message(context)
    assert (message.status, message.sent_at, message.attempts) == (MessageStatus.accepted, NOW, 1)
    assert message.template_version_id
    (attempt,) = await attempts(context)
    assert (attempt.status, attempt.provider, attempt.provider_ref) == (
        AttemptStatus.accepted,
        "scripted",
        "ref",
    )
    (batch,) = provider.calls
    (recipient,) = batch.recipients
    assert recipient.attempt_id == attempt.id
    assert recipient.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    token = recipient.headers["List-Unsubscribe"].removeprefix("<http://127.0.0.1:8000/u/").removesuffix(">")
    subject = context.tokens.read_link("unsubscribe", token)
    assert subject is not None
    assert subject.row_id == message.customer_id


async def test_nothing_leaves_before_it_is_due_unless_at_once(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop, due_at=NOW + timedelta(hours=1))
    provider = Scripted()
    assert await sweep_once(both(context, provider), NOW) == 0
    async with context.sessions.begin() as session:
        await session.execute(update(Message).values(at_once=True))
    assert await sweep_once(both(context, provider), NOW) == 1


async def test_a_thousand_messages_share_one_call_and_every_address_stands_once_in_it(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    wanted = await queue(context, brand, shop, 5)
    async with context.sessions.begin() as session:
        await queue_messages(session, brand.id, [replace(one, subject_id=new_id()) for one in wanted[:2]])
    provider = Scripted()
    assert await sweep_once(both(context, provider), NOW) == 7
    assert sorted(len(batch.recipients) for batch in provider.calls) == [2, 5]
    for batch in provider.calls:
        assert len({recipient.to for recipient in batch.recipients}) == len(batch.recipients)


async def test_a_provider_gets_no_more_than_it_takes(context: AppContext, brand: Brand, shop: Shop) -> None:
    await queue(context, brand, shop, 5)
    provider = Scripted(most=2)
    await sweep_once(both(context, provider), NOW)
    assert sorted(len(batch.recipients) for batch in provider.calls) == [1, 2, 2]
    assert {message.status for message in await messages(context)} == {MessageStatus.accepted}


async def test_everybody_gets_their_own_values(context: AppContext, brand: Brand, shop: Shop) -> None:
    wanted = await queue(context, brand, shop, 3)
    provider = Scripted()
    await sweep_once(both(context, provider), NOW)
    (batch,) = provider.calls
    links = set()
    for recipient in batch.recipients:
        filled = fill(batch.content, recipient.values)
        mine = next(one for one in wanted if one.address == recipient.to)
        link = f"http://127.0.0.1:8000/s/{context.tokens.link('survey', brand.id, mine.subject_id)}"
        assert f'{link}?score=10"' in filled.html
        assert f"{link}?score=10\n" in filled.text
        links.add(link)
    assert len(links) == 3


async def test_two_workers_at_once_send_nothing_twice(context: AppContext, brand: Brand, shop: Shop) -> None:
    await queue(context, brand, shop, 300)
    provider = Scripted(most=10)
    one, other = both(context, provider), both(context, provider)
    await asyncio.gather(*(sweep_once(each, NOW) for each in (one, other, one, other)))
    assert len(provider.reached) == 300
    assert set(provider.reached.values()) == {1}
    assert {message.status for message in await messages(context)} == {MessageStatus.accepted}


async def test_an_unsubscription_after_queueing_is_respected(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    wanted = await queue(context, brand, shop, 2)
    async with context.sessions.begin() as session:
        await suppress(
            session,
            context.tokens,
            brand.id,
            Channel.email,
            [wanted[0].address],
            SuppressionReason.unsubscribed,
            now=NOW,
        )
    provider = Scripted()
    assert await sweep_once(both(context, provider), NOW) == 2
    assert list(provider.reached) == [wanted[1].address]
    found = {message.subject_id: (message.status, message.reason) for message in await messages(context)}
    assert found[wanted[0].subject_id] == (MessageStatus.suppressed, "unsubscribed")
    assert len(await attempts(context)) == 1


async def test_a_text_needs_consent_at_the_moment_it_leaves(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop, channel=Channel.sms, address="+4915112345000")
    assert await sweep_once(both(context, Scripted()), NOW) == 1
    message = await the_message(context)
    assert (message.status, message.reason) == (MessageStatus.suppressed, "no_consent")


async def test_a_temporary_refusal_is_retried_after_the_requested_time(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop)
    provider = Scripted([refuse(retry_after=120)])
    assert await sweep_once(both(context, provider), NOW) == 1
    message = await the_message(context)
    assert (message.status, message.due_at) == (MessageStatus.planned, NOW + timedelta(seconds=120))
    assert await sweep_once(both(context, provider), NOW + timedelta(seconds=119)) == 0
    assert await sweep_once(both(context, provider), NOW + timedelta(seconds=120)) == 1
    assert [attempt.status for attempt in await attempts(context)] == [
        AttemptStatus.refused,
        AttemptStatus.accepted,
    ]
    assert not (await the_message(context)).possible_duplicate


async def test_refusals_without_end_fail_the_message_in_the_end(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop, at_once=True)
    provider = Scripted([refuse(reason="busy")] * 50)
    assert await sweep_once(both(context, provider), NOW) == 1, (
        "one sweep tries once, also what is due at once"
    )
    for day in range(1, 20):
        await sweep_once(both(context, provider), NOW + timedelta(days=day))
    message = await the_message(context)
    assert (message.status, message.reason, message.attempts) == (MessageStatus.failed, "busy", MOST_REFUSALS)
    assert len(provider.calls) == MOST_REFUSALS


async def test_a_send_of_unknown_outcome_waits_and_is_repeated_once(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop)
    provider = Scripted([lose, lose])
    assert await sweep_once(both(context, provider), NOW) == 1
    assert (await the_message(context)).status is MessageStatus.unknown
    assert await sweep_once(both(context, provider), NOW + GRACE - timedelta(seconds=1)) == 0
    assert await sweep_once(both(context, provider), NOW + GRACE) == 1
    message = await the_message(context)
    assert (message.status, message.reason, message.unknowns) == (MessageStatus.review, None, 2)
    assert message.possible_duplicate
    assert await sweep_once(both(context, provider), NOW + GRACE * 100) == 0
    assert len(provider.calls) == 2


async def test_a_repeated_send_that_is_accepted_is_done(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop)
    provider = Scripted([lose])
    await sweep_once(both(context, provider), NOW)
    await sweep_once(both(context, provider), NOW + GRACE)
    message = await the_message(context)
    assert (message.status, message.reason, message.possible_duplicate) == (
        MessageStatus.accepted,
        None,
        True,
    )
    assert len({recipient.attempt_id for batch in provider.calls for recipient in batch.recipients}) == 2


async def test_an_unknown_one_is_not_repeated_after_an_unsubscription(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    (wanted,) = await queue(context, brand, shop)
    provider = Scripted([lose])
    await sweep_once(both(context, provider), NOW)
    async with context.sessions.begin() as session:
        await suppress(
            session,
            context.tokens,
            brand.id,
            Channel.email,
            [wanted.address],
            SuppressionReason.unsubscribed,
            now=NOW,
        )
    assert await sweep_once(both(context, provider), NOW + GRACE) == 1
    assert await sweep_once(both(context, provider), NOW + GRACE) == 0
    message = await the_message(context)
    assert (message.status, message.reason) == (MessageStatus.unknown, "unsubscribed")
    assert len(provider.calls) == 1


async def test_a_cancelled_one_is_not_repeated_whatever_came_of_it(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    wanted = await queue(context, brand, shop, 2)

    async def cancel_now(_batch: OutgoingBatch) -> None:
        async with context.sessions.begin() as session:
            await cancel_messages(
                session, brand.id, [one.subject_id for one in wanted], [SURVEY], reason="refunded"
            )

    class Cancelled(Scripted):
        async def send(self, batch: OutgoingBatch) -> list[Result]:
            await cancel_now(batch)
            assert len(batch.recipients) == 2
            self.calls.append(batch)
            return [OutsideError(Outcome.refused, "busy"), OutsideError(Outcome.unknown, "timeout")]

    provider = Cancelled()
    await sweep_once(both(context, provider), NOW)
    assert {(message.status, message.reason) for message in await messages(context)} == {
        (MessageStatus.cancelled, "refunded"),
        (MessageStatus.unknown, "refunded"),
    }
    assert await sweep_once(both(context, provider), NOW + GRACE * 10) == 0


async def crash_after_claim(context: AppContext, brand: Brand, *, calls: bool) -> Scripted:
    """A worker that dies between its claim and the recording of the outcome."""

    class Dying(Scripted):
        async def send(self, batch: OutgoingBatch) -> list[Result]:
            if calls:
                self.calls.append(batch)
            raise asyncio.CancelledError

    provider = Dying()
    with pytest.raises(asyncio.CancelledError):
        await sweep_once(both(context, provider), NOW)
    return provider


async def test_what_a_crash_left_is_sent_once_more_after_the_grace(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop, 3)
    await crash_after_claim(context, brand, calls=True)
    assert {message.status for message in await messages(context)} == {MessageStatus.sending}
    provider = Scripted()
    assert await sweep_once(both(context, provider), NOW + GRACE - timedelta(seconds=1)) == 0
    # By the simulated time the grace is over, but the attempt is only just written: its call may be
    # under way elsewhere.
    assert await sweep_once(both(context, provider), NOW + GRACE) == 0
    async with context.sessions.begin() as session:
        await session.execute(text("UPDATE attempts SET created_at = created_at - interval '61 seconds'"))
    assert await sweep_once(both(context, provider), NOW + GRACE) == 6
    assert set(provider.reached.values()) == {1}
    assert {(message.status, message.possible_duplicate) for message in await messages(context)} == {
        (MessageStatus.accepted, True)
    }


async def test_a_send_still_running_in_this_process_is_not_treated_as_a_crash(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop)
    started, release = asyncio.Event(), asyncio.Event()

    class Slow(Scripted):
        async def send(self, batch: OutgoingBatch) -> list[Result]:
            self.calls.append(batch)
            started.set()
            await release.wait()
            return [Accepted(None)]

    provider = Slow()
    one = both(context, provider)
    first = asyncio.create_task(sweep_once(one, NOW))
    await started.wait()
    async with context.sessions.begin() as session:
        await session.execute(text("UPDATE attempts SET created_at = created_at - interval '1 day'"))
    assert await sweep_once(one, NOW + GRACE * 2) == 0
    release.set()
    assert await first == 1
    assert (await the_message(context)).status is MessageStatus.accepted
    assert len(provider.calls) == 1


async def test_an_outcome_that_comes_late_does_not_undo_what_happened_since(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop)

    class Proved(Scripted):
        """A provider event comes in before the call returns."""

        async def send(self, batch: OutgoingBatch) -> list[Result]:
            async with context.sessions.begin() as session:
                await session.execute(update(Message).values(status=MessageStatus.delivered))
                await session.execute(update(Attempt).values(status=AttemptStatus.accepted))
            return [OutsideError(Outcome.unknown, "timeout")]

    await sweep_once(both(context, Proved()), NOW)
    assert (await the_message(context)).status is MessageStatus.delivered
    assert [attempt.status for attempt in await attempts(context)] == [AttemptStatus.accepted]


async def test_messages_at_fault_are_isolated_and_the_others_go_through(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop, 100)
    bad = {"person7@example.com", "person8@example.com", "person77@example.com"}

    class Picky(Scripted):
        async def send(self, batch: OutgoingBatch) -> list[Result]:
            self.calls.append(batch)
            if bad & {recipient.to for recipient in batch.recipients}:
                return list(refuse(permanent=True, reason="bad address")(batch))
            return list(accept(batch))

    provider = Picky()
    await sweep_once(both(context, provider), NOW)
    found = await messages(context)
    assert {message.address for message in found if message.status is MessageStatus.failed} == bad
    assert {message.reason for message in found if message.status is MessageStatus.failed} == {"bad address"}
    assert sum(message.status is MessageStatus.accepted for message in found) == 97
    assert len(provider.calls) < 50
    assert {attempt.number for attempt in await attempts(context)} == {1}


async def test_where_every_message_is_refused_the_sender_is_at_fault_and_the_rest_waits(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop, 200)
    provider = Scripted([refuse(permanent=True, reason="from")] * 1_000)
    await sweep_once(both(context, provider), NOW)
    counts = Counter(message.status for message in await messages(context))
    assert counts == {MessageStatus.failed: 16, MessageStatus.planned: 184}
    assert len(provider.calls) < 60


async def test_a_number_that_told_the_provider_stop_is_suppressed(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    (wanted,) = await queue(context, brand, shop, channel=Channel.sms, address="+4915112345000")
    async with context.sessions.begin() as session:
        session.add(
            ConsentFact(
                brand_id=brand.id, customer_id=wanted.customer_id, channel=Channel.sms, given=True, at=NOW
            )
        )
    provider = Scripted(
        [lambda batch: [RecipientRefused(FailureCause.recipient_opted_out)] * len(batch.recipients)]
    )
    await sweep_once(both(context, provider), NOW)
    message = await the_message(context)
    assert (message.status, message.reason) == (MessageStatus.suppressed, "recipient_opted_out")
    async with context.sessions() as session:
        (suppression,) = (await session.scalars(select(Suppression))).all()
    assert (suppression.channel, suppression.reason) == (Channel.sms, SuppressionReason.stopped)
    assert provider.calls[0].content.text.endswith("Reply STOP to stop.")
    assert not provider.calls[0].recipients[0].headers


async def test_a_broken_adapter_makes_outcomes_unknown_and_loses_nothing(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop, 2)

    class Broken(Scripted):
        async def send(self, batch: OutgoingBatch) -> list[Result]:
            raise KeyError("a bug")

    await sweep_once(both(context, Broken()), NOW)
    assert {message.status for message in await messages(context)} == {MessageStatus.unknown}


async def test_urgent_messages_go_first(context: AppContext, brand: Brand, shop: Shop) -> None:
    wanted = await queue(context, brand, shop, 3)
    offer = OfferParams("Ana", "ANA-7K4QX", "27k4qx9wm", "10 %", None, None, "2026-09-01", REFERRER_ID)
    async with context.sessions.begin() as session:
        urgent = replace(
            wanted[0],
            template=OFFER,
            subject_id=new_id(),
            template_params=offer,
        )
        await queue_messages(session, brand.id, [urgent])
    provider = Scripted()
    await sweep_once(both(context, provider), NOW)
    assert [batch.template for batch in provider.calls] == ["offer", "survey"]


async def test_the_urgent_sweep_leaves_the_rest_alone(context: AppContext, brand: Brand, shop: Shop) -> None:
    await queue(context, brand, shop)
    provider = Scripted()
    assert await sweep_once(urgent_sweep(context, {Channel.email: provider}), NOW) == 0


async def test_one_brand_does_not_see_another_ones_messages(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop)
    async with context.sessions.begin() as session:
        other = await add_brand(session, "other", name="Other")
        await add_shop(session, context.tokens, other, "other", name="Other", actor=cli_actor(other.id))
    provider = Scripted()
    each = both(context, provider)
    assert await each.brands(NOW) == [brand.id]
    assert await each.work(other.id, NOW) == 0


async def test_the_outbox_keeps_what_would_have_been_sent(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop, 2)
    outbox = Outbox(context)
    await sweep_once(sweep(context, {Channel.email: outbox, Channel.sms: outbox}), NOW)
    async with context.sessions() as session:
        items = (await session.scalars(select(OutboxItem))).all()
        assert (
            await session.scalar(
                select(func.count()).select_from(Message).where(Message.status == "accepted")
            )
            == 2
        )
    assert {item.to for item in items} == {"person0@example.com", "person1@example.com"}
    assert {item.id for item in items} == {attempt.id for attempt in await attempts(context)}
    for item in items:
        assert item.subject == "One question about your order from Acme"
        assert item.html
        assert "Hi Ana," in item.text
        assert item.sender == "Acme Goods <acme@tenfold.example>"


async def test_without_a_grace_an_unknown_outcome_is_sent_again_at_once_and_still_ends(
    context: AppContext, brand: Brand, shop: Shop, session: AsyncSession
) -> None:
    await queue(context, brand, shop)
    hasty = replace(context, settings=context.settings.model_copy(update={"unknown_grace_seconds": 0}))
    provider = Scripted([lose, lose, lose])
    assert await sweep_once(both(hasty, provider), NOW) == 2
    assert (await the_message(context)).status is MessageStatus.review


async def test_a_sweep_later_than_the_queueing_uses_its_own_time(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop)
    later: datetime = NOW + timedelta(days=3)
    await sweep_once(both(context, Scripted()), later)
    assert (await the_message(context)).sent_at == later
    ids: list[UUID] = [message.id for message in await messages(context)]
    assert len(ids) == 1
