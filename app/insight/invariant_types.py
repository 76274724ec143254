"""What an invariant is: checked by one query, or computed from several."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.ids import public_id
from app.base.tokens import Tokens

IS_REFUNDED = """(CASE WHEN orders.total > orders.shipping_total
    THEN orders.refunded > 0 AND orders.refunded
        - least(orders.refunded_shipping, orders.shipping_total, orders.refunded)
        >= orders.total - orders.shipping_total
    ELSE orders.refunded > 0 AND orders.refunded >= orders.total END)"""
"""SQL: whether nothing is left of the goods of a row of `orders` by refunds (`OrderMoney`)."""
ViolatingRow = tuple[int, str]
"""The brand, and what a person reads of the row: its id as the API shows it."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """A statement about the data that is always true; one query finds the rows that violate it.

    `query` returns `brand_id` and `row` (an id) of every violating row; `prefix` is that of the id
    as the API shows it. `statement` is for people to read.
    """

    name: str
    statement: str
    prefix: str
    query: str

    async def find(self, session: AsyncSession, _tokens: Tokens) -> Sequence[ViolatingRow]:
        """The violating rows, each once, sorted."""
        found = await session.execute(text(self.query))
        return shown_rows(self.prefix, {(row.brand_id, row.row) for row in found})


@dataclass(frozen=True, slots=True)
class ComputedInvariant:
    """An invariant that no single query can check; `find` returns the same as `Invariant.find`."""

    name: str
    statement: str
    find: Callable[[AsyncSession, Tokens], Awaitable[Sequence[ViolatingRow]]]


def shown_rows(prefix: str, rows: set[tuple[int, UUID]]) -> list[ViolatingRow]:
    """Brands and row ids as a person reads them, by brand and id."""
    return [(brand_id, public_id(prefix, row_id)) for brand_id, row_id in sorted(rows)]


async def stream_rows(session: AsyncSession, query: str) -> AsyncIterator[Any]:
    """The rows of a query, 1,000 at a time, so that any number of them fits in memory."""
    found = await session.stream(text(query), execution_options={"yield_per": 1000})
    async for row in found:
        yield row
