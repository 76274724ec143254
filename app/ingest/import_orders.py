"""Import a file of orders, batch by batch: each is one transaction with how far the file is done.

So an import that broke off, at any point, goes on where it was when the same file is imported
again; one that was finished is read once more from its beginning, and changes nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import clock
from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.context import AppContext
from app.base.errors import AppError
from app.base.ids import new_id
from app.base.retry import LOCK_NOT_AVAILABLE, retry_conflicts, sqlstate_of
from app.brands.models import Shop
from app.brands.rules import zone_or
from app.ingest.backfill import BackfillItem, ReadEvent, Statistics, give_way, read_events, record_backfill
from app.ingest.backfill_models import OrderImport
from app.ingest.import_parts import drop_parts, drop_refusals, keep_refusals
from app.ingest.order_file import FileRecord, OrderFile, OrderFileReader
from app.platforms.order_files import FileShop
from app.platforms.shop_settings import settings_of

BATCH = 1_000
"""Records of one transaction."""
LOCKED_TRIES = 20
LOCKED_SECONDS = 0.5
"""Between two attempts at orders whose rows another process has locked."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is; the numbers include what an earlier run of it did."""

    share: float
    """Of the file's bytes, in [0, 1]."""
    records: int
    new: int
    known: int
    unpaid: int
    refused: int
    resumed_after: int = 0
    """Records that an earlier run had done."""


class Refusals(Protocol):
    """Where what was refused is written."""

    def begin(self, *, resumed: bool) -> None:
        """Start over, or with `resumed` go on after what an earlier run of the import wrote."""

    def add(self, record: FileRecord) -> None:
        """Write one record that was refused; called once its batch is committed."""


class _Read(NamedTuple):
    """A record, and its events as they are applied."""

    record: FileRecord
    events: Sequence[ReadEvent]


class _Locked(Exception):
    """Another transaction has locked rows that the batch needs."""


@dataclass(slots=True)
class _Run:
    """One run over a file."""

    context: AppContext
    shop: Shop
    import_id: UUID
    history: bool
    now: datetime
    refusals: Refusals
    keeps: bool
    done: int
    """Records of the file that are done, as this run knows it."""
    position: int = 0
    """Bytes that are read of it."""

    new: int = 0
    """Orders of the last batch that were not known."""

    async def batch(self, read: Sequence[_Read]) -> None:
        """Record a batch, and report what was refused of it.

        Waits for rows that others have locked, without a lock of its own. Raises `AppError`
        `import_busy` where that takes too long, or another process imports the file too.
        """
        for _ in range(LOCKED_TRIES):
            try:
                failed = await retry_conflicts(lambda: self._transaction(read), name="import")
                break
            except (DBAPIError, _Locked) as error:
                if isinstance(error, DBAPIError) and sqlstate_of(error) != LOCK_NOT_AVAILABLE:
                    raise
                await asyncio.sleep(LOCKED_SECONDS)
        else:
            raise _busy("Orders of the file are locked by another process.")
        self.done += len(read)
        refused = (it.record for it in read if it.record.refused)
        for each in sorted([*refused, *failed], key=lambda it: it.line):
            self.refusals.add(each)

    async def _transaction(self, read: Sequence[_Read]) -> list[FileRecord]:
        """All of the batch or nothing; returns what could not be processed of it."""
        items = {new_id(): each for each in read if each.events}
        records = [each.record for each in read]
        async with self.context.sessions.begin() as session:
            done, known_refusals = await _lock(session, self.shop.brand_id, self.import_id)
            if done != self.done:
                raise _busy("Another process imports this file now.")
            result = await record_backfill(
                session,
                self.context.tokens,
                self.shop.brand_id,
                self.shop.id,
                [BackfillItem(item_id, each.events) for item_id, each in items.items()],
                history=self.history,
                now=self.now,
            )
            if len(result.done) + len(result.failed) < len(items):
                raise _Locked
            self.new = result.new
            failed = [FileRecord(items[each].record.line, refused=why) for each, why in result.failed.items()]
            refused = [*(each for each in records if each.refused), *failed]
            if self.keeps:
                await keep_refusals(session, self.shop.brand_id, self.import_id, refused, known_refusals)
            await session.execute(
                update(OrderImport)
                .where(OrderImport.brand_id == self.shop.brand_id, OrderImport.id == self.import_id)
                .values(
                    records=self.done + len(records),
                    new=OrderImport.new + result.new,
                    known=OrderImport.known + result.known,
                    unpaid=OrderImport.unpaid + sum(not (it.events or it.refused) for it in records),
                    refused=OrderImport.refused + len(refused),
                    position=self.position,
                )
            )
            return failed


