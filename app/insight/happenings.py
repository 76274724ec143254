"""The person whose timeline is read."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

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


def rows_of(person: Person, table: Any) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The conditions of a table's rows about the customer."""
    return table.brand_id == person.brand_id, table.customer_id == person.customer.id
