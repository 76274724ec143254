"""The person whose timeline is read, and as whom it is read."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Integer, Select, Uuid, bindparam, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.base.batch import in_ids
from app.base.records import Records, read_rows
from app.base.tokens import Tokens
from app.customers.models import Customer


@dataclass(frozen=True, slots=True)
class Person:
    """Whose timeline is read, and how: with personal fields or not, in which language."""

    session: AsyncSession
    tokens: Tokens
    brand_id: int
    customer: Customer
    pii: bool
    language: str
    zone: ZoneInfo
    """Of days in sentences: the brand's."""
    shops: Collection[UUID] | None = None
    """Those whose happenings are read; None for every shop."""

    async def rows(self, query: "Query") -> list[Any]:
        """The rows of a query, as records."""
        if self.shops is None:
            return await _prepared(query).all(self.session, of_brand=self.brand_id, customer=self.customer.id)
        about = About(self.brand_id, self.customer.id, self.shops)
        return await read_rows(self.session, query(about))

    async def each(self, query: "Query") -> list[Any]:
        """The first value of each row."""
        return [row[0] for row in await self.rows(query)]


@dataclass(frozen=True, slots=True)
class About:
    """Whom a query of the timeline is about: ids, or the bound parameters that stand for them."""

    brand_id: Any
    customer_id: Any
    shops: Collection[UUID] | None = None
    """Those whose rows are read; None for every shop."""

    def rows_of(self, table: Any) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        """The conditions of a table's rows about the customer."""
        return table.brand_id == self.brand_id, table.customer_id == self.customer_id

    def sees(self, shop_id: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
        """The condition that a row is of one of the shops."""
        return true() if self.shops is None else in_ids(shop_id, sorted(self.shops))


Selected = Select[*tuple[Any, ...]]
Query = Callable[[About], Selected]
"""Makes a query of what happened to somebody; of all shops it is prepared once a process."""


@cache
def _prepared(query: Query) -> Records:
    anybody = About(bindparam("of_brand", type_=Integer), bindparam("customer", type_=Uuid()))
    return Records(query(anybody))
