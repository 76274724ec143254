"""What a list of the API and an export share: the query of its rows and their shape."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, false
from sqlalchemy.orm import InstrumentedAttribute

from app.base.actor import Actor
from app.base.schemas import RowModel

M_co = TypeVar("M_co", bound=RowModel, covariant=True)


class Shape(Protocol[M_co]):
    """Turns a row into what the API shows; personal fields are masked unless `pii`."""

    def __call__(self, row: Row[Any], /, *, pii: bool) -> M_co:
        """The row's shape."""
        ...


@dataclass(frozen=True, slots=True)
class Resource(Generic[M_co]):
    """A kind of rows that can be listed.

    `rows` selects those of a brand, with the row's id labelled `id`; `key` is the column of that
    id.
    """

    rows: Callable[[int], Select[Any]]
    key: InstrumentedAttribute[UUID]
    shape: Shape[M_co]
    in_shops: Callable[[Collection[UUID]], ColumnElement[bool]] | None = None
    """The condition that a row belongs to one of these shops; None for what is of the whole brand,
    of which somebody limited to some shops sees nothing."""
    people: str = ""
    """The name of a list that shows people's data; empty for one that shows none."""

    def visible(self, caller: Actor) -> Select[Any]:
        """The rows of the caller's brand, of their shops alone where they are limited to some."""
        query = _rows_of(self.rows, caller.brand_id)
        if caller.shops is None:
            return query
        return query.where(false() if self.in_shops is None else self.in_shops(caller.shops))


@lru_cache(maxsize=256)
def _rows_of(rows: Callable[[int], Select[Any]], brand_id: int) -> Select[Any]:
    """A brand's rows. A statement never changes, and building one takes as long as reading it."""
    return rows(brand_id)