def _busy(reason: str) -> AppError:
    return AppError(
        "import_busy", f"{reason} Run the same command again later; it goes on from there.", status=503
    )


async def _lock(session: AsyncSession, brand_id: int, import_id: UUID) -> tuple[int, int]:
    """Lock the import's row until the commit; returns how many records are done, and refused.

    Raises `AppError` `import_stopped` where somebody has stopped it.
    """
    found = await session.execute(
        select(OrderImport.records, OrderImport.refused, OrderImport.problem)
        .where(OrderImport.brand_id == brand_id, OrderImport.id == import_id)
        .with_for_update()
    )
    row = found.one()
    if row.problem is not None:
        raise AppError("import_stopped", "The import was stopped.", status=409)
    return row.records, row.refused


async def import_orders(  # noqa: PLR0913  # of what, how, and who hears of it
    context: AppContext,
    shop: Shop,
    file: OrderFile,
    *,
    history: bool,
    actor: Actor,
    now: datetime,
    refusals: Refusals,
    progress: Callable[[Progress], None] = lambda _progress: None,
    keeps: bool = False,
    seconds: float | None = None,
) -> Progress:
    """Import the file to its end, all of it at `now`, or for so many seconds.

    Returns what came of it. `progress` is called after each batch. With `keeps` what is refused is
    kept as rows too. Raises `AppError` `import_busy` and `import_stopped`.
    """
    deadline = None if seconds is None else clock.monotonic() + seconds
    async with context.sessions.begin() as session:
        row = await _start(session, shop, file, history=history, now=now)
        if not keeps:
            row.problem = None
        run = _Run(context, shop, row.id, history, now, refusals, keeps, row.records)
        skip = row.records
    refusals.begin(resumed=skip > 0)
    reader = OrderFileReader(file, _file_shop(shop, now))
    records = reader.records(skip=skip)

    def read_batch() -> list[_Read]:
        batch = islice(records, BATCH)
        return [_Read(each, read_events(context.tokens, shop, each.events, now=now)) for each in batch]

    statistics = Statistics()
    # The next batch is read while the database works on this one.
    ahead = asyncio.create_task(asyncio.to_thread(read_batch))
    try:
        while batch := await ahead:
            run.position = reader.position
            ahead = asyncio.create_task(asyncio.to_thread(read_batch))
            await run.batch(batch)
            await statistics.after_batch(context, new=run.new)
            await give_way(context, shop.brand_id, now=now)
            done = await _progress(context, run, reader.position / max(1, file.size), skip)
            progress(done)
            if deadline is not None and clock.monotonic() >= deadline:
                return done
    finally:
        await asyncio.gather(ahead, return_exceptions=True)
    done = await _progress(context, run, 1.0, skip)
    async with context.sessions.begin() as session:
        await session.execute(
            update(OrderImport)
            .where(OrderImport.brand_id == shop.brand_id, OrderImport.id == run.import_id)
            .values(finished_at=now, due_at=None, leased_until=None)
        )
        await drop_parts(session, shop.brand_id, run.import_id)
        changes = {name: (None, getattr(done, name)) for name in ("new", "known", "unpaid", "refused")}
        await record_action(session, actor, AuditAction.orders_imported, ("shp", shop.id), changes)
    return done


def _file_shop(shop: Shop, now: datetime) -> FileShop:
    return FileShop(shop.currency, zone_or(shop.time_zone, "UTC"), now, settings_of(shop))


async def _start(
    session: AsyncSession, shop: Shop, file: OrderFile, *, history: bool, now: datetime
) -> OrderImport:
    """The import's row: a new one, one that broke off, or one that was finished, set back."""
    key = {
        "brand_id": shop.brand_id,
        "shop_id": shop.id,
        "content_hash": file.content_hash,
        "format": file.format,
        "history": history,
    }
    counts = dict.fromkeys(("records", "new", "known", "unpaid", "refused"), 0)
    await session.execute(
        insert(OrderImport)
        .values(id=new_id(), started_at=now, **key, **counts)
        .on_conflict_do_update(
            index_elements=list(key),
            set_={**counts, "started_at": now, "finished_at": None},
            where=OrderImport.finished_at.is_not(None),
        )
    )
    found = await session.scalars(select(OrderImport).filter_by(**key).with_for_update())
    row = found.one()
    if row.records == 0:
        await drop_refusals(session, row.brand_id, row.id)
    return row


async def _progress(context: AppContext, run: _Run, share: float, skipped: int) -> Progress:
    async with context.sessions() as session:
        row = await session.get_one(OrderImport, (run.shop.brand_id, run.import_id))
        return Progress(share, row.records, row.new, row.known, row.unpaid, row.refused, skipped)
