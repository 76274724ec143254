"""A brand with its shops and its programme in force: what every batch and every page begins with.

One statement reads them, and equal content is made into objects once a process.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeVar
from uuid import UUID

import orjson
from sqlalchemy import (
    Cast,
    ColumnElement,
    DateTime,
    Function,
    ScalarSelect,
    Text,
    Uuid,
    bindparam,
    cast,
    func,
    inspect,
    select,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from app.base.db import Base, EnumText
from app.base.prepared import Prepared
from app.brands.find import ProgrammeInForce, is_in_force, read_terms
from app.brands.models import Brand, ProgrammeVersion, Shop

Model = TypeVar("Model", bound=Base)


@dataclass(frozen=True, slots=True)
class BrandSetup:
    """A brand as it is now; its rows are shared by the whole process and never changed."""

    brand: Brand
    shops: Mapping[UUID, Shop]
    """All of them, by id."""
    in_force: ProgrammeInForce


async def load_setup(session: AsyncSession, brand_id: int) -> BrandSetup:
    """The set-up of the brand with this number, which must exist.

    The rows belong to no session: what changes a brand or a shop loads it by `app.brands.find`.
    """
    setup = await _SETUP.first(session, of_brand=brand_id)
    if setup is None:
        raise LookupError(f"there is no brand {brand_id} with a programme")
    return setup


def _as_json(of: type[Base]) -> Function[Any]:
    """A row of the table as one value."""
    return func.json_build_object(*(part for column in of.__table__.c for part in (column.key, column)))


def as_text(of: type[Base]) -> Cast[str]:
    """A row of the table as text, for `read_brand` and `read_shop`."""
    return cast(_as_json(of), Text)


def shops_as_text(brand_id: ColumnElement[int]) -> ScalarSelect[str]:
    """All shops of a brand as one text, for `read_shops`; null where it has none."""
    every = cast(func.json_agg(aggregate_order_by(_as_json(Shop), Shop.id)), Text)
    return select(every).where(Shop.brand_id == brand_id).scalar_subquery()


def _made(brand: str, shops: str | None, version: int, terms: str, terms_id: UUID) -> BrandSetup:
    return BrandSetup(
        read_brand(brand), read_shops(shops or "[]"), ProgrammeInForce(version, read_terms(terms), terms_id)
    )


@lru_cache(maxsize=4096)
def read_brand(stored: str) -> Brand:
    """The brand of a text by `as_text`."""
    return _read(Brand, orjson.loads(stored))


@lru_cache(maxsize=4096)
def read_shops(stored: str) -> Mapping[UUID, Shop]:
    """The shops of a text by `shops_as_text`, by id."""
    shops = (_read(Shop, each) for each in orjson.loads(stored))
    return MappingProxyType({shop.id: shop for shop in shops})


@lru_cache(maxsize=4096)
def read_shop(stored: str) -> Shop:
    """The shop of a text by `as_text`."""
    return _read(Shop, orjson.loads(stored))


def _read(of: type[Model], stored: Mapping[str, Any]) -> Model:
    """A row that belongs to no session."""
    values = {
        attribute.key: _value(attribute.columns[0].type, stored[attribute.columns[0].key])
        for attribute in inspect(of).column_attrs
    }
    return of(**values)


def _value(of: TypeEngine[Any], stored: Any) -> Any:
    """A value of JSON as the column has it."""
    parse: Callable[[Any], Any] | None = None
    match of:
        case EnumText():
            parse = of.read
        case DateTime():
            parse = datetime.fromisoformat
        case Uuid():
            parse = UUID
    return stored if parse is None or stored is None else parse(stored)


_SETUP = Prepared(
    select(
        as_text(Brand),
        shops_as_text(bindparam("of_brand")),
        ProgrammeVersion.version,
        cast(ProgrammeVersion.terms, Text),
        ProgrammeVersion.terms_id,
    )
    .join(ProgrammeVersion, is_in_force(bindparam("of_brand")))
    .where(Brand.id == bindparam("of_brand")),
    _made,
)
