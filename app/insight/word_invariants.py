"""The invariant of text columns that hold an enum: no row has a word that the code does not know.

It reads the tables' own definitions, so a new column is checked without a change here.
"""

from collections.abc import Sequence

from sqlalchemy import Column, Table, Text, cast, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.db import Base, EnumText
from app.base.tokens import Tokens
from app.insight.invariant_types import ComputedInvariant, ViolatingRow


def word_columns() -> dict[Table, list[Column[EnumText]]]:
    """The columns of every loaded table that hold an enum's words."""
    found = {
        table: [column for column in table.columns if isinstance(column.type, EnumText)]
        for table in Base.metadata.sorted_tables
    }
    return {table: columns for table, columns in found.items() if columns}


async def _find_unknown_words(session: AsyncSession, _tokens: Tokens) -> Sequence[ViolatingRow]:
    """One query a table; a row is named by table, column and key, such as `orders.status <id>`."""
    violating = []
    for table, columns in word_columns().items():
        keys = [column for column in table.primary_key if column.name != "brand_id"]
        unknown = {column.name: cast(column, Text).not_in(_words(column)) for column in columns}
        query = select(
            # A brand's own row is known by its id.
            table.c.brand_id if "brand_id" in table.c else table.c.id,
            *(cast(key, Text) for key in keys),
            *(condition.label(f"is_unknown_{name}") for name, condition in unknown.items()),
        ).where(or_(*unknown.values()))
        async for row in await session.stream(query, execution_options={"yield_per": 1000}):
            brand_id, *values = row
            key, flags = values[: len(keys)], values[len(keys) :]
            violating += [
                (brand_id, f"{table.name}.{name} {' '.join(key)}")
                for name, is_unknown in zip(unknown, flags, strict=True)
                if is_unknown
            ]
    return violating


def _words(column: Column[EnumText]) -> list[str]:
    kind = column.type
    assert isinstance(kind, EnumText)  # noqa: S101  # for the type checker; `word_columns` chose it
    return [word.value for word in kind.words]


INVARIANTS = (
    ComputedInvariant(
        "words_are_known",
        "every state, kind and reason is a word that this version knows",
        _find_unknown_words,
    ),
)
