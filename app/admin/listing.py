"""Lists of the API: newest first, a page at a time; the next page is found by a signed cursor."""

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from sqlalchemy import ColumnElement, literal, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.admin.reads import record_reading
from app.admin.resources import Resource
from app.base.actor import Actor
from app.base.errors import AppError, NotFound
from app.base.ids import parse_public_id
from app.base.records import read_first, read_rows
from app.base.schemas import Page, RowModel
from app.base.tokens import Tokens
from app.base.web.context import ContextDep

M = TypeVar("M", bound=RowModel)
_BAD_CURSOR = "The cursor is not one that this list returned; start again without it."


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is wanted. Ids sort by time, so the cursor is the last id of the page before."""

    tokens: Tokens
    limit: int
    cursor: str | None

    def after(self, brand_id: int) -> UUID | None:
        """The id that the page begins after; None for the first page.

        Raises AppError (`bad_cursor`) for a cursor that is not of this brand.
        """
        if not self.cursor:
            return None
        subject = self.tokens.read_link("cursor", self.cursor)
        if subject is None or subject.brand_id != brand_id:
            raise AppError("bad_cursor", _BAD_CURSOR)
        return subject.row_id

    def cursor_after(self, brand_id: int, row_id: UUID | None) -> str | None:
        """The cursor of the page that begins after this row; None where there is none."""
        return None if row_id is None else self.tokens.link("cursor", brand_id, row_id)


async def _page_request(
    context: ContextDep,
    limit: Annotated[int, Query(ge=1, le=100, description="Rows a page.")] = 50,
    cursor: Annotated[
        str | None, Query(max_length=100, description="`next_cursor` of the page before.")
    ] = None,
) -> PageRequest:
    return PageRequest(context.tokens, limit, cursor)


PageDep = Annotated[PageRequest, Depends(_page_request)]


async def list_page(
    session: AsyncSession,
    wanted: PageRequest,
    caller: Actor,
    resource: Resource[M],
    *conditions: ColumnElement[bool],
    by: InstrumentedAttribute[Any] | None = None,
) -> Page[M]:
    """One page of the rows that the caller may see and that meet the conditions, newest first.

    With `by` those with the most of this column are first, which is null in none of them. One
    query, and an entry of the audit log where staff see people's data. Raises AppError
    (`bad_cursor`) for a cursor that is not of this brand, or whose row is gone.
    """
    after = wanted.after(caller.brand_id)
    every = resource.visible(caller)
    query = every.where(*conditions)
    order = (resource.key.desc(),) if by is None else (by.desc(), resource.key.desc())
    if after is not None and by is None:
        query = query.where(resource.key < after)
    elif after is not None and by is not None:
        # It may have left the list since: who works one off goes on behind it.
        reached = await session.scalar(every.where(resource.key == after).with_only_columns(by))
        if reached is None:
            raise AppError("bad_cursor", _BAD_CURSOR)
        query = query.where(tuple_(by, resource.key) < tuple_(literal(reached), literal(after)))
    rows = await read_rows(session, query.order_by(*order).limit(wanted.limit + 1))
    shown = rows[: wanted.limit]
    more = len(rows) > wanted.limit
    cursor = wanted.cursor_after(caller.brand_id, shown[-1].id if more else None)
    if resource.people and shown:
        await record_reading(session, caller, resource.people, len(shown))
    return Page(data=[resource.shape(row, pii=caller.sees_people) for row in shown], next_cursor=cursor)


async def get_row(session: AsyncSession, caller: Actor, resource: Resource[M], row_id: UUID) -> M:
    """One row; raises NotFound for a missing one and for one that the caller may not see."""
    row = await read_first(session, resource.visible(caller).where(resource.key == row_id))
    if row is None:
        raise NotFound
    return resource.shape(row, pii=caller.sees_people)


def matches(column: InstrumentedAttribute[Any], value: object) -> ColumnElement[bool]:
    """The condition of a filter; true for every row where no value is given."""
    return true() if value is None else column == value


def matches_id(column: InstrumentedAttribute[Any], prefix: str, shown_id: str | None) -> ColumnElement[bool]:
    """The condition of a filter by a public id; raises NotFound for an id of another kind."""
    return true() if shown_id is None else column == parse_public_id(prefix, shown_id)
