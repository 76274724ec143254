"""Provider events are kept once and applied: order, repetition and lateness cannot matter."""

import asyncio
import itertools
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.brands.add import add_brand, add_shop
from app.brands.models import Shop
from app.customers.models import Suppression
from app.customers.rules import SuppressionReason
from app.messaging import provider_event_rules
from app.messaging.models import Attempt, Message, ProviderEvent
from app.messaging.provider_event_rules import status_after, suppression_for
from app.messaging.provider_events import ParsedProviderEvent, record_provider_events
from app.messaging.rules import AttemptStatus, FailureCause, MessageStatus, ProviderEventKind
from tests.support.constants import NOW
from tests.support.fakes.sent import put_message, put_messages

Kind, Cause = ProviderEventKind, FailureCause


def event_of(
    brand_id: int,
    attempt_id: UUID,
    kind: ProviderEventKind,
    *,
    cause: FailureCause | None = None,
    at: datetime = NOW,
    name: str | None = None,
) -> ParsedProviderEvent:
    return ParsedProviderEvent(
        brand_id, attempt_id, "sendgrid", name or f"{kind}-{attempt_id}", kind, None, at, cause, "ref-1"
    )


async def put(
    context: AppContext, shop: Shop, address: str = "ana@example.com", **more: object
) -> tuple[UUID, list[UUID]]:
    async with context.sessions.begin() as session:
        return await put_message(session, shop, address, now=NOW, **more)


async def record(context: AppContext, *events: ParsedProviderEvent) -> None:
    async with context.sessions.begin() as session:
        await record_provider_events(session, context.tokens, events, now=NOW)


async def message_of(context: AppContext, message_id: UUID) -> Message:
    async with context.sessions() as session:
        return (await session.scalars(select(Message).where(Message.id == message_id))).one()


async def attempts_of(context: AppContext, message_id: UUID) -> list[Attempt]:
    async with context.sessions() as session:
        return list(
            await session.scalars(
                select(Attempt).where(Attempt.message_id == message_id).order_by(Attempt.number)
            )
        )


async def suppressions(context: AppContext) -> dict[bytes, SuppressionReason]:
    async with context.sessions() as session:
        return {row.address_key: row.reason for row in await session.scalars(select(Suppression))}


@pytest.mark.parametrize(
    "before", ["planned", "sending", "unknown", "review", "dismissed", "cancelled", "suppressed"]
)
async def test_any_event_proves_that_the_message_went_out(
    context: AppContext, shop: Shop, before: MessageStatus
) -> None:
    message_id, (attempt_id,) = await put(context, shop, status=before)
    await record(context, event_of(shop.brand_id, attempt_id, Kind.accepted))
    message, (attempt,) = await message_of(context, message_id), await attempts_of(context, message_id)
    assert (message.status, message.sent_at) == (MessageStatus.accepted, NOW)
    assert (attempt.status, attempt.provider_ref, attempt.finished_at) == (
        AttemptStatus.accepted,
        "ref-1",
        NOW,
    )


async def test_delivered_is_delivered_whatever_came_before_or_after(context: AppContext, shop: Shop) -> None:
    kinds = [
        Kind.accepted,
        Kind.deferred,
        Kind.delivered,
        Kind.opened,
    ]
    for number, order in enumerate(itertools.permutations(kinds)):
        message_id, (attempt_id,) = await put(context, shop, f"p{number}@example.com")
        for kind in order:
            await record(context, event_of(shop.brand_id, attempt_id, kind))
        message = await message_of(context, message_id)
        assert (message.status, message.delivered_at, message.reason) == (MessageStatus.delivered, NOW, None)


async def test_an_event_reported_many_times_is_kept_once(context: AppContext, shop: Shop) -> None:
    message_id, (attempt_id,) = await put(context, shop)
    one = event_of(shop.brand_id, attempt_id, Kind.delivered)
    await record(context, one, one)
    await asyncio.gather(*(record(context, one) for _ in range(6)))
    async with context.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(ProviderEvent)) == 1
    assert (await message_of(context, message_id)).status is MessageStatus.delivered


async def test_posts_at_the_same_time_in_opposite_order_do_not_deadlock(
    context: AppContext, shop: Shop
) -> None:
    sent = [await put(context, shop, f"p{number}@example.com") for number in range(40)]
    events = [
        event_of(shop.brand_id, attempts[0], kind, cause=Cause.invalid_address)
        for _, attempts in sent
        for kind in (Kind.accepted, Kind.delivered, Kind.bounced)
    ]
    await asyncio.gather(*(record(context, *(events if turn % 2 else reversed(events))) for turn in range(6)))
    async with context.sessions() as session:
        statuses = (await session.scalars(select(Message.status))).all()
    assert statuses == [MessageStatus.bounced] * 40
    assert len(await suppressions(context)) == 40


async def test_hundreds_of_events_of_two_brands_in_one_post(context: AppContext, shop: Shop) -> None:
    async with context.sessions.begin() as session:
        other = await add_brand(session, "other", name="Other")
        other_shop, _ = await add_shop(
            session, context.tokens, other, "other", name="Other", actor=cli_actor(other.id)
        )
        people = [f"p{number}@example.com" for number in range(600)]
        one = await put_messages(session, shop, people, now=NOW)
        another = await put_messages(session, other_shop, people, now=NOW)
    sent = [(shop.brand_id, attempts[0]) for _, attempts in one]
    sent_too = [(other.id, attempts[0]) for _, attempts in another]
    in_turns = [each for pair in zip(sent, sent_too, strict=True) for each in pair]
    await record(context, *(event_of(brand_id, attempt, Kind.delivered) for brand_id, attempt in in_turns))
    async with context.sessions() as session:
        counts = dict(
            (await session.execute(select(Message.status, func.count()).group_by(Message.status))).all()
        )
    assert counts == {MessageStatus.delivered: 1200}


