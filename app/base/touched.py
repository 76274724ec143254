"""Rows that a figure may follow from and that changed: steps note them in their own transaction.

A note is one row for a whole batch and is only ever added, so no two transactions wait for each
other. The roll-ups of a package above (`app/insight/roll.py`) read and delete notes; what a note
says too much costs a day that is computed again, what it lacks is a wrong figure. Notes are claimed
with SKIP LOCKED and never by "greater than the last id", so one of a transaction that commits late
is not lost.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Insert, func, insert, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import constant
from app.base.models import TouchedRows
from app.base.prepared import Prepared
from app.base.reading import Reading

TouchedTable = Literal["customers", "messages", "orders", "referrers", "responses", "rewards", "surveys"]
"""Tables whose rows are noted. An order stands for its redemption and the ledger's entries about
it too, a response for the referrer that it made."""

_NOTE = Prepared(
    text("""
        INSERT INTO touched_rows (brand_id, id, table_name, row_ids, moments)
        VALUES (:brand_id, gen_random_uuid(), :table_name, CAST(:row_ids AS uuid[]),
            CAST(:moments AS timestamptz[]))
    """),
    tuple,
)


async def touch(
    session: AsyncSession | Reading,
    brand_id: int,
    table: TouchedTable,
    row_ids: Collection[UUID],
    moments: Collection[datetime] = (),
) -> None:
    """Note that these rows changed; without any nothing is executed.

    `moments` are times that the rows no longer have, where one moved: its figures were those of
    another day before.
    """
    if row_ids or moments:
        noted = {"table_name": table, "row_ids": list(row_ids), "moments": list(moments)}
        await _NOTE.run(session, brand_id=brand_id, **noted)


def touch_with(table: TouchedTable, brand_id: ColumnElement[int], row_id: ColumnElement[UUID]) -> Insert:
    """The insertion that notes the rows which a part of the same statement wrote.

    For statements that would need a second one for it, or that write rows of several brands. Both
    are columns of what that part returns; where it wrote nothing, nothing is noted.
    """
    noted = {
        "brand_id": brand_id,
        "id": func.gen_random_uuid(),
        "table_name": constant(table),
        "row_ids": func.array_agg(row_id),
        "moments": literal_column("'{}'::timestamptz[]"),
    }
    rows = select(*noted.values()).group_by(brand_id)
    return insert(TouchedRows).from_select(list(noted), rows, include_defaults=False)
