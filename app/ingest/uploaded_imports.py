"""Uploaded files of orders: taken, shown where they stand, stopped."""

import asyncio
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.errors import AppError, NotFound
from app.base.ids import new_id
from app.brands.models import Shop
from app.ingest.backfill_models import OrderImport
from app.ingest.import_parts import NOTHING_DONE, drop_parts, import_key, keep_parts
from app.ingest.order_file import OrderFile, open_order_file
from app.platforms.order_files import FileFormat

SWEEP_NAME = "imports"
UPLOAD_LIMIT = 256 * 1024 * 1024
"""Bytes of a file; a larger one is imported by command."""
MOST_SHOWN = 50


async def take_file(
    session: AsyncSession,
    shop: Shop,
    path: Path,
    *,
    wanted: FileFormat | None,
    history: bool,
    actor: Actor,
    now: datetime,
) -> tuple[OrderImport, OrderFile]:
    """Keep a file of the shop's orders, which the workers read at once.

    The same file again, of the same format and with the same `history`, is the same import: one
    that broke off or was stopped goes on where it was, a finished one begins anew. Raises
    `AppError`: `bad_file`, and `import_taken` while a worker reads it.
    """
    file = await asyncio.to_thread(open_order_file, path, wanted)
    key = import_key(shop, file, history=history)
    await session.execute(
        insert(OrderImport)
        .values(id=new_id(), started_at=now, **key, **NOTHING_DONE)
        .on_conflict_do_nothing()
    )
    found = await session.scalars(
        select(OrderImport).filter_by(**key).with_for_update().execution_options(populate_existing=True)
    )
    row = found.one()
    if row.leased_until is not None and row.leased_until > now:
        raise AppError("import_taken", "This very file is being read now.", status=409)
    _begin(row, file, now)
    await session.flush()
    await keep_parts(session, shop.brand_id, row.id, path)
    changes = {"format": (None, file.format.value), "history": (None, history), "size": (None, file.size)}
    await record_action(session, actor, AuditAction.orders_imported, ("shp", shop.id), changes)
    await due.wake(session, SWEEP_NAME)
    return row, file


def _begin(row: OrderImport, file: OrderFile, now: datetime) -> None:
    """Have the file read again; what was finished is counted anew."""
    if row.finished_at is not None:
        row.started_at, row.finished_at = now, None
        row.records = row.new = row.known = row.unpaid = row.refused = 0
    row.size, row.position, row.due_at, row.problem = file.size, 0, now, None
    row.leased_until = None


async def load_imports(session: AsyncSession, brand_id: int) -> list[OrderImport]:
    """The brand's last imports, by file and by command, the newest first."""
    found = await session.scalars(
        select(OrderImport)
        .where(OrderImport.brand_id == brand_id)
        .order_by(OrderImport.started_at.desc(), OrderImport.id.desc())
        .limit(MOST_SHOWN)
    )
    return list(found)


async def load_import(session: AsyncSession, brand_id: int, import_id: UUID) -> OrderImport:
    """One import. Raises `NotFound`."""
    row = await session.get(OrderImport, (brand_id, import_id))
    if row is None:
        raise NotFound
    return row


async def stop_import(session: AsyncSession, brand_id: int, import_id: UUID) -> None:
    """Read an uploaded file no further, and delete it; the orders that came in stay.

    Raises `NotFound` for one that is not waiting or being read.
    """
    stopped = await session.execute(
        update(OrderImport)
        .where(
            OrderImport.brand_id == brand_id,
            OrderImport.id == import_id,
            OrderImport.due_at.is_not(None),
            OrderImport.finished_at.is_(None),
        )
        .values(due_at=None, leased_until=None, problem="It was stopped.")
        .returning(OrderImport.id)
        .execution_options(synchronize_session=False)
    )
    if stopped.first() is None:
        raise NotFound
    await drop_parts(session, brand_id, import_id)
