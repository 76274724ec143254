"""The sweep that reads uploaded files of orders, a while at a time."""

import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor, ActorKind
from app.base.context import AppContext
from app.base.due import brands_of
from app.base.errors import AppError
from app.base.fence import load_fence
from app.base.log import logger
from app.base.turns import Sweep
from app.brands.find import load_shops
from app.brands.models import Shop
from app.ingest.backfill_models import OrderImport
from app.ingest.import_orders import import_orders
from app.ingest.import_parts import drop_parts, write_parts
from app.ingest.order_file import open_order_file
from app.ingest.uploaded_imports import SWEEP_NAME
from app.platforms.order_files import FileFormat

log = logger(__name__)

TURN_SECONDS = 30.0
"""How long one turn of a brand may take, the file's reading from the database aside."""
LEASE = timedelta(minutes=10)
BUSY = timedelta(minutes=1)
"""After this it is tried again where another process has locked its rows."""
GONE = "The uploaded file is gone; upload it again."


@dataclass(frozen=True, slots=True)
class _Claimed:
    shop: Shop
    import_id: UUID
    format: FileFormat
    history: bool


async def work_due(context: AppContext, brand_id: int, *, now: datetime) -> int:
    """Read one of the brand's uploaded files for a while; returns 1, or 0 for none.

    In a fenced copy of the database nothing is read.
    """
    async with context.sessions.begin() as session:
        claimed = None if await load_fence(session) else await _claim(session, brand_id, now=now)
    if claimed is None:
        return 0
    key = (OrderImport.brand_id == brand_id, OrderImport.id == claimed.import_id)
    try:
        await _read(context, claimed, now=now)
        later: dict[str, object] = {"due_at": now}
    except AppError as error:
        if error.code == "import_stopped":
            return 1
        if error.code == "import_busy":
            later = {"due_at": now + BUSY}
        else:
            later = {"due_at": None, "problem": error.detail}
    async with context.sessions.begin() as session:
        # Nothing of one that is finished, or was stopped meanwhile.
        still = (*key, OrderImport.due_at.is_not(None))
        await session.execute(update(OrderImport).where(*still).values(leased_until=None, **later))
        if later.get("problem"):
            await drop_parts(session, brand_id, claimed.import_id)
    return 1


async def _claim(session: AsyncSession, brand_id: int, *, now: datetime) -> _Claimed | None:
    row = await session.scalar(
        select(OrderImport)
        .where(OrderImport.brand_id == brand_id, *_is_due(now))
        .order_by(OrderImport.due_at, OrderImport.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if row is None:
        return None
    row.leased_until = now + LEASE
    shop = (await load_shops(session, brand_id))[row.shop_id]
    return _Claimed(shop, row.id, FileFormat(row.format), row.history)


def _is_due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        OrderImport.due_at <= now,
        or_(OrderImport.leased_until.is_(None), OrderImport.leased_until <= now),
    )


async def _read(context: AppContext, claimed: _Claimed, *, now: datetime) -> None:
    """Read the file to its end, or for a while. Raises `AppError`."""
    with tempfile.TemporaryDirectory(prefix="tenfold-import-") as folder:
        path = Path(folder) / "orders"
        if not await write_parts(context.sessions, claimed.shop.brand_id, claimed.import_id, path):
            raise AppError("file_gone", GONE)
        await import_orders(
            context,
            claimed.shop,
            open_order_file(path, claimed.format),
            history=claimed.history,
            actor=Actor(ActorKind.worker, claimed.shop.brand_id),
            now=now,
            refusals=None,
            seconds=TURN_SECONDS,
        )


def sweep(context: AppContext) -> Sweep:
    """The sweep that reads what is due, brand by brand."""

    async def brands(now: datetime) -> list[int]:
        return list(await brands_of(context.reading_sessions, OrderImport.brand_id, *_is_due(now)))

    async def work(brand_id: int, now: datetime) -> int:
        return await work_due(context, brand_id, now=now)

    return Sweep(SWEEP_NAME, brands, work, every_seconds=60)
