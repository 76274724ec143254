"""Lists of the API: newest first, a page at a time, continued behind a signed cursor."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query
from sqlalchemy import Row, Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.base.errors import AppError
from app.base.tokens import Tokens
from app.base.web import GroundDep

Shape = Callable[[Any, bool], dict[str, Any]]
"""Turns a row into what the API shows; the flag says whether personal fields are shown."""


@dataclass(frozen=True, slots=True)
class Page:
    """Where in a list a caller is; ids sort by time, so the cursor is the last id of the page before."""

    tokens: Tokens
    limit: int
    cursor: str | None

    def after(self, brand_id: int) -> UUID | None:
        """The id the page begins behind; a cursor that is not one of this brand's own is an `AppError`."""
        if not self.cursor:
            return None
        subject = self.tokens.read_link("cursor", self.cursor)
        if subject is None or subject.brand_id != brand_id:
            raise AppError("bad_cursor", "The cursor is not one that this list gave out; start again without it.")
        return subject.row_id


def _page(
    ground: GroundDep,
    limit: Annotated[int, Query(ge=1, le=100, description="Rows a page.")] = 50,
    cursor: Annotated[str | None, Query(max_length=100, description="`next_cursor` of the page before.")] = None,
) -> Page:
    return Page(ground.tokens, limit, cursor)


PageDep = Annotated[Page, Depends(_page)]


async def listing(
    session: AsyncSession,
    page: Page,
    brand_id: int,
    rows: Select[Any],
    key: InstrumentedAttribute[UUID],
    shape: Shape,
    *,
    pii: bool,
) -> dict[str, Any]:
    """One page of a list by one query. `rows` carries the brand's condition and a column labelled `id`, `key` is that column."""
    after = page.after(brand_id)
    wanted = rows if after is None else rows.where(key < after)
    found: list[Row[Any]] = list((await session.execute(wanted.order_by(key.desc()).limit(page.limit + 1))).all())
    more = len(found) > page.limit
    shown = found[: page.limit]
    cursor = page.tokens.link("cursor", brand_id, shown[-1].id) if more else None
    return {"data": [shape(row, pii) for row in shown], "next_cursor": cursor}
