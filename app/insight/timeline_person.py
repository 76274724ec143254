"""The person whose timeline is read, and as whom it is read."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.base.batch import in_ids
from app.base.records import read_rows
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

    async def rows(self, query: Select[*tuple[Any, ...]]) -> list[Any]:
        """The rows of a query, as records."""
        return await read_rows(self.session, query)

    async def each(self, query: Select[*tuple[Any, ...]]) -> list[Any]:
        """The first value of each row."""
        return [row[0] for row in await self.rows(query)]

    def sees(self, shop_id: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
        """The condition that a row is of one of the shops."""
        return true() if self.shops is None else in_ids(shop_id, sorted(self.shops))


def rows_of(person: Person, table: Any) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The conditions of a table's rows about the customer."""
    return table.brand_id == person.brand_id, table.customer_id == person.customer.id
