"""The rows of imports: which one a file is, an uploaded file in pieces, and what was refused."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.db import Sessions
from app.brands.models import Shop
from app.ingest.backfill_models import OrderImportPart, OrderImportRefusal
from app.ingest.order_file import FileRecord, OrderFile

PART_BYTES = 512 * 1024
"""Of one piece."""
MOST_REFUSALS = 10_000
"""Of one file that are kept; all of them are counted."""


NOTHING_DONE = dict.fromkeys(("records", "new", "known", "unpaid", "refused"), 0)
"""The counts of an import that begins."""


def import_key(shop: Shop, file: OrderFile, *, history: bool) -> dict[str, object]:
    """The columns by which the same file is the same import, however often it comes."""
    return {
        "brand_id": shop.brand_id,
        "shop_id": shop.id,
        "content_hash": file.content_hash,
        "format": file.format,
        "history": history,
    }


async def keep_parts(session: AsyncSession, brand_id: int, import_id: UUID, path: Path) -> None:
    """Keep a file's content in pieces, in place of those that are there."""
    await drop_parts(session, brand_id, import_id)
    number = 0
    with path.open("rb") as file:
        while content := file.read(PART_BYTES):  # a file of our own, half a MiB at a time
            await session.execute(
                insert(OrderImportPart).values(
                    brand_id=brand_id, import_id=import_id, number=number, content=content
                )
            )
            number += 1


async def write_parts(sessions: Sessions, brand_id: int, import_id: UUID, path: Path) -> bool:
    """Write the pieces to a file, one after the other; returns False where there are none."""
    of_import = (OrderImportPart.brand_id == brand_id, OrderImportPart.import_id == import_id)
    async with sessions() as session:
        count = await session.scalar(select(func.count()).where(*of_import)) or 0
        with path.open("wb") as file:
            for number in range(count):
                content = await session.scalar(
                    select(OrderImportPart.content).where(*of_import, OrderImportPart.number == number)
                )
                file.write(content or b"")
    return count > 0


async def drop_parts(session: AsyncSession, brand_id: int, import_id: UUID) -> None:
    """Delete the pieces of a file."""
    await session.execute(
        delete(OrderImportPart).where(
            OrderImportPart.brand_id == brand_id, OrderImportPart.import_id == import_id
        )
    )


async def keep_refusals(
    session: AsyncSession, brand_id: int, import_id: UUID, refused: Sequence[FileRecord], known: int
) -> None:
    """Keep what was refused, up to `MOST_REFUSALS` of a file, `known` of which were before."""
    kept = refused[: max(0, MOST_REFUSALS - known)]
    rows = {
        each.line: {
            "brand_id": brand_id,
            "import_id": import_id,
            "line": each.line,
            "reason": each.refused or "",
        }
        for each in kept
    }
    if rows:
        await session.execute(insert(OrderImportRefusal).on_conflict_do_nothing(), list(rows.values()))


async def drop_refusals(session: AsyncSession, brand_id: int, import_id: UUID) -> None:
    """Delete what an earlier run over the file has refused."""
    await session.execute(
        delete(OrderImportRefusal).where(
            OrderImportRefusal.brand_id == brand_id, OrderImportRefusal.import_id == import_id
        )
    )


async def load_refusals(session: AsyncSession, brand_id: int, import_id: UUID) -> list[tuple[int, str]]:
    """What was refused and is kept: line and reason, by line."""
    found = await session.execute(
        select(OrderImportRefusal.line, OrderImportRefusal.reason)
        .where(OrderImportRefusal.brand_id == brand_id, OrderImportRefusal.import_id == import_id)
        .order_by(OrderImportRefusal.line)
    )
    return [(row.line, row.reason) for row in found]
