"""From queue to delivered through real HTTP, also when the provider loses answers and our own
process is killed."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from pydantic import SecretStr
from sqlalchemy import func, select, text

from app.base.context import AppContext
from app.base.due import sweep_once
from app.base.ids import new_id
from app.base.web.problems import install_problems
from app.brands.models import Shop
from app.brands.programme import Channel
from app.customers.models import ConsentFact, Customer, Suppression
from app.messaging.models import Attempt, Message
from app.messaging.provider_routes import router
from app.messaging.providers.protocol import Provider
from app.messaging.providers.sendgrid.client import SendGrid
from app.messaging.providers.twilio.client import Twilio
from app.messaging.queue import NewMessage, queue_messages
from app.messaging.rules import AttemptStatus, MessageStatus
from app.messaging.send_sweeps import sweep
from app.surveys.templates import SURVEY, SurveyParams
from tests.support.constants import NOW
from tests.support.fakes.sendgrid import KEY, FakeSendGrid
from tests.support.fakes.server import Fault
from tests.support.fakes.twilio import ACCOUNT, AUTH_TOKEN, SERVICE, FakeTwilio, signed

PUBLIC = "https://nps.example.com"
LOST_AFTER = [Fault.broken_after, Fault.hang_after, Fault.reset_after]
GRACE = timedelta(seconds=901)


@pytest.fixture
async def client(context: AppContext) -> AsyncIterator[AsyncClient]:
    context.settings.public_url = PUBLIC
    context.settings.twilio_auth_token = SecretStr(AUTH_TOKEN)
    app = FastAPI()
    app.state.context = context
    install_problems(app)
    app.include_router(router)
    async with AsyncClient(transport=ASGITransport(app=app), base_url=PUBLIC) as client:
        yield client


@pytest.fixture
async def mails(context: AppContext) -> AsyncIterator[FakeSendGrid]:
    async with FakeSendGrid() as fake:
        context.settings.sendgrid_event_public_key = fake.public_key
        yield fake
        assert fake.spec_faults() == []


@pytest.fixture
async def texts() -> AsyncIterator[FakeTwilio]:
    async with FakeTwilio() as fake:
        yield fake
        assert fake.spec_faults() == []


async def queue(context: AppContext, shop: Shop, count: int, channel: Channel) -> None:
    """One survey each for so many customers who may be written to."""
    people = [Customer(brand_id=shop.brand_id, id=new_id(), first_name="Ana") for _ in range(count)]
    addresses = [
        f"p{number}@example.com" if channel is Channel.email else f"+1202555{number:04d}"
        for number in range(count)
    ]
    for person, address in zip(people, addresses, strict=True):
        setattr(person, "email" if channel is Channel.email else "phone", address)
    wanted = [
        NewMessage(
            SURVEY,
            new_id(),
            person.id,
            shop.id,
            channel,
            address,
            "en",
            SurveyParams("Ana", "Bread", "1001", "2026-03-03"),
            NOW,
        )
        for person, address in zip(people, addresses, strict=True)
    ]
    async with context.sessions.begin() as session:
        session.add_all(people)
        await session.flush()
        session.add_all(
            ConsentFact(brand_id=shop.brand_id, customer_id=person.id, channel=channel, given=True, at=NOW)
            for person in people
        )
        await queue_messages(session, shop.brand_id, wanted)


async def statuses(context: AppContext) -> dict[MessageStatus, int]:
    async with context.sessions() as session:
        rows = await session.execute(select(Message.status, func.count()).group_by(Message.status))
        return {row[0]: row[1] for row in rows}


async def post_mail_events(
    client: AsyncClient, fake: FakeSendGrid, *names: str, chance: random.Random | None = None
) -> None:
    """Signed events of every mail whose events were not posted yet; in any order and some of them
    twice where there is a `chance`."""
    events = fake.unreported(*names)
    if chance is not None:
        events += chance.sample(events, len(events) // 4)
        chance.shuffle(events)
    body, headers = fake.signed(events)
    assert (await client.post("/hooks/sendgrid/events", content=body, headers=headers)).status_code == 200


async def post_text_statuses(client: AsyncClient, fake: FakeTwilio, *names: str) -> None:
    for path, body, headers in fake.unreported(*names):
        assert (await client.post(path, content=body, headers=headers)).status_code == 204


def twilio(fake: FakeTwilio, context: AppContext) -> Twilio:
    keys = {"account_sid": ACCOUNT, "auth_token": AUTH_TOKEN, "messaging_service_sid": SERVICE}
    return Twilio(context.tokens, **keys, public_url=PUBLIC, base_url=fake.url, total_seconds=0.5)


async def test_a_survey_is_queued_sent_and_delivered(
    context: AppContext, shop: Shop, client: AsyncClient, mails: FakeSendGrid
) -> None:
    await queue(context, shop, 3, Channel.email)
    provider = SendGrid(context.tokens, api_key=KEY, base_url=mails.url)
    await sweep_once(sweep(context, {Channel.email: provider}), NOW)
    await provider.close()
    assert await statuses(context) == {MessageStatus.accepted: 3}
    mail = mails.mail[0]
    assert "Bread" in mail.text
    assert f"{PUBLIC}/s/" in mail.html
    assert mail.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    await post_mail_events(client, mails, "processed", "delivered")
    assert await statuses(context) == {MessageStatus.delivered: 3}


async def test_a_text_is_queued_sent_and_stopped(
    context: AppContext, shop: Shop, client: AsyncClient, texts: FakeTwilio
) -> None:
    await queue(context, shop, 2, Channel.sms)
    provider = twilio(texts, context)
    texts.stopped.add("+12025550001")
    await sweep_once(sweep(context, {Channel.sms: provider}), NOW)
    await provider.close()
    await post_text_statuses(client, texts, "queued", "sent", "delivered")
    assert await statuses(context) == {MessageStatus.delivered: 1, MessageStatus.suppressed: 1}
    stop = {"MessageSid": "SM9", "From": "+12025550000", "Body": "stop", "To": "+15005550006"}
    body, headers = signed(PUBLIC + "/hooks/twilio/inbound", stop)
    assert (await client.post("/hooks/twilio/inbound", content=body, headers=headers)).status_code == 200
    async with context.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Suppression)) == 2


async def test_one_bad_address_does_not_spoil_the_others(
    context: AppContext, shop: Shop, client: AsyncClient, mails: FakeSendGrid
) -> None:
    await queue(context, shop, 40, Channel.email)
    async with context.sessions.begin() as session:
        bad = (await session.scalars(select(Customer).where(Customer.email == "p17@example.com"))).one()
        bad.email = "nobody"
    provider = SendGrid(context.tokens, api_key=KEY, base_url=mails.url)
    await sweep_once(sweep(context, {Channel.email: provider}), NOW)
    await provider.close()
    assert await statuses(context) == {MessageStatus.accepted: 39, MessageStatus.failed: 1}
    assert len(mails.calls) < 20, "the culprit is found by halving"
    mails.calls.clear()


async def test_events_that_come_before_our_own_outcome_hold(
    context: AppContext, shop: Shop, client: AsyncClient, mails: FakeSendGrid
) -> None:
    await queue(context, shop, 1, Channel.email)
    mails.fail(Fault.hang_after)
    provider = SendGrid(context.tokens, api_key=KEY, base_url=mails.url, total_seconds=0.5)
    sending = asyncio.create_task(sweep_once(sweep(context, {Channel.email: provider}), NOW))
    while not mails.mail:  # noqa: ASYNC110  # the fake is a server, it knows no event of ours
        await asyncio.sleep(0.01)
    await post_mail_events(client, mails, "delivered")
    await sending
    await provider.close()
    assert await statuses(context) == {MessageStatus.delivered: 1}
    async with context.sessions() as session:
        assert (await session.scalars(select(Attempt.status))).all() == [AttemptStatus.accepted]


async def test_nothing_is_sent_again_before_the_grace_is_over(
    context: AppContext, shop: Shop, mails: FakeSendGrid
) -> None:
    await queue(context, shop, 1, Channel.email)
    mails.fail(Fault.broken)
    provider = SendGrid(context.tokens, api_key=KEY, base_url=mails.url)
    await sweep_once(sweep(context, {Channel.email: provider}), NOW)
    await sweep_once(sweep(context, {Channel.email: provider}), NOW + GRACE - timedelta(seconds=2))
    assert (len(mails.calls), await statuses(context)) == (1, {MessageStatus.unknown: 1})
    await sweep_once(sweep(context, {Channel.email: provider}), NOW + GRACE)
    await provider.close()
    assert (len(mails.mail), await statuses(context)) == (1, {MessageStatus.accepted: 1})


async def run_and_kill(
    context: AppContext,
    provider: Provider,
    channel: Channel,
    now: datetime,
    seconds: float,
    *,
    claim_size: int,
) -> None:
    """A worker that dies after so many seconds, wherever it is; the next one knows nothing of
    it."""
    sending = sweep(context, {channel: provider}, claim_size=claim_size)
    task = asyncio.create_task(sweep_once(sending, now))
    await asyncio.wait([task], timeout=seconds)
    task.cancel()
    await asyncio.wait([task])
    await provider.close()


async def run_and_kill_in_a_call(
    context: AppContext, provider: Provider, now: datetime, opened: asyncio.Event, *, claim_size: int
) -> None:
    """A worker that dies as soon as the provider has a call of its that will never be answered."""
    sending = sweep(context, {Channel.email: provider}, claim_size=claim_size)
    task = asyncio.create_task(sweep_once(sending, now))
    await asyncio.wait_for(opened.wait(), 30)
    task.cancel()
    await asyncio.wait([task])
    await provider.close()
    assert (await statuses(context))[MessageStatus.sending] >= 3, (
        "nobody is left who could write down the outcome of the call"
    )


@dataclass
class Losses:
    """Of every seven calls one whose answer is lost, by chance; beside them calls that stay open
    for a kill."""

    chance: random.Random
    lost: int = 0
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    _calls: int = 0
    _lost_of_seven: int = 0
    _open_at: int | None = None

    def open_after(self, calls: int) -> asyncio.Event:
        """The call after so many more stays open; the returned event is set when it has come."""
        self._open_at, self.opened = self._calls + calls + 1, asyncio.Event()
        return self.opened

    def fault_of(self, _number: int) -> Fault | None:
        """The outcome of the next call.

        The number is not used: calls beside each other may share one.
        """
        if self._calls % 7 == 0:
            self._lost_of_seven = self.chance.randrange(7)
        turn, self._calls = self._calls % 7, self._calls + 1
        if self._calls == self._open_at:
            self.opened.set()
            return Fault.hang_after
        if turn != self._lost_of_seven:
            return None
        self.lost += 1
        return self.chance.choice(LOST_AFTER)


async def let_a_minute_pass(context: AppContext) -> None:
    async with context.sessions.begin() as session:
        await session.execute(text("UPDATE attempts SET created_at = created_at - interval '2 minutes'"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
async def test_300_mails_with_lost_replies_and_kills_reach_each_person_once(
    context: AppContext,
    shop: Shop,
    client: AsyncClient,
    mails: FakeSendGrid,
    seed: int,
) -> None:
    chance = random.Random(seed)
    losses = Losses(chance)
    mails._fault_of = losses.fault_of

    def provider(seconds: float = 0.3) -> SendGrid:
        made = SendGrid(context.tokens, api_key=KEY, base_url=mails.url, total_seconds=seconds)
        made.most = 3
        return made

    await queue(context, shop, 300, Channel.email)
    for _ in range(6):
        # One of the four calls of the worker's first claim.
        opened = losses.open_after(chance.randrange(4))
        await run_and_kill_in_a_call(context, provider(20), NOW, opened, claim_size=12)
        await post_mail_events(client, mails, "processed", "delivered", chance=chance)
    now = NOW
    while (await statuses(context)).get(MessageStatus.planned):
        seconds = chance.uniform(0.01, 0.4)
        await run_and_kill(context, provider(), Channel.email, now, seconds, claim_size=12)
        await post_mail_events(client, mails, "processed", "delivered", chance=chance)
        # Killed in a test of the provider, whose circuit lost answers may open, the next one waits.
        now += timedelta(seconds=20)
    for _ in range(4):
        await asyncio.sleep(0.05)
        await post_mail_events(client, mails, "processed", "delivered", chance=chance)
        await let_a_minute_pass(context)
        now += GRACE
        last = provider()
        await sweep_once(sweep(context, {Channel.email: last}), now)
        await last.close()
    await post_mail_events(client, mails, "processed", "delivered", chance=chance)

    assert losses.lost > 3, "there was something to be mended beside the six kills"
    copies = Counter(mail.to for mail in mails.mail)
    assert (300 - len(copies), [to for to, count in copies.items() if count > 1]) == (0, [])
    assert await statuses(context) == {MessageStatus.delivered: 300}


@pytest.mark.slow
async def test_60_texts_with_lost_replies_and_kills_reach_each_person_once(
    context: AppContext, shop: Shop, client: AsyncClient, texts: FakeTwilio
) -> None:
    chance = random.Random(3)
    texts._fault_of = lambda _number: chance.choice(LOST_AFTER) if chance.random() < 0.13 else None
    await queue(context, shop, 60, Channel.sms)
    now = NOW
    while (await statuses(context)).get(MessageStatus.planned):
        seconds = chance.uniform(0.01, 0.4)
        await run_and_kill(context, twilio(texts, context), Channel.sms, now, seconds, claim_size=6)
        await post_text_statuses(client, texts, "delivered", "sent")
        now += timedelta(seconds=20)
    for _ in range(3):
        await asyncio.sleep(0.05)
        await post_text_statuses(client, texts, "sent", "delivered")
        await let_a_minute_pass(context)
        now += GRACE
        last = twilio(texts, context)
        await sweep_once(sweep(context, {Channel.sms: last}), now)
        await last.close()
    await post_text_statuses(client, texts, "sent", "delivered")
    copies = Counter(one.to for one in texts.texts)
    assert (60 - len(copies), [to for to, count in copies.items() if count > 1]) == (0, [])
    assert await statuses(context) == {MessageStatus.delivered: 60}
