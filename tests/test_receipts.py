"""What providers tell is folded: order, repetition and lateness cannot matter."""

import asyncio
import itertools
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from conftest import NOW
from fakes.sent import put_message
from sqlalchemy import func, select

from app.base.web import Ground
from app.brands.add import add_brand, add_shop
from app.brands.models import Shop
from app.customers.models import Suppression
from app.customers.rules import SuppressionReason
from app.messaging import receipt_rules
from app.messaging.models import Attempt, Message, ProviderEvent
from app.messaging.receipt_rules import status_after, suppression_for, wants_stop
from app.messaging.receipts import Receipt, record_receipts
from app.messaging.rules import AttemptStatus, MessageStatus, ReceiptKind


def receipt(
    brand_id: int,
    attempt_id: UUID,
    kind: ReceiptKind,
    *,
    detail: str | None = None,
    permanent: bool = False,
    at: datetime = NOW,
    name: str | None = None,
) -> Receipt:
    return Receipt(brand_id, attempt_id, "sendgrid", name or f"{kind}-{attempt_id}", kind, detail, at, permanent, "ref-1")


async def put(ground: Ground, shop: Shop, address: str = "ana@example.com", **more: object) -> tuple[UUID, list[UUID]]:
    async with ground.sessions.begin() as session:
        return await put_message(session, shop, address, now=NOW, **more)


async def tell(ground: Ground, *receipts: Receipt) -> None:
    async with ground.sessions.begin() as session:
        await record_receipts(session, ground.tokens, receipts, now=NOW)


async def message_of(ground: Ground, message_id: UUID) -> Message:
    async with ground.sessions() as session:
        return (await session.scalars(select(Message).where(Message.id == message_id))).one()


async def attempts_of(ground: Ground, message_id: UUID) -> list[Attempt]:
    async with ground.sessions() as session:
        return list(await session.scalars(select(Attempt).where(Attempt.message_id == message_id).order_by(Attempt.number)))


async def suppressions(ground: Ground) -> dict[bytes, SuppressionReason]:
    async with ground.sessions() as session:
        return {row.address_key: row.reason for row in await session.scalars(select(Suppression))}


@pytest.mark.parametrize("before", [MessageStatus.sending, MessageStatus.unknown, MessageStatus.planned, MessageStatus.cancelled])
async def test_any_event_proves_that_the_message_went_out(ground: Ground, shop: Shop, before: MessageStatus) -> None:
    message_id, (attempt_id,) = await put(ground, shop, status=before)
    await tell(ground, receipt(shop.brand_id, attempt_id, ReceiptKind.accepted))
    message, (attempt,) = await message_of(ground, message_id), await attempts_of(ground, message_id)
    assert (message.status, message.sent_at) == (MessageStatus.accepted, NOW)
    assert (attempt.status, attempt.provider_ref, attempt.finished_at) == (AttemptStatus.accepted, "ref-1", NOW)


async def test_delivered_is_delivered_whatever_came_before_or_after(ground: Ground, shop: Shop) -> None:
    kinds = [ReceiptKind.accepted, ReceiptKind.deferred, ReceiptKind.delivered, ReceiptKind.opened]
    for number, order in enumerate(itertools.permutations(kinds)):
        message_id, (attempt_id,) = await put(ground, shop, f"p{number}@example.com")
        for kind in order:
            await tell(ground, receipt(shop.brand_id, attempt_id, kind))
        message = await message_of(ground, message_id)
        assert (message.status, message.delivered_at, message.reason) == (MessageStatus.delivered, NOW, None)


async def test_an_event_told_many_times_is_kept_once(ground: Ground, shop: Shop) -> None:
    message_id, (attempt_id,) = await put(ground, shop)
    one = receipt(shop.brand_id, attempt_id, ReceiptKind.delivered)
    await tell(ground, one, one)
    await asyncio.gather(*(tell(ground, one) for _ in range(6)))
    async with ground.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(ProviderEvent)) == 1
    assert (await message_of(ground, message_id)).status is MessageStatus.delivered


