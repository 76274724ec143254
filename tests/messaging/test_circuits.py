"""A provider that is down or rejects our key opens its circuit; no message fails for it."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from app.base.context import AppContext
from app.base.due import sweep_once
from app.base.errors import Fault, Outcome, OutsideError
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.messaging.circuit_rules import MOST_FAILURES, Circuit, call_failures, probe_wait, works
from app.messaging.circuits import load_circuits
from app.messaging.models import Message
from app.messaging.providers.protocol import Accepted, OutgoingBatch, Result
from app.messaging.rules import FailureCause, MessageStatus, RecipientRefused, decide_attempt
from app.messaging.send_sweeps import sweep
from tests.support.constants import NOW
from tests.support.factories.messages import GRACE, messages, queue, the_message
from tests.support.fakes.scripted import Answer, Scripted, both, refuse


def fail(fault: Fault, outcome: Outcome = Outcome.refused) -> Answer:
    return lambda batch: [OutsideError(outcome, fault.value, fault=fault)] * len(batch.recipients)


REJECT, OUTAGE, HANG = fail(Fault.access), fail(Fault.outage), fail(Fault.outage, Outcome.unknown)


async def circuit(context: AppContext) -> Circuit | None:
    async with context.sessions() as session:
        return (await load_circuits(session)).get("scripted")


async def count(context: AppContext, status: MessageStatus) -> int:
    async with context.sessions() as session:
        found = select(func.count()).select_from(Message).where(Message.status == status)
        return await session.scalar(found) or 0


async def test_a_rejected_key_fails_no_message_however_long_it_lasts(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop, 20)
    provider = Scripted([REJECT] * 1_000)
    each = both(context, provider)
    for hour in range(0, 72, 4):
        await sweep_once(each, NOW + timedelta(hours=hour))
    assert await count(context, MessageStatus.planned) == 20
    assert len(provider.calls) <= 80
    assert max(len(batch.recipients) for batch in provider.calls[1:]) == 1, "then one at a time tests it"
    provider.answers.clear()
    await sweep_once(each, NOW + timedelta(hours=73))
    assert await count(context, MessageStatus.accepted) == 20
    assert await circuit(context) is None


async def test_three_failed_calls_in_a_row_open_the_circuit_and_one_probe_closes_it(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop, 40)
    provider = Scripted([OUTAGE] * 4, most=10)
    each = both(context, provider)
    await sweep_once(each, NOW)
    state = await circuit(context)
    assert state is not None
    assert (state.is_open, state.failures, state.reason) == (True, 4, "outage")
    assert state.failures >= MOST_FAILURES
    before = len(provider.calls)
    await sweep_once(each, NOW + timedelta(seconds=14))
    assert len(provider.calls) == before, "not before the first test"
    await sweep_once(each, NOW + timedelta(seconds=15))
    assert len(provider.calls[before].recipients) == 1
    assert await count(context, MessageStatus.accepted) == 40
    assert set(provider.reached.values()) <= {1, 2}
    assert await circuit(context) is None


async def test_a_success_between_failures_keeps_the_circuit_closed(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop)
    provider = Scripted([OUTAGE, OUTAGE, refuse(), OUTAGE, OUTAGE])
    each = both(context, provider)
    for minute in range(5):
        await sweep_once(each, NOW + timedelta(minutes=minute))
    state = await circuit(context)
    assert state is not None
    assert (state.is_open, state.failures) == (False, 2)


async def test_one_provider_fails_and_the_other_goes_on(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop, 3)
    texts = Scripted(name="texts")
    mails = Scripted([REJECT] * 5)
    each = sweep(context, {Channel.email: mails, Channel.sms: texts})
    await sweep_once(each, NOW)
    async with context.sessions.begin() as session:
        await session.execute(update(Message).values(channel=Channel.sms))
    await sweep_once(each, NOW + timedelta(seconds=16))
    assert len(mails.calls) == 1
    assert await count(context, MessageStatus.planned) == 0, "no consent for texts, but they were decided"


async def test_many_workers_test_a_provider_once(context: AppContext, brand: Brand, shop: Shop) -> None:
    await queue(context, brand, shop, 30)
    opening = Scripted([REJECT])
    await sweep_once(both(context, opening), NOW)

    class Slow(Scripted):
        async def send(self, batch: OutgoingBatch) -> list[Result]:
            self.calls.append(batch)
            await asyncio.sleep(0.2)
            return list(REJECT(batch))

    provider = Slow()
    later = NOW + timedelta(seconds=30)
    await asyncio.gather(*(sweep_once(both(context, provider), later) for _ in range(8)))
    assert [len(batch.recipients) for batch in provider.calls] == [1]
    state = await circuit(context)
    assert state is not None
    assert (state.probes, state.probe_at) == (1, later + probe_wait(1))


async def test_an_outage_of_unknown_outcome_sends_nothing_twice_beyond_the_protocol(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop, 50)
    provider = Scripted([HANG] * 1_000, most=10)
    each = both(context, provider)
    for minute in range(0, 24 * 60, 47):
        await sweep_once(each, NOW + timedelta(minutes=minute))
    assert max(provider.reached.values()) <= 2
    assert await count(context, MessageStatus.failed) == 0
    provider.answers.clear()
    for minute in range(3):
        await sweep_once(each, NOW + timedelta(days=1, minutes=20 + minute) + GRACE)
    assert await count(context, MessageStatus.planned) == 0
    assert max(provider.reached.values()) <= 2
    for message in await messages(context):
        assert message.status in (MessageStatus.accepted, MessageStatus.review)


async def test_a_dropped_message_is_no_test(context: AppContext, brand: Brand, shop: Shop) -> None:
    await queue(context, brand, shop, 2)
    provider = Scripted([REJECT])
    each = both(context, provider)
    await sweep_once(each, NOW)
    async with context.sessions.begin() as session:
        first = (await messages(context))[0]
        await session.execute(
            update(Message)
            .where(Message.id == first.id)
            .values(template="of a later version", due_at=NOW - timedelta(days=1))
        )
    await sweep_once(each, NOW + timedelta(seconds=15))
    assert await count(context, MessageStatus.failed) == 1
    assert await count(context, MessageStatus.accepted) == 1


async def test_a_circuit_that_a_simulated_run_opened_does_not_block_real_time(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await queue(context, brand, shop, at_once=True)
    provider = Scripted([REJECT])
    each = both(context, provider)
    await sweep_once(each, NOW + timedelta(days=30))
    async with context.sessions.begin() as session:
        await session.execute(update(Message).values(due_at=NOW))
    await sweep_once(each, NOW)
    assert (await the_message(context)).status is MessageStatus.accepted


@pytest.mark.parametrize(
    ("results", "proves", "calls"),
    [
        ([Accepted("x")], True, 0),
        ([OutsideError(Outcome.refused, "bad", permanent=True)], True, 0),
        ([RecipientRefused(FailureCause.recipient_opted_out)], True, 0),
        ([OutsideError(Outcome.refused, "429", fault=Fault.busy)], False, 0),
        ([OutsideError(Outcome.unknown, "a bug of ours")], False, 0),
        ([OutsideError(Outcome.unknown, "500", fault=Fault.outage) for _ in range(4)], False, 4),
        ([OutsideError(Outcome.unknown, "500", fault=Fault.outage)] * 4, False, 1),
        ([OutsideError(Outcome.unknown, "500", fault=Fault.outage), Accepted(None)], True, 0),
    ],
)
def test_what_results_prove_about_a_provider(results: Sequence[Result], proves: bool, calls: int) -> None:
    assert works(results) is proves
    failed = call_failures(results)
    assert (failed.calls if failed else 0) == calls


def test_the_waits_between_tests_grow_to_ten_minutes() -> None:
    assert [probe_wait(number).total_seconds() for number in (0, 1, 2, 5, 6, 1000)] == [
        15,
        30,
        60,
        480,
        600,
        600,
    ]


def test_what_is_not_the_messages_fault_is_not_counted_against_it() -> None:
    for fault in (Fault.outage, Fault.access, Fault.busy):
        decision = decide_attempt(OutsideError(Outcome.refused, "x", fault=fault), refusals=99, unknowns=0)
        assert (decision.message, decision.counts) == (MessageStatus.planned, False)