async def test_an_attempt_that_is_not_there_is_left_out(context: AppContext, shop: Shop) -> None:
    message_id, (attempt_id,) = await put(context, shop)
    await record(
        context,
        event_of(shop.brand_id, uuid4(), Kind.delivered),
        event_of(shop.brand_id + 1, attempt_id, Kind.complained),
        event_of(shop.brand_id, attempt_id, Kind.delivered),
    )
    assert (await message_of(context, message_id)).status is MessageStatus.delivered
    assert await suppressions(context) == {}


async def test_a_late_event_of_the_first_attempt_counts_for_the_message(
    context: AppContext, shop: Shop
) -> None:
    message_id, (first, _) = await put(context, shop, attempts=2)
    await record(context, event_of(shop.brand_id, first, Kind.delivered))
    one, two = await attempts_of(context, message_id)
    assert (one.status, two.status) == (AttemptStatus.accepted, AttemptStatus.sending)
    assert (await message_of(context, message_id)).status is MessageStatus.delivered


async def test_the_earliest_event_is_the_time_of_delivery(context: AppContext, shop: Shop) -> None:
    message_id, (first, second) = await put(context, shop, attempts=2)
    await record(context, event_of(shop.brand_id, second, Kind.delivered, at=NOW + timedelta(hours=1)))
    await record(context, event_of(shop.brand_id, first, Kind.delivered, at=NOW))
    assert (await message_of(context, message_id)).delivered_at == NOW


async def test_a_bounce_after_delivery_counts_and_keeps_its_reason(context: AppContext, shop: Shop) -> None:
    message_id, (attempt_id,) = await put(context, shop)
    bounce = event_of(shop.brand_id, attempt_id, Kind.bounced, cause=Cause.invalid_address)
    await record(context, event_of(shop.brand_id, attempt_id, Kind.delivered))
    await record(context, bounce, event_of(shop.brand_id, attempt_id, Kind.accepted))
    message = await message_of(context, message_id)
    assert (message.status, message.reason) == (MessageStatus.bounced, "bounced")
    assert await suppressions(context) == {
        context.tokens.address_key("ana@example.com"): SuppressionReason.bounced
    }


@pytest.mark.parametrize(
    ("kind", "cause", "status", "reason", "suppressed"),
    [
        (Kind.bounced, None, "bounced", "bounced", None),
        (Kind.bounced, Cause.invalid_address, "bounced", "bounced", "bounced"),
        (Kind.blocked, None, "failed", "blocked", None),
        (Kind.deferred, None, "accepted", None, None),
        (Kind.dropped, Cause.invalid_address, "failed", "invalid_address", "bounced"),
        (Kind.dropped, Cause.recipient_unsubscribed, "failed", "recipient_unsubscribed", "unsubscribed"),
        (Kind.dropped, Cause.recipient_complained, "failed", "recipient_complained", "complained"),
        (Kind.dropped, None, "failed", "dropped", None),
        (Kind.complained, None, "complained", "complained", "complained"),
        (Kind.unsubscribed, None, "accepted", None, "unsubscribed"),
        (Kind.failed, None, "failed", "failed", None),
        (Kind.failed, Cause.recipient_opted_out, "failed", "recipient_opted_out", "stopped"),
        (Kind.clicked, None, "accepted", None, None),
    ],
)
async def test_what_each_kind_makes_of_message_and_address(
    context: AppContext,
    shop: Shop,
    kind: ProviderEventKind,
    cause: FailureCause | None,
    status: str,
    reason: str | None,
    suppressed: str | None,
) -> None:
    message_id, (attempt_id,) = await put(context, shop)
    await record(context, event_of(shop.brand_id, attempt_id, kind, cause=cause))
    message = await message_of(context, message_id)
    assert (message.status, message.reason) == (status, reason)
    assert list((await suppressions(context)).values()) == ([suppressed] if suppressed else [])


async def test_an_erased_persons_event_is_kept_without_an_address(context: AppContext, shop: Shop) -> None:
    message_id, (attempt_id,) = await put(context, shop)
    async with context.sessions.begin() as session:
        (await session.scalars(select(Message).where(Message.id == message_id))).one().address = None
    await record(context, event_of(shop.brand_id, attempt_id, Kind.complained))
    assert (await message_of(context, message_id)).status is MessageStatus.complained


def test_every_kind_and_status_is_ranked_and_none_goes_down() -> None:
    for kind, status in itertools.product(ProviderEventKind, MessageStatus):
        after = status_after(status, kind)
        assert provider_event_rules._RANK[after] >= provider_event_rules._RANK[status]
        assert status_after(after, kind) is after
        for cause in FailureCause:
            assert suppression_for(kind, cause) or kind not in (Kind.dropped, Kind.failed, Kind.bounced)


def test_the_order_of_events_cannot_matter() -> None:
    for kinds in itertools.combinations(ProviderEventKind, 3):
        outcomes = set()
        for order in itertools.permutations(kinds):
            status = MessageStatus.sending
            for kind in order:
                status = status_after(status, kind)
            outcomes.add(status)
        assert len(outcomes) == 1
