"""A restored copy sends nothing until it is recovered; then nothing goes out twice."""

from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.engine import make_url

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.db import make_engine, make_sessions
from app.base.due import sweep_once
from app.base.errors import Outcome, OutsideError
from app.base.fence import load_fence
from app.base.journal import last_numbers
from app.brands.programme import Channel
from app.customers.consent import lift_suppression, suppress
from app.customers.journal_sweep import sweep as journal_sweep
from app.customers.models import Customer, ErasedIdentity, Suppression
from app.customers.rules import SuppressionReason
from app.ingest.erase import PersonToErase, erase_people
from app.ingest.recover import recover
from app.insight.invariants import check
from app.messaging.models import Attempt, Message
from app.messaging.providers.protocol import Accepted
from app.messaging.queue import queue_messages
from app.messaging.rules import AttemptStatus, MessageStatus
from tests.support.constants import NOW
from tests.support.databases import Databases
from tests.support.factories.messages import GRACE, attempts, messages, queue
from tests.support.fakes.scripted import Scripted, both, lose, refuse


@pytest.fixture
async def copies(context: AppContext, server_url: str, databases: Databases) -> AsyncIterator["Copies"]:
    made = Copies(context, server_url, databases)
    yield made
    await made.close()


class Copies:
    """Backups of the test's database, each usable as if it had been restored."""

    def __init__(self, context: AppContext, server_url: str, databases: Databases) -> None:
        self._context = context
        self._server = server_url
        self._databases = databases
        self._opened: list[AppContext] = []

    async def backup(self) -> AppContext:
        """A copy as of now, with the journal's directory of the original."""
        name = make_url(self._context.database_url).database
        copy = f"{name}_copy{len(self._opened)}"
        await self._context.engine.dispose()
        await self._databases.leave()
        await self._on_server(f"CREATE DATABASE {copy} TEMPLATE {name} STRATEGY FILE_COPY")
        url = make_url(self._server).set(database=copy).render_as_string(hide_password=False)
        engine = make_engine(url, pool_size=4)
        opened = replace(self._context, engine=engine, sessions=make_sessions(engine), database_url=url)
        self._opened.append(opened)
        return opened

    async def close(self) -> None:
        for opened in self._opened:
            await opened.engine.dispose()
            name = make_url(opened.database_url).database
            await self._on_server(f"DROP DATABASE {name} WITH (FORCE)")

    async def _on_server(self, statement: str) -> None:
        connection = await asyncpg.connect(self._server)
        await connection.execute(statement)
        await connection.close()


async def fenced(context: AppContext) -> bool:
    async with context.sessions() as session:
        return await load_fence(session) is not None


async def test_a_database_is_never_behind_its_own_journal(context, brand, shop):
    await queue(context, brand, shop, 3)
    await sweep_once(both(context, Scripted([refuse(), lose])), NOW)
    restarted = replace(context, settings=context.settings)
    provider = Scripted()
    await sweep_once(both(restarted, provider), NOW + GRACE * 2)
    assert provider.calls
    assert not await fenced(context)


async def test_a_restored_copy_sends_nothing_until_it_is_recovered(context, brand, shop, copies):
    await queue(context, brand, shop, 4)
    copy = await copies.backup()
    answers = [
        lambda batch: [
            *refuse()(batch)[:1],
            OutsideError(Outcome.unknown, "timeout"),
            *[Accepted("ref")] * (len(batch.recipients) - 2),
        ]
    ]
    await sweep_once(both(context, Scripted(answers)), NOW)
    provider = Scripted()
    for _ in range(2):
        assert await sweep_once(both(copy, provider), NOW + GRACE) == 0
    assert provider.calls == []
    assert await fenced(copy)
    done = await recover(copy, [copy.settings.journal_path], now=NOW)
    assert (done.messages_sent, done.messages_in_review, done.messages_unknown) == (2, 1, 0)
    assert len(done.decisions()) == 1
    assert not await fenced(copy)
    again = await recover(copy, [copy.settings.journal_path], now=NOW)
    assert (again.messages_sent, again.messages_in_review) == (0, 0)
    await sweep_once(both(copy, provider), NOW + GRACE)
    assert sum(provider.reached.values()) == 1, "the refused one alone was never sent"
    statuses = sorted(message.status for message in await messages(copy))
    assert statuses == ["accepted", "accepted", "accepted", "review"]
    assert {attempt.id for attempt in await attempts(context)} < {
        attempt.id for attempt in await attempts(copy)
    }
    async with copy.sessions() as session:
        assert await check(session, copy.tokens) == []


