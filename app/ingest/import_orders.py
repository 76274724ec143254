"""Import a file of orders, batch by batch: each is one transaction with how far the file is done.

So an import that broke off, at any point, goes on where it was when the same file is imported
again; one that was finished is read once more from its beginning, and changes nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import bindparam, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import clock
from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.context import AppContext
from app.base.errors import AppError
from app.base.ids import new_id
from app.base.prepared import Prepared
from app.base.retry import LOCK_NOT_AVAILABLE, retry_conflicts, sqlstate_of
from app.brands.models import Shop
from app.brands.rules import zone_or
from app.ingest.backfill import BackfillItem, Statistics, give_way, record_backfill
from app.ingest.backfill_models import OrderImport
from app.ingest.import_parts import NOTHING_DONE, drop_parts, drop_refusals, import_key, keep_refusals
from app.ingest.order_file import FileRecord, OrderFile
from app.ingest.read_ahead import read_ahead
from app.ingest.read_orders import Piece, Reading, ReadRecord
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


class _Batch(NamedTuple):
    """Records of one transaction."""

    records: Sequence[ReadRecord]
    position: int
    """Bytes of the file that are read with them."""


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
    refusals: Refusals | None
    done: "_Done"
    """What is done of the file, as this run knows it."""

    async def batch(self, batch: _Batch) -> int:
        """Record a batch, and report what was refused of it; returns how many orders were new.

        Waits for rows that others have locked, without a lock of its own. Raises `AppError`
        `import_busy` where that takes too long, or another process imports the file too.
        """
        for _ in range(LOCKED_TRIES):
            try:
                done, refused = await retry_conflicts(lambda: self._transaction(batch), name="import")
                break
            except (DBAPIError, _Locked) as error:
                if isinstance(error, DBAPIError) and sqlstate_of(error) != LOCK_NOT_AVAILABLE:
                    raise
                await asyncio.sleep(LOCKED_SECONDS)
        else:
            raise _busy("Orders of the file are locked by another process.")
        new, self.done = done.new - self.done.new, done
        if self.refusals is not None:
            for each in refused:
                self.refusals.add(each)
        return new

    async def _transaction(self, batch: _Batch) -> "tuple[_Done, list[FileRecord]]":
        """All of the batch or nothing; returns what is done then, and what was refused, by line."""
        items = {new_id(): each for each in batch.records if each.events}
        of_import = {"of_brand": self.shop.brand_id, "import_id": self.import_id}
        async with self.context.sessions.begin() as session:
            found = await _LOCK.first(session, **of_import)
            if found is None:
                raise LookupError("the import is gone")
            before, problem = found
            if problem is not None:
                raise AppError("import_stopped", "The import was stopped.", status=409)
            if before.records != self.done.records:
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
            failed = [FileRecord(items[each].line, refused=why) for each, why in result.failed.items()]
            refused = [FileRecord(each.line, refused=each.refused) for each in batch.records if each.refused]
            refused = sorted([*refused, *failed], key=lambda it: it.line)
            if self.refusals is None:
                await keep_refusals(session, self.shop.brand_id, self.import_id, refused, before.refused)
            done = _Done(
                before.records + len(batch.records),
                before.new + result.new,
                before.known + result.known,
                before.unpaid + sum(not (each.events or each.refused) for each in batch.records),
                before.refused + len(refused),
            )
            values = {f"to_{name}": value for name, value in done._asdict().items()}
            await _UPDATE.run(session, **of_import, **values, to_position=batch.position)
            return done, refused


class _Done(NamedTuple):
    """How much of a file is done, and what came of it."""

    records: int
    new: int
    known: int
    unpaid: int
    refused: int

    def progress(self, share: float, resumed_after: int) -> Progress:
        return Progress(share, *self, resumed_after)


_OF_IMPORT = (OrderImport.brand_id == bindparam("of_brand"), OrderImport.id == bindparam("import_id"))
_COUNTS = [getattr(OrderImport, name) for name in _Done._fields]
_WRITTEN = [*_COUNTS, OrderImport.position]
_WAITS_FOR_NO_DISK = func.set_config("synchronous_commit", "off", true())
"""For this transaction. One that a crash of the database takes back is done again, since it says
itself how far the file is done; the end of an import is committed as everything else is."""
_LOCK = Prepared(
    select(*_COUNTS, OrderImport.problem, _WAITS_FOR_NO_DISK).where(*_OF_IMPORT).with_for_update(),
    lambda *values: (_Done(*values[:-2]), values[-2]),
)
"""Locks the import's row until the commit."""
_UPDATE = Prepared(
    update(OrderImport)
    .where(*_OF_IMPORT)
    .values({each.key: bindparam(f"to_{each.key}", type_=each.type) for each in _WRITTEN}),
    tuple,
)


