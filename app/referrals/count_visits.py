"""One process's visits: counted together, a moment after the page was sent.

A visit's own transaction would take the page as long as all the rest it reads. What a process that
is killed loses is the count of its last `WAIT_SECONDS`.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Integer, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from app.base.batch import arrays_of, bound_recordset
from app.base.ids import new_id
from app.base.log import logger
from app.base.prepared import Prepared
from app.base.reading import Reading
from app.base.retry import is_unavailable, sqlstate_of
from app.base.touched import touch_with
from app.referrals.visit_models import Visit

log = logger(__name__)

WAIT_SECONDS = 0.1
"""How long the first visit of a group waits for others."""
UNAVAILABLE_SECONDS = 2.0
"""The same after the database was unavailable."""
MOST_WAITING = 10_000
"""Visits that wait in memory at most; more are not counted."""
_AT_ONCE = 500
_OF_ONE_ROW = ("22", "23")
"""Classes of errors about one row's values, such as a referrer who is gone."""


class NewVisit(NamedTuple):
    """Who opened which link on which day, by which a visit is known."""

    brand_id: int
    referrer_id: UUID
    visitor: bytes
    """As `Visit.visitor`."""


class VisitCounter:
    """Writes the visits of one process in groups; an idle process has no task to stop."""

    def __init__(self, reading: Callable[[], Reading]) -> None:
        self._reading = reading
        """By which a statement is a transaction of its own."""
        self._waiting: dict[NewVisit, datetime] = {}
        self._writer: asyncio.Task[None] | None = None
        self._closed = False

    def add(self, visit: NewVisit, at: datetime) -> None:
        """Have the visit counted, once a day however often it is added; it waits for nothing."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting.setdefault(visit, at)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all(), name="visits")

    async def close(self) -> None:
        """Write what waits. What the database does not take now is not counted."""
        self._closed = True
        if self._writer is not None:
            await self._writer

    async def _write_all(self) -> None:
        wait = WAIT_SECONDS
        try:
            while self._waiting:
                await asyncio.sleep(min(wait, WAIT_SECONDS) if self._closed else wait)
                group = dict(list(self._waiting.items())[:_AT_ONCE])
                wait = WAIT_SECONDS if await self._write(group) else UNAVAILABLE_SECONDS
        finally:
            self._writer = None

    async def _write(self, group: Mapping[NewVisit, datetime]) -> bool:
        """Write a group; whether its visits wait no longer. They do where the database is away."""
        try:
            await self._commit(group)
        except Exception as error:  # noqa: BLE001  # a count is not worth a failure
            if is_unavailable(error) and not self._closed:
                return False
            if len(group) > 1 and sqlstate_of(error)[:2] in _OF_ONE_ROW:
                for visit, at in group.items():
                    await self._write({visit: at})
                return True
            log.warning("visits could not be counted", count=len(group), error=type(error).__name__)
        for visit in group:
            self._waiting.pop(visit, None)
        return True

    async def _commit(self, group: Mapping[NewVisit, datetime]) -> None:
        """Write and note them brand by brand, each brand's in a transaction of its own."""
        # In one order everywhere, so that two processes with the same visits cannot deadlock.
        in_order = sorted(group.items())
        async with self._reading() as reading:
            for brand_id, of_brand in groupby(in_order, key=lambda each: each[0].brand_id):
                rows = [
                    {"id": new_id(), "referrer_id": visit.referrer_id, "visitor": visit.visitor, "at": at}
                    for visit, at in of_brand
                ]
                await _INSERT.run(reading, of_brand=brand_id, **arrays_of(rows, _COLUMNS))


_COLUMNS = (Visit.id, Visit.referrer_id, Visit.visitor, Visit.at)
_new = bound_recordset(_COLUMNS)
_written = (
    insert(Visit)
    .from_select(
        ["brand_id", *_new.c.keys()],
        select(bindparam("of_brand", type_=Integer), *_new.c),
        include_defaults=False,
    )
    .on_conflict_do_nothing()
    .returning(Visit.brand_id, Visit.referrer_id)
    .cte("written")
)
_INSERT = Prepared(touch_with("referrers", _written.c.brand_id, _written.c.referrer_id), tuple)