async def test_posts_at_the_same_time_in_opposite_order_do_not_lock_each_other_out(ground: Ground, shop: Shop) -> None:
    sent = [await put(ground, shop, f"p{number}@example.com") for number in range(40)]
    receipts = [
        receipt(shop.brand_id, attempts[0], kind, permanent=True)
        for _, attempts in sent
        for kind in (ReceiptKind.accepted, ReceiptKind.delivered, ReceiptKind.bounced)
    ]
    await asyncio.gather(*(tell(ground, *(receipts if turn % 2 else reversed(receipts))) for turn in range(6)))
    async with ground.sessions() as session:
        statuses = (await session.scalars(select(Message.status))).all()
    assert statuses == [MessageStatus.bounced] * 40
    assert len(await suppressions(ground)) == 40


async def test_hundreds_of_events_of_two_brands_in_one_post(ground: Ground, shop: Shop) -> None:
    async with ground.sessions.begin() as session:
        other = await add_brand(session, "other", name="Other")
        other_shop, _ = await add_shop(session, ground.tokens, other, "other", name="Other")
        sent = [
            await put_message(session, each, f"p{number}@example.com", now=NOW)
            for number in range(600)
            for each in (shop, other_shop)
        ]
    brands = [shop.brand_id, other.id] * 600
    await tell(
        ground, *(receipt(brand, attempts[0], ReceiptKind.delivered) for brand, (_, attempts) in zip(brands, sent, strict=True))
    )
    async with ground.sessions() as session:
        counts = dict((await session.execute(select(Message.status, func.count()).group_by(Message.status))).all())
    assert counts == {MessageStatus.delivered: 1200}


async def test_an_attempt_that_is_not_there_is_passed_over(ground: Ground, shop: Shop) -> None:
    message_id, (attempt_id,) = await put(ground, shop)
    await tell(
        ground,
        receipt(shop.brand_id, uuid4(), ReceiptKind.delivered),
        receipt(shop.brand_id + 1, attempt_id, ReceiptKind.complained),
        receipt(shop.brand_id, attempt_id, ReceiptKind.delivered),
    )
    assert (await message_of(ground, message_id)).status is MessageStatus.delivered
    assert await suppressions(ground) == {}


async def test_a_late_receipt_of_the_first_attempt_counts_for_the_message(ground: Ground, shop: Shop) -> None:
    message_id, (first, _) = await put(ground, shop, attempts=2)
    await tell(ground, receipt(shop.brand_id, first, ReceiptKind.delivered))
    one, two = await attempts_of(ground, message_id)
    assert (one.status, two.status) == (AttemptStatus.accepted, AttemptStatus.sending)
    assert (await message_of(ground, message_id)).status is MessageStatus.delivered


async def test_the_earliest_telling_is_the_time_of_delivery(ground: Ground, shop: Shop) -> None:
    message_id, (first, second) = await put(ground, shop, attempts=2)
    await tell(ground, receipt(shop.brand_id, second, ReceiptKind.delivered, at=NOW + timedelta(hours=1)))
    await tell(ground, receipt(shop.brand_id, first, ReceiptKind.delivered, at=NOW))
    assert (await message_of(ground, message_id)).delivered_at == NOW


async def test_a_bounce_after_delivery_counts_and_keeps_its_reason(ground: Ground, shop: Shop) -> None:
    message_id, (attempt_id,) = await put(ground, shop)
    bounce = receipt(shop.brand_id, attempt_id, ReceiptKind.bounced, detail="Invalid Address", permanent=True)
    await tell(ground, receipt(shop.brand_id, attempt_id, ReceiptKind.delivered))
    await tell(ground, bounce, receipt(shop.brand_id, attempt_id, ReceiptKind.accepted))
    message = await message_of(ground, message_id)
    assert (message.status, message.reason) == (MessageStatus.bounced, "bounced")
    assert await suppressions(ground) == {ground.tokens.address_key("ana@example.com"): SuppressionReason.bounced}


