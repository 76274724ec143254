"""Lists of the API: newest first, a page at a time, continued behind a signed cursor."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query
from sqlalchemy import ColumnElement, Row, Select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.admin.auth import Caller
from app.base.errors import AppError, NotFound
from app.base.ids import parse_public_id
from app.base.tokens import Tokens
from app.base.web.context import ContextDep


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of rows that can be listed.

    `rows` selects a brand's, with the row's id labelled `id`; `key` is the column of that id; `shape` turns a row into what the
    API shows, its flag says whether personal fields are shown.
    """

    rows: Callable[[int], Select[Any]]
    key: InstrumentedAttribute[UUID]
    shape: Callable[[Any, bool], dict[str, Any]]


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
            raise AppError(
                "bad_cursor", "The cursor is not one that this list gave out; start again without it."
            )
        return subject.row_id


def _page(
    context: ContextDep,
    limit: Annotated[int, Query(ge=1, le=100, description="Rows a page.")] = 50,
    cursor: Annotated[
        str | None, Query(max_length=100, description="`next_cursor` of the page before.")
    ] = None,
) -> Page:
    return Page(context.tokens, limit, cursor)


PageDep = Annotated[Page, Depends(_page)]


async def listing(
    session: AsyncSession, page: Page, caller: Caller, resource: Resource, *conditions: ColumnElement[bool]
) -> dict[str, Any]:
    """One page of the caller's own rows that fulfil the conditions, newest first, by one query."""
    after = page.after(caller.brand_id)
    wanted = resource.rows(caller.brand_id).where(*conditions)
    if after is not None:
        wanted = wanted.where(resource.key < after)
    found: list[Row[Any]] = list(
        (await session.execute(wanted.order_by(resource.key.desc()).limit(page.limit + 1))).all()
    )
    shown = found[: page.limit]
    cursor = page.tokens.link("cursor", caller.brand_id, shown[-1].id) if len(found) > page.limit else None
    return {"data": [resource.shape(row, caller.sees_people) for row in shown], "next_cursor": cursor}


async def single(session: AsyncSession, caller: Caller, resource: Resource, row_id: UUID) -> dict[str, Any]:
    """One row of the caller's; `NotFound` for a missing one and for another brand's."""
    row = (await session.execute(resource.rows(caller.brand_id).where(resource.key == row_id))).first()
    if row is None:
        raise NotFound
    return resource.shape(row, caller.sees_people)


def matches(column: InstrumentedAttribute[Any], value: object) -> ColumnElement[bool]:
    """The condition of a filter; a filter that was not given lets all through."""
    return true() if value is None else column == value


def names(column: InstrumentedAttribute[Any], prefix: str, shown_id: str | None) -> ColumnElement[bool]:
    """The condition of a filter by a shown id; an id of another kind is as unknown as any."""
    return true() if shown_id is None else column == parse_public_id(prefix, shown_id)
