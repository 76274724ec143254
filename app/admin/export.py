"""A list as a file: streamed by parts, with its progress and an end that proves it whole."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Update, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.export_filters import ChosenRows, ExportFilters, choose_rows
from app.admin.export_formats import FileWriter, file_writer
from app.admin.export_lists import EXPORTS
from app.admin.export_models import ListExport
from app.admin.export_rules import ExportFormat, ExportName
from app.admin.reads import record_export
from app.base import clock
from app.base.actor import Actor
from app.base.context import AppContext
from app.base.db import allow_long_reading
from app.base.log import logger
from app.base.schemas import RowModel
from app.brands.models import Brand

log = logger(__name__)

_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class StartedExport:
    """An export that is recorded and may be streamed."""

    id: UUID
    caller: Actor
    rows: ChosenRows
    writer: FileWriter


async def start_export(
    session: AsyncSession,
    caller: Actor,
    brand: Brand,
    name: ExportName,
    made: ExportFormat,
    filters: ExportFilters,
) -> StartedExport:
    """Record that the caller takes a list, also in the audit log. Raises as `choose_rows`."""
    rows = await choose_rows(session, caller, brand, name, filters)
    export = ListExport(
        brand_id=brand.id,
        name=name,
        format=made,
        filters=filters.stored(),
        people=caller.sees_people,
        actor_kind=caller.kind,
        actor_id=caller.id,
        advanced_at=clock.now(),
    )
    session.add(export)
    await session.flush()
    await record_export(session, caller, name, made, filters.stored())
    writer = file_writer(made, EXPORTS[name].columns, with_end=filters.end)
    return StartedExport(export.id, caller, rows, writer)


async def export_parts(context: AppContext, export: StartedExport) -> AsyncIterator[bytes]:
    """What the caller may see of the list, oldest first, 1,000 rows at a time.

    Any number of rows fits in memory.

    Each part is read when it is asked for, in a transaction of its own: a client that reads slowly
    holds no connection. The first part is read at once, so that a database that is away is an error
    rather than an empty list.
    """
    parts = _parts(context, export)
    first = await anext(parts)

    async def whole() -> AsyncIterator[bytes]:
        yield first
        async for part in parts:
            yield part

    return whole()


async def _parts(context: AppContext, export: StartedExport) -> AsyncIterator[bytes]:
    digest, count = hashlib.sha256(), 0
    start = export.writer.head()
    try:
        async for rows, is_last in _chunks(context, export):
            count += len(rows)
            part = (start + export.writer.rows(rows)).encode()
            digest.update(part)
            start = ""
            yield part + (export.writer.end(count, digest.hexdigest()).encode() if is_last else b"")
    except Exception:
        await _note(context, export, failed_at=clock.now())
        raise
    # Only now has the last part left.
    await _note(context, export, finished_at=clock.now())


async def _chunks(context: AppContext, export: StartedExport) -> AsyncIterator[tuple[list[RowModel], bool]]:
    """The rows in the order of their ids, and whether these are the last ones."""
    caller, resource = export.caller, export.rows.resource
    wanted = resource.visible(caller).where(*export.rows.conditions).order_by(resource.key).limit(_CHUNK)
    after: UUID | None = None
    count = 0
    while True:
        async with context.sessions.begin() as session:
            await allow_long_reading(session)
            page = wanted if after is None else wanted.where(resource.key > after)
            rows = (await session.execute(page)).all()
            count += len(rows)
            await session.execute(_changed(caller, export.id, rows=count, advanced_at=clock.now()))
        is_last = len(rows) < _CHUNK
        yield [resource.shape(row, pii=caller.sees_people) for row in rows], is_last
        if is_last:
            return
        after = rows[-1].id


def _changed(caller: Actor, export_id: UUID, **values: object) -> Update:
    return (
        update(ListExport)
        .where(ListExport.brand_id == caller.brand_id, ListExport.id == export_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


async def _note(context: AppContext, export: StartedExport, **values: object) -> None:
    """Write how it ended; where that fails it is taken for broken off after a while."""
    try:
        async with context.sessions.begin() as session:
            await session.execute(_changed(export.caller, export.id, **values))
    except Exception:
        log.warning("how an export ended could not be written", export=str(export.id), exc_info=True)