@pytest.mark.parametrize(
    ("kind", "detail", "permanent", "status", "suppressed"),
    [
        (ReceiptKind.bounced, "Mailbox Unavailable", False, MessageStatus.bounced, None),
        (ReceiptKind.bounced, "Invalid Address", True, MessageStatus.bounced, SuppressionReason.bounced),
        (ReceiptKind.blocked, "Reputation", False, MessageStatus.failed, None),
        (ReceiptKind.deferred, "try again", False, MessageStatus.accepted, None),
        (ReceiptKind.dropped, "Bounced Address", True, MessageStatus.failed, SuppressionReason.bounced),
        (ReceiptKind.dropped, "Unsubscribed Address", True, MessageStatus.failed, SuppressionReason.unsubscribed),
        (ReceiptKind.dropped, "Spam Reporting Address", True, MessageStatus.failed, SuppressionReason.complained),
        (ReceiptKind.dropped, "Invalid SMTPAPI header", False, MessageStatus.failed, None),
        (ReceiptKind.complained, None, False, MessageStatus.complained, SuppressionReason.complained),
        (ReceiptKind.unsubscribed, None, False, MessageStatus.accepted, SuppressionReason.unsubscribed),
        (ReceiptKind.failed, "30003", False, MessageStatus.failed, None),
        (ReceiptKind.failed, "21610", True, MessageStatus.failed, SuppressionReason.stopped),
        (ReceiptKind.bounced, "30006", True, MessageStatus.bounced, SuppressionReason.bounced),
        (ReceiptKind.clicked, None, False, MessageStatus.accepted, None),
    ],
)
async def test_what_each_kind_makes_of_message_and_address(
    ground: Ground,
    shop: Shop,
    kind: ReceiptKind,
    detail: str | None,
    permanent: bool,
    status: MessageStatus,
    suppressed: SuppressionReason | None,
) -> None:
    message_id, (attempt_id,) = await put(ground, shop)
    await tell(ground, receipt(shop.brand_id, attempt_id, kind, detail=detail, permanent=permanent))
    assert (await message_of(ground, message_id)).status is status
    assert list((await suppressions(ground)).values()) == ([suppressed] if suppressed else [])


async def test_an_erased_persons_receipt_is_kept_without_an_address(ground: Ground, shop: Shop) -> None:
    message_id, (attempt_id,) = await put(ground, shop)
    async with ground.sessions.begin() as session:
        (await session.scalars(select(Message).where(Message.id == message_id))).one().address = None
    await tell(ground, receipt(shop.brand_id, attempt_id, ReceiptKind.complained))
    assert (await message_of(ground, message_id)).status is MessageStatus.complained


def test_every_kind_and_status_is_ranked_and_none_goes_down() -> None:
    for kind, status in itertools.product(ReceiptKind, MessageStatus):
        after = status_after(status, kind)
        assert receipt_rules._RANK[after] >= receipt_rules._RANK[status]
        assert status_after(after, kind) is after
        suppression_for(kind, "21610", permanent=True)


def test_the_order_of_receipts_cannot_matter() -> None:
    for kinds in itertools.combinations(ReceiptKind, 3):
        outcomes = set()
        for order in itertools.permutations(kinds):
            status = MessageStatus.sending
            for kind in order:
                status = status_after(status, kind)
            outcomes.add(status)
        assert len(outcomes) == 1


@pytest.mark.parametrize(
    "text",
    ["STOP", "stop", " Stop. ", "UNSUBSCRIBE", "end", "QUIT", "StopAll", "revoke", "OPTOUT", "opt out", "Opt-out!", "CANCEL", "Stopp",
     "please stop", "stop it", "STOP texting me", "don't text me again", "don\u2019t contact me", "unsubscribe me please",
     "remove me from this list", "leave me alone", "no more texts", "10 but please stop texting me", "I opt out", "Abmelden", "stop stop stop"],
)  # fmt: skip
def test_any_wording_of_stop_is_obeyed(text: str) -> None:
    assert wants_stop(text)


@pytest.mark.parametrize(
    "text",
    ["", "10", "9 great", "10 don't stop doing what you do", "8 the bus stop is far", "0", "cancel my order 1001 please", "the weekend was great",
     "START", "YES", "I never want to buy elsewhere again", "great from start to end"],
)  # fmt: skip
def test_an_answer_is_no_stop(text: str) -> None:
    assert not wants_stop(text)


def test_twilios_own_finding_is_obeyed() -> None:
    assert wants_stop("genug jetzt", "STOP")
    assert not wants_stop("hello", "HELP")