async def test_a_copy_made_after_the_last_send_is_fenced_by_the_mark_that_follows(
    context, brand, shop, copies
):
    await queue(context, brand, shop, 2)
    await sweep_once(journal_sweep(context), NOW)
    await sweep_once(both(context, Scripted()), NOW)
    copy = await copies.backup()
    restarted = replace(copy, settings=copy.settings)
    await sweep_once(journal_sweep(context), NOW)
    await sweep_once(both(restarted, Scripted()), NOW)
    assert await fenced(restarted)


async def test_a_send_that_was_under_way_when_the_copy_was_made_counts_as_sent(context, brand, shop, copies):
    """The copy knows the number of its record, so it is not behind that writer."""
    await queue(context, brand, shop, 3)
    answers = [lambda batch: [*refuse()(batch)[:1], *[Accepted("ref")] * (len(batch.recipients) - 1)]]
    await sweep_once(both(context, Scripted(answers)), NOW)
    async with context.sessions.begin() as session:
        values = {"status": AttemptStatus.sending, "finished_at": None}
        await session.execute(update(Attempt).where(Attempt.status == AttemptStatus.accepted).values(values))
        await session.execute(
            update(Message)
            .where(Message.status == MessageStatus.accepted)
            .values(status=MessageStatus.sending)
        )
    copy = await copies.backup()
    another_process = replace(context, settings=context.settings)
    await sweep_once(journal_sweep(another_process), NOW)
    restarted = replace(copy, settings=copy.settings)
    assert await sweep_once(both(restarted, Scripted()), NOW + GRACE * 9) == 0
    done = await recover(restarted, [copy.settings.journal_path], now=NOW)
    assert (done.messages_sent, done.messages_in_review) == (2, 0)
    provider = Scripted()
    await sweep_once(both(restarted, provider), NOW + GRACE * 9)
    assert sum(provider.reached.values()) == 1, "the refused one"
    again = await recover(restarted, [copy.settings.journal_path], now=NOW)
    assert again.messages_sent == 0


async def test_a_message_that_the_copy_never_had_is_not_sent_when_it_is_queued_again(
    context, brand, shop, copies
):
    first = await queue(context, brand, shop, 2, due_at=NOW + GRACE)
    copy = await copies.backup()
    async with copy.sessions.begin() as session:
        await session.execute(text("DELETE FROM messages"))
    await sweep_once(both(context, Scripted()), NOW + GRACE)
    assert await sweep_once(both(copy, Scripted()), NOW) == 0
    done = await recover(copy, [copy.settings.journal_path], now=NOW)
    assert done.messages_sent == 2
    async with copy.sessions.begin() as session:
        assert await queue_messages(session, brand.id, first) == []
    provider = Scripted()
    await sweep_once(both(copy, provider), NOW + GRACE)
    assert provider.calls == []


async def test_messages_to_customers_that_the_copy_does_not_have_are_counted(context, brand, shop, copies):
    copy = await copies.backup()
    await queue(context, brand, shop, 3)
    await sweep_once(both(context, Scripted()), NOW)
    await sweep_once(both(copy, Scripted()), NOW)
    done = await recover(copy, [copy.settings.journal_path], now=NOW)
    assert (done.messages_sent, done.messages_unknown) == (0, 3)
    assert "3 messages went to customers that this copy does not have" in done.decisions()[0]


