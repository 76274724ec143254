"""The fence: a database behind its journal sends nothing until a person has recovered it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.base.db import Sessions
from app.base.due import brands_of
from app.base.journal import Journal, JournalWriter, Record, last_numbers
from app.base.log import logger
from app.base.models import Installation, JournalPosition
from app.base.prepared import Prepared

log = logger(__name__)

MARK_SECONDS = 60.0
"""An idle process writes a mark this often, so that its journal too shows an older copy. After a
send the next sweep writes one, so that a copy that was made during it is seen as older."""


class JournalAheadError(Exception):
    """The database has lost a number that this process's journal has: it is an older copy."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """A number of the journal, reserved by a transaction and written after its commit."""

    writer: JournalWriter
    number: int

    async def write(self, kind: str, brand_id: int, rows: list[object]) -> None:
        """Write the record. Raises `OSError` where the journal cannot be written."""
        self.writer.known = max(self.writer.known, self.number)
        await self.writer.write(Record(self.number, kind, brand_id, rows))


async def may_send(sessions: Sessions, journal: Journal) -> bool:
    """Whether this database may send; starts the journal where that is due.

    Raises the fence where the database is behind a journal of this machine: behind a file that is
    there at the start, or, when it is replaced under a running process, behind its own.
    """
    writer = await _started(sessions, journal)
    async with sessions() as session:
        # Asked before each send: a transaction would take two round trips more.
        await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        # Read before the query: its snapshot lacks what another task commits meanwhile.
        known = writer.known
        row = (
            await session.execute(
                select(
                    Installation.fenced_at,
                    select(JournalPosition.number)
                    .where(JournalPosition.writer == writer.name)
                    .scalar_subquery(),
                )
            )
        ).one()
    fenced_at, number = row
    if fenced_at is None and (number is None or number < known):
        async with sessions.begin() as session:
            await raise_fence(session, "the database went back while a worker ran")
        return False
    return fenced_at is None


async def _started(sessions: Sessions, journal: Journal) -> JournalWriter:
    """The process's writer; begins a file where there is none or it is full.

    Several sweeps ask for it at once. Nobody gets a writer before the database has its position,
    which would look like a database that went back.
    """
    async with journal.starting:
        if journal.writer is None or journal.writer.is_full:
            async with sessions.begin() as session:
                folder, is_older = await _compare(session, journal)
                if is_older:
                    await raise_fence(
                        session, f"the journal {folder} has records that this database does not know"
                    )
                writer = JournalWriter(folder)
                await session.execute(insert(JournalPosition).values(writer=writer.name, number=0))
            journal.writer = writer
        return journal.writer


async def is_behind(session: AsyncSession, journal: Journal) -> bool:
    """Whether the files of this machine have records that the database does not know; read-only."""
    _, is_older = await _compare(session, journal)
    return is_older


async def _compare(session: AsyncSession, journal: Journal) -> tuple[Path, bool]:
    """The installation's folder, and whether the database is behind a file in it."""
    installation = (await session.scalars(select(Installation.id))).one()
    folder = journal.folder(installation)
    written = await asyncio.to_thread(last_numbers, folder)
    return folder, any(number >= 0 for number in (await missing_after(session, written)).values())


async def missing_after(session: AsyncSession, written: Mapping[str, int]) -> dict[str, int]:
    """By writer, the number after which the database knows no record; -1 where it knows all."""
    found = await session.execute(
        select(JournalPosition.writer, JournalPosition.number).where(
            JournalPosition.writer.in_(written.keys())
        )
    )
    positions = {row.writer: row.number for row in found}
    return {
        writer: positions.get(writer, 0) if number > positions.get(writer, 0) else -1
        for writer, number in written.items()
    }


async def raise_fence(session: AsyncSession, reason: str) -> None:
    """Stop all sending until `tenfold recover`; the first reason stays."""
    raised = await session.scalar(
        update(Installation)
        .where(Installation.fenced_at.is_(None))
        .values(fenced_at=func.clock_timestamp(), fence_reason=reason)
        .returning(Installation.fenced_at)
    )
    if raised is not None:
        log.error("nothing is sent until this command is run: tenfold recover", reason=reason)


async def lift_fence(session: AsyncSession, written: Mapping[str, int]) -> None:
    """Let the database send again; `written` are the last numbers that it knows now, by writer."""
    for writer, number in sorted(written.items()):
        statement = insert(JournalPosition).values(writer=writer, number=number)
        await session.execute(
            statement.on_conflict_do_update(
                index_elements=["writer"],
                set_={"number": func.greatest(JournalPosition.number, statement.excluded.number)},
            )
        )
    await session.execute(update(Installation).values(fenced_at=None, fence_reason=None))


@dataclass(frozen=True, slots=True)
class Fence:
    """Since when nothing is sent, and why."""

    since: datetime
    reason: str


async def load_fence(session: AsyncSession) -> Fence | None:
    """The fence; None where the database may send."""
    row = (await session.execute(select(Installation.fenced_at, Installation.fence_reason))).one()
    return None if row.fenced_at is None else Fence(row.fenced_at, row.fence_reason or "")


async def brands_unless_fenced(
    sessions: Sessions, brand_id: InstrumentedAttribute[int], *due: ColumnElement[bool]
) -> Sequence[int]:
    """As `brands_of`, and none in a fenced copy: for sweeps that call out for their brands."""
    async with sessions() as session:
        if await load_fence(session) is not None:
            return []
    return await brands_of(sessions, brand_id, *due)


async def reserve(session: AsyncSession, journal: Journal) -> Reservation:
    """Reserve the next number in the caller's transaction, best as its last statement.

    Raises `JournalAheadError` where the database has gone back. The journal must be started.
    """
    writer = journal.writer
    assert writer is not None  # noqa: S101  # `may_send` starts it
    writer.number += 1
    # While the database is asked, other tasks reserve numbers of their own.
    number = writer.number
    journal.is_unmarked = True
    given = {"of_writer": writer.name, "reserved": number, "known": writer.known}
    if not await _RESERVE.run(session, **given):
        raise JournalAheadError
    return Reservation(writer, number)


_RESERVE = Prepared(
    update(JournalPosition)
    .where(
        JournalPosition.writer == bindparam("of_writer"),
        JournalPosition.number >= bindparam("known", type_=JournalPosition.number.type),
    )
    .values(
        number=func.greatest(JournalPosition.number, bindparam("reserved", type_=JournalPosition.number.type))
    ),
    tuple,
)


async def mark(sessions: Sessions, journal: Journal) -> None:
    """Write a mark where something was sent since the last one, or that is `MARK_SECONDS` old.

    Nothing where the journal is not started.
    """
    at = asyncio.get_running_loop().time()
    if journal.writer is None or (not journal.is_unmarked and at - journal.marked_at < MARK_SECONDS):
        return
    async with sessions.begin() as session:
        reserved = await reserve(session, journal)
        journal.marked_at, journal.is_unmarked = at, False
    await reserved.write("mark", 0, [])
