"""A batch of rows as one bound value, so that a statement stays the same whatever the batch's size."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Text, Uuid, any_, column, func, literal
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.sql.selectable import TableValuedAlias


def recordset(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[QueryableAttribute[Any]], name: str = "given"
) -> TableValuedAlias:
    """Rows to select from, with the names and types of table columns.

    One JSON value goes over the wire: PostgreSQL takes at most 32,767 bound values a statement, and a statement of one shape is
    prepared once. Values are what orjson writes (aware times and UUIDs included), bytes besides; a Decimal comes as a string.
    """
    plain = [{key: _plain(value) for key, value in row.items()} for row in rows]
    typed = [column(each.key, each.type) for each in columns]
    return func.jsonb_to_recordset(literal(plain, JSONB)).table_valued(*typed).render_derived(name=name, with_types=True)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return rf"\x{value.hex()}"
    # The driver's own kind of UUID is one for Python, not for orjson.
    return str(value) if isinstance(value, UUID) else value


def among_ids(subject: QueryableAttribute[Any], ids: Sequence[UUID]) -> ColumnElement[bool]:
    """Whether a column is one of these ids; one bound array however many there are."""
    return subject == any_(literal(list(ids), ARRAY(Uuid)))


def among_texts(subject: QueryableAttribute[Any], texts: Sequence[str]) -> ColumnElement[bool]:
    """Whether a column is one of these texts; one bound array however many there are."""
    return subject == any_(literal(list(texts), ARRAY(Text)))