async def test_suppressions_and_erasures_are_applied_again(context, brand, shop, copies):
    wanted = await queue(context, brand, shop, 3)
    await sweep_once(journal_sweep(context), NOW)
    copy = await copies.backup()
    async with context.sessions.begin() as session:
        for reason in (SuppressionReason.unsubscribed, SuppressionReason.complained):
            await suppress(
                session, context.tokens, brand.id, Channel.email, [wanted[0].address], reason, now=NOW
            )
        await erase_people(
            session,
            context.tokens,
            brand,
            {shop.id: shop},
            [PersonToErase(frozenset({wanted[1].customer_id}))],
            actor=cli_actor(brand.id),
            now=NOW,
        )
    await sweep_once(journal_sweep(context), NOW)
    async with context.sessions.begin() as session:
        await lift_suppression(
            session,
            context.tokens,
            brand.id,
            Channel.email,
            wanted[0].address,
            SuppressionReason.unsubscribed,
            now=NOW + GRACE,
        )
    await sweep_once(journal_sweep(context), NOW)
    await sweep_once(journal_sweep(copy), NOW)
    assert await fenced(copy), "a suppression alone shows that the copy is older"
    done = await recover(copy, [copy.settings.journal_path], now=NOW)
    assert done.people_erased == 1
    async with copy.sessions() as session:
        one = await session.get_one(Customer, (brand.id, wanted[1].customer_id))
        assert (one.email, one.phone, one.first_name) == (None, None, None)
        assert await session.scalar(select(func.count()).select_from(ErasedIdentity))
        rows = (await session.execute(select(Suppression.id, Suppression.lifted_at))).all()
    async with context.sessions() as session:
        original = (await session.execute(select(Suppression.id, Suppression.lifted_at))).all()
        assert {tuple(row) for row in original} <= {tuple(row) for row in rows}
    provider = Scripted()
    await sweep_once(both(copy, provider), NOW)
    assert set(provider.reached) == {wanted[2].address}
    journal = b"".join(path.read_bytes() for path in copy.settings.journal_path.rglob("*.jsonl"))
    for canary in (b"person1", b"+4915112345001", b"Ana"):
        assert canary not in journal


async def test_a_database_that_is_replaced_under_a_running_worker_is_noticed(context, brand, shop, copies):
    await queue(context, brand, shop, 2)
    copy = await copies.backup()
    await sweep_once(both(context, Scripted()), NOW)
    running = replace(copy)
    running.journal.writer = context.journal.writer
    provider = Scripted()
    assert await sweep_once(both(running, provider), NOW) == 0
    assert (provider.calls, await fenced(copy)) == ([], True)


async def test_what_the_journal_cannot_take_is_not_sent_and_not_counted(context, brand, shop):
    await queue(context, brand, shop, 2)
    context.settings.journal_path.mkdir(parents=True)
    async with context.sessions() as session:
        installation = await session.scalar(text("SELECT id FROM installations"))
    blocked = context.settings.journal_path / str(installation)
    blocked.write_text("no folder")
    provider = Scripted()
    each = both(context, provider)
    await sweep_once(each, NOW)
    assert provider.calls == []
    assert {(one.status, one.refusals) for one in await messages(context)} == {(MessageStatus.planned, 0)}
    blocked.unlink()
    await sweep_once(each, NOW + GRACE)
    assert {one.status for one in await messages(context)} == {MessageStatus.accepted}


async def test_a_batch_of_a_thousand_is_one_record_and_a_torn_line_is_none(context, brand, shop):
    await queue(context, brand, shop, 30)
    each = both(context, Scripted())
    await sweep_once(each, NOW)
    (path,) = context.settings.journal_path.rglob("*.jsonl")
    (line,) = path.read_bytes().splitlines()
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open("ab") as file:
        file.write(line[: len(line) // 2].replace(b'"n":1', b'"n":9'))
    assert last_numbers(path.parent) == {path.stem: 1}
    restarted = replace(context)
    await sweep_once(both(restarted, Scripted()), NOW)
    assert not await fenced(context)


async def test_other_installations_in_the_same_directory_are_left_alone(context, brand, shop):
    await queue(context, brand, shop)
    await sweep_once(both(context, Scripted()), NOW)
    async with context.sessions.begin() as session:
        await session.execute(text("UPDATE installations SET id = gen_random_uuid()"))
        await session.execute(text("DELETE FROM journal_positions"))
        await session.execute(update(Message).values(status=MessageStatus.planned))
    provider = Scripted()
    await sweep_once(both(replace(context), provider), NOW)
    assert provider.calls