def _busy(reason: str) -> AppError:
    return AppError(
        "import_busy", f"{reason} Run the same command again later; it goes on from there.", status=503
    )


async def import_orders(  # noqa: PLR0913  # of what, how, and who hears of it
    context: AppContext,
    shop: Shop,
    file: OrderFile,
    *,
    history: bool,
    actor: Actor,
    now: datetime,
    refusals: Refusals | None,
    progress: Callable[[Progress], None] = lambda _progress: None,
    seconds: float | None = None,
) -> Progress:
    """Import the file to its end, all of it at `now`, or for so many seconds.

    Returns what came of it. `progress` is called after each batch. With `refusals` None what is
    refused is kept as rows. Raises `AppError` `import_busy` and `import_stopped`.
    """
    deadline = None if seconds is None else clock.monotonic() + seconds
    async with context.sessions.begin() as session:
        row = await _start(session, shop, file, history=history, now=now)
        if refusals is not None:
            row.problem = None
        done = _Done(*(getattr(row, name) for name in _Done._fields))
        run = _Run(context, shop, row.id, history, now, refusals, done)
    skip = run.done.records
    if refusals is not None:
        refusals.begin(resumed=skip > 0)
    reading = _reading_of(context, shop, file, skip, now=now)
    statistics = Statistics()
    async with read_ahead(reading, most=BATCH) as pieces:
        # The next batch is read while the database works on this one.
        ahead = asyncio.create_task(_read_batch(pieces))
        try:
            while (batch := await ahead).records:
                ahead = asyncio.create_task(_read_batch(pieces))
                new = await run.batch(batch)
                await statistics.after_batch(context, new=new)
                await give_way(context, shop.brand_id, now=now)
                so_far = run.done.progress(batch.position / max(1, file.size), skip)
                progress(so_far)
                if deadline is not None and clock.monotonic() >= deadline:
                    return so_far
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)
    return await _finish(context, run, actor, skip)


def _reading_of(context: AppContext, shop: Shop, file: OrderFile, skip: int, *, now: datetime) -> Reading:
    file_shop = FileShop(shop.currency, zone_or(shop.time_zone, "UTC"), now, settings_of(shop))
    return Reading(file, file_shop, context.tokens, shop.brand_id, shop.id, now, skip)


async def _read_batch(pieces: AsyncIterator[Piece]) -> _Batch:
    records: list[ReadRecord] = []
    position = 0
    async for piece in pieces:
        records += piece.records
        position = piece.position
        if len(records) >= BATCH:
            break
    return _Batch(records, position)


async def _finish(context: AppContext, run: _Run, actor: Actor, skip: int) -> Progress:
    """Note that the file is read to its end; returns what came of it."""
    shop, done = run.shop, run.done.progress(1.0, skip)
    async with context.sessions.begin() as session:
        await session.execute(
            update(OrderImport)
            .where(OrderImport.brand_id == shop.brand_id, OrderImport.id == run.import_id)
            .values(finished_at=run.now, due_at=None, leased_until=None)
        )
        await drop_parts(session, shop.brand_id, run.import_id)
        changes = {name: (None, getattr(done, name)) for name in ("new", "known", "unpaid", "refused")}
        await record_action(session, actor, AuditAction.orders_imported, ("shp", shop.id), changes)
    return done


async def _start(
    session: AsyncSession, shop: Shop, file: OrderFile, *, history: bool, now: datetime
) -> OrderImport:
    """The import's row: a new one, one that broke off, or one that was finished, set back."""
    key = import_key(shop, file, history=history)
    await session.execute(
        insert(OrderImport)
        .values(id=new_id(), started_at=now, **key, **NOTHING_DONE)
        .on_conflict_do_update(
            index_elements=list(key),
            set_={**NOTHING_DONE, "started_at": now, "finished_at": None},
            where=OrderImport.finished_at.is_not(None),
        )
    )
    found = await session.scalars(select(OrderImport).filter_by(**key).with_for_update())
    row = found.one()
    if row.records == 0:
        await drop_refusals(session, row.brand_id, row.id)
    return row
