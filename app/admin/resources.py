"""What a list of the API and an export share: the query of its rows and their shape."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Row, Select
from sqlalchemy.orm import InstrumentedAttribute

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
