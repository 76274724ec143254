"""Sending goes on while a call takes long."""

import asyncio

from sqlalchemy import select

from app.base.ids import new_id
from app.base.turns import Turns
from app.brands.programme import Channel
from app.customers.models import Customer
from app.messaging import dispatch
from app.messaging.claim import AT_ONCE
from app.messaging.models import Message
from app.messaging.providers.protocol import Accepted, OutgoingBatch, Result
from app.messaging.queue import NewMessage, queue_messages
from app.messaging.rules import MessageStatus
from app.messaging.send_sweeps import sweep, urgent_sweep
from app.messaging.side_by_side import CLAIMS_AT_ONCE
from app.surveys.templates import SURVEY, SurveyParams
from tests.support.constants import NOW
from tests.support.factories.referrals import make_referrer


class SlowAtFirst:
    """A provider whose first call ends only after two more calls than are under way at once."""

    name = "slow"
    most = AT_ONCE

    def __init__(self) -> None:
        self.calls = 0
        self.most_at_once = 0
        self._under_way = 0
        self._enough = asyncio.Event()

    async def send(self, batch: OutgoingBatch) -> list[Result]:
        self.calls += 1
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        if self.calls == CLAIMS_AT_ONCE + 2:
            self._enough.set()
        if self.calls == 1:
            async with asyncio.timeout(60):
                await self._enough.wait()
        self._under_way -= 1
        return [Accepted(None)] * len(batch.recipients)

    async def close(self) -> None:
        pass


async def test_a_slow_call_holds_up_no_other(context, shop, monkeypatch):
    # However slow this machine is, the turn is not over before the claims are made.
    monkeypatch.setattr(dispatch, "TURN_SECONDS", 600.0)
    count = AT_ONCE * (CLAIMS_AT_ONCE + 1) + 1
    people = [new_id() for _ in range(count)]
    async with context.sessions.begin() as session:
        session.add_all(
            Customer(brand_id=shop.brand_id, id=person, email=f"person{number}@example.com")
            for number, person in enumerate(people)
        )
        await session.flush()
        params = SurveyParams("Ana", "Mug", "#1", "2026-03-02")
        await queue_messages(
            session,
            shop.brand_id,
            [
                NewMessage(
                    SURVEY, new_id(), person, shop.id, Channel.email, "x@example.com", "en", params, NOW
                )
                for person in people
            ],
        )
    provider = SlowAtFirst()
    sending = sweep(context, {Channel.email: provider})

    moved = 0
    while await sending.brands(NOW):
        moved += await sending.work(shop.brand_id, NOW)

    assert moved == count
    assert provider.calls == CLAIMS_AT_ONCE + 2
    assert provider.most_at_once <= CLAIMS_AT_ONCE


class Gated(SlowAtFirst):
    """A provider whose first call ends only after the second one began."""

    async def send(self, batch: OutgoingBatch) -> list[Result]:
        self.calls += 1
        if self.calls == 2:
            self._enough.set()
        async with asyncio.timeout(60):
            await self._enough.wait()
        return [Accepted(None)] * len(batch.recipients)


async def test_an_offer_does_not_wait_for_the_call_of_the_one_before(context, brand, shop):
    provider = Gated()
    turns = Turns(urgent_sweep(context, {Channel.email: provider}), lambda: NOW, lasting=True)
    running = asyncio.create_task(turns.run())
    await make_referrer(context, brand, shop)
    turns.asked.set()
    async with asyncio.timeout(60):
        while provider.calls < 1:  # noqa: ASYNC110  # a call sets no event
            await asyncio.sleep(0.005)
    await make_referrer(context, brand, shop)
    turns.asked.set()
    async with asyncio.timeout(60):
        while provider.calls < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    turns.stop()
    await running
    async with context.sessions() as session:
        assert set(await session.scalars(select(Message.status))) == {MessageStatus.accepted}
