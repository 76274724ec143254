"""A batch of rows as one bound value, so that a statement stays the same whatever the batch's size."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Column, ColumnElement, Text, Uuid, any_, column, func, literal
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.selectable import TableValuedAlias


def recordset(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column[Any]], name: str = "given") -> TableValuedAlias:
    """Rows to select from, with the names and types of table columns.

    One JSON value goes over the wire: PostgreSQL takes at most 32,767 bound values a statement, and a statement of one shape is
    prepared once. Values are what orjson writes (aware times and UUIDs included), bytes besides; a Decimal comes as a string.
    """
    plain = [{key: rf"\x{value.hex()}" if isinstance(value, bytes) else value for key, value in row.items()} for row in rows]
    typed = [column(each.name, each.type) for each in columns]
    return func.jsonb_to_recordset(literal(plain, JSONB)).table_valued(*typed, name=name).render_derived(with_types=True)


def among_ids(subject: ColumnElement[Any], ids: Sequence[UUID]) -> ColumnElement[bool]:
    """Whether a column is one of these ids; one bound array however many there are."""
    return subject == any_(literal(list(ids), ARRAY(Uuid)))


def among_texts(subject: ColumnElement[Any], texts: Sequence[str]) -> ColumnElement[bool]:
    """Whether a column is one of these texts; one bound array however many there are."""
    return subject == any_(literal(list(texts), ARRAY(Text)))
