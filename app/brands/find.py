"""Find brands, shops and the terms in force."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Text, and_, bindparam, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.base.errors import AppError
from app.base.prepared import Prepared, one_value
from app.base.text import quoted
from app.brands.models import Brand, ProgrammeVersion, Shop, ShopSlug
from app.brands.programme import Programme


@dataclass(frozen=True, slots=True)
class ProgrammeInForce:
    """A version of the programme."""

    version: int
    programme: Programme
    terms_id: UUID
    """Id of its offer and reward terms."""


def is_in_force(brand_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Condition: a `ProgrammeVersion` is the brand's newest one, for statements that join it."""
    other = aliased(ProgrammeVersion)
    newest = select(func.max(other.version)).where(other.brand_id == brand_id).scalar_subquery()
    return and_(ProgrammeVersion.brand_id == brand_id, ProgrammeVersion.version == newest)


@lru_cache(maxsize=1024)
def read_terms(stored: str) -> Programme:
    """The programme of a version's `terms` as text. Equal content is parsed once a process."""
    return Programme.model_validate(orjson.loads(stored))


async def find_shop(session: AsyncSession, slug: str) -> tuple[Brand, Shop] | None:
    """The shop with this slug and its brand.

    The first statement reads a table that is on every machine where tables are distributed by
    brand; the second one names the brand, so that its machine alone is asked.
    """
    slugs = select(ShopSlug.brand_id, ShopSlug.shop_id).where(ShopSlug.slug == slug)
    named = (await session.execute(slugs)).first()
    if named is None:
        return None
    found = await session.execute(
        select(Brand, Shop)
        .join(Shop, Shop.brand_id == Brand.id)
        .where(Shop.brand_id == named.brand_id, Shop.id == named.shop_id)
    )
    row = found.first()
    return None if row is None else (row[0], row[1])


async def require_shop(session: AsyncSession, slug: str) -> tuple[Brand, Shop]:
    """The shop with this slug and its brand.

    Raises `AppError` that names the command to create one.
    """
    found = await find_shop(session, slug)
    if found is None:
        raise AppError(
            "unknown_shop",
            f"There is no shop {quoted(slug)}; make it with: tenfold shop add {slug} --name NAME",
            status=404,
        )
    return found


async def find_brand(session: AsyncSession, slug: str) -> Brand:
    """The brand with this slug. Raises `AppError` that names the command to create one."""
    brand = await session.scalar(select(Brand).where(Brand.slug == slug))
    if brand is None:
        raise AppError(
            "unknown_brand",
            f"There is no brand {quoted(slug)}; make it with: tenfold brand add {slug} --name NAME",
            status=404,
        )
    return brand


async def load_brand(session: AsyncSession, brand_id: int) -> Brand:
    """The brand with this number, which must exist."""
    return (await session.execute(select(Brand).where(Brand.id == brand_id))).scalar_one()


async def load_shops(session: AsyncSession, brand_id: int) -> dict[UUID, Shop]:
    """All shops of a brand, by id."""
    shops = await session.scalars(select(Shop).where(Shop.brand_id == brand_id).order_by(Shop.id))
    return {shop.id: shop for shop in shops}


async def load_currencies(session: AsyncSession, brand_id: int) -> set[str]:
    """The currencies of the brand's shops."""
    return set(await session.scalars(select(Shop.currency).where(Shop.brand_id == brand_id).distinct()))


async def load_programme(session: AsyncSession, brand_id: int) -> ProgrammeInForce:
    """The newest version of the brand's programme: the one in force."""
    in_force = await _IN_FORCE.first(session, of_brand=brand_id)
    if in_force is None:
        raise LookupError(f"there is no brand {brand_id} with a programme")
    return in_force


def _in_force(version: int, terms: str, terms_id: UUID) -> ProgrammeInForce:
    return ProgrammeInForce(version, read_terms(terms), terms_id)


_TERMS = cast(ProgrammeVersion.terms, Text)
_IN_FORCE = Prepared(
    select(ProgrammeVersion.version, _TERMS, ProgrammeVersion.terms_id).where(
        is_in_force(bindparam("of_brand"))
    ),
    _in_force,
)


async def saved_at(session: AsyncSession, brand_id: int, version: int) -> datetime:
    """When a version of the brand's programme was saved. Raises LookupError for one that is not."""
    found: datetime | None = await _SAVED_AT.first(session, of_brand=brand_id, number=version)
    if found is None:
        raise LookupError(f"the programme of brand {brand_id} has no version {version}")
    return found


_SAVED_AT = Prepared(
    select(ProgrammeVersion.created_at).where(
        ProgrammeVersion.brand_id == bindparam("of_brand"), ProgrammeVersion.version == bindparam("number")
    ),
    one_value,
)


async def load_programme_versions(
    session: AsyncSession, brand_id: int, versions: Collection[int]
) -> dict[int, Programme]:
    """Several versions of the programme; codes and orders belong to one of them."""
    rows = await session.execute(
        select(ProgrammeVersion.version, _TERMS.label("terms")).where(
            ProgrammeVersion.brand_id == brand_id, ProgrammeVersion.version.in_(versions)
        )
    )
    return {row.version: read_terms(row.terms) for row in rows}
