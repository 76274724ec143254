"""Versions of the programme and of a brand's own texts, newest first, a page at a time."""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.admin.listing import PageRequest
from app.base.schemas import Page
from app.brands.models import ProgrammeVersion
from app.brands.schemas import ProgrammeVersionShape
from app.messaging.models import TemplateTexts
from app.messaging.text_schemas import TextsVersionShape

V = TypeVar("V", ProgrammeVersionShape, TextsVersionShape)


async def list_programme_versions(
    session: AsyncSession, wanted: PageRequest, brand_id: int
) -> Page[ProgrammeVersionShape]:
    """A page of the programme's versions; the first one of all is in force.

    Raises AppError (`bad_cursor`) for a cursor that is not of this brand.
    """
    query = select(ProgrammeVersion).where(ProgrammeVersion.brand_id == brand_id)
    return await _page(session, wanted, brand_id, query, ProgrammeVersion.version, ProgrammeVersionShape.of)


async def list_texts_versions(
    session: AsyncSession, wanted: PageRequest, brand_id: int, template: str, locale: str
) -> Page[TextsVersionShape]:
    """As `list_programme_versions`, of the own texts of a template in a language."""
    query = select(TemplateTexts).where(
        TemplateTexts.brand_id == brand_id,
        TemplateTexts.template == template,
        TemplateTexts.locale == locale,
    )
    return await _page(session, wanted, brand_id, query, TemplateTexts.version, TextsVersionShape.of)


async def _page(  # a list is as many parts
    session: AsyncSession,
    wanted: PageRequest,
    brand_id: int,
    query: Select[Any],
    version: InstrumentedAttribute[int],
    shape: Callable[[Any], V],
) -> Page[V]:
    after = wanted.after(brand_id)
    if after is not None:
        query = query.where(version < after.int)
    rows = (await session.scalars(query.order_by(version.desc()).limit(wanted.limit + 1))).all()
    shown = rows[: wanted.limit]
    cursor = None
    if len(rows) > wanted.limit:
        cursor = wanted.tokens.link("cursor", brand_id, UUID(int=shown[-1].version))
    return Page(data=[shape(row) for row in shown], next_cursor=cursor)
