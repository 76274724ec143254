"""Referrers by what their friends brought: which are wanted, and in which order."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, select, true
from sqlalchemy.orm import InstrumentedAttribute

from app.admin.resources import Resource
from app.admin.rows import REFERRERS, directly, with_counts
from app.base.errors import AppError
from app.brands.models import Brand, Shop
from app.customers.models import Customer
from app.referrals.figure_models import ALL_TIME, ReferrerFigure
from app.referrals.models import Referrer
from app.referrals.schemas import ReferrerRow

_SPAN = re.compile(rf"{ALL_TIME}|\d{{4}}(-(0[1-9]|1[0-2]))?")


class ReferrerOrder(StrEnum):
    """What a list of referrers begins with: the latest, or the most of something."""

    newest = "newest"
    revenue = "revenue"
    friends = "friends"
    profit = "profit"


_RANKED_BY: dict[ReferrerOrder, InstrumentedAttribute[Any]] = {
    ReferrerOrder.revenue: ReferrerFigure.revenue,
    ReferrerOrder.friends: ReferrerFigure.friends,
    ReferrerOrder.profit: ReferrerFigure.profit,
}


@dataclass(frozen=True, slots=True)
class ReferrerFilter:
    """Which referrers are wanted, with the figures of which time in which currency.

    Ranked lists have those alone whose friends ordered in that time. Without a shop it is all.
    """

    currency: str
    order: ReferrerOrder = ReferrerOrder.newest
    span: str = ALL_TIME
    shop_id: UUID | None = None


def read_span(text: str | None) -> str:
    """`all`, a year or a month such as `2026-11`; raises AppError (`bad_period`) for others."""
    if text and not _SPAN.fullmatch(text):
        raise AppError("bad_period", "Write a year or a month, such as 2026 or 2026-11, or all.")
    return text or ALL_TIME


def default_currency(shops: Sequence[Shop], wanted: Shop | None = None) -> str:
    """The currency of the shop that is asked for, else of the brand's first one."""
    return (wanted or shops[0]).currency if wanted or shops else "EUR"


@dataclass(frozen=True, slots=True)
class ReferrerList:
    """A list of referrers as `list_page` takes it."""

    resource: Resource[ReferrerRow]
    condition: ColumnElement[bool]
    by: InstrumentedAttribute[Any] | None


def referrer_list(brand: Brand, wanted: ReferrerFilter) -> ReferrerList:
    """The wanted referrers with their figures.

    Raises AppError (`no_margin`) for an order by profit where the brand's margin is not known.
    """
    if wanted.order is ReferrerOrder.profit and brand.margin_percent is None:
        raise AppError(
            "no_margin", "Without the brand's margin there is no profit; set margin_percent first."
        )
    figure = and_(
        ReferrerFigure.brand_id == Referrer.brand_id,
        ReferrerFigure.referrer_id == Referrer.id,
        ReferrerFigure.span == wanted.span,
        ReferrerFigure.currency == wanted.currency,
    )
    by = _RANKED_BY.get(wanted.order)
    if by is None:
        newest = replace(REFERRERS, rows=lambda brand_id: _newest(brand_id, figure))
        return ReferrerList(newest, _in_shop(Referrer.shop_id, wanted.shop_id), None)
    ranked: Resource[ReferrerRow] = Resource(
        lambda brand_id: _ranked(brand_id, figure, wanted),
        ReferrerFigure.referrer_id,
        REFERRERS.shape,
        directly(ReferrerFigure.shop_id),
        REFERRERS.people,
    )
    return ReferrerList(ranked, _in_shop(ReferrerFigure.shop_id, wanted.shop_id), by)


def _newest(brand_id: int, figure: ColumnElement[bool]) -> Select[Any]:
    query: Any = select(Referrer.id.label("id"), Referrer, Customer, ReferrerFigure)
    return with_counts(
        query.select_from(Referrer).outerjoin(ReferrerFigure, figure).where(Referrer.brand_id == brand_id)
    )


def _ranked(brand_id: int, figure: ColumnElement[bool], wanted: ReferrerFilter) -> Select[Any]:
    """From the figures, in the order of their index."""
    query: Any = select(ReferrerFigure.referrer_id.label("id"), Referrer, Customer, ReferrerFigure)
    return with_counts(
        query.select_from(ReferrerFigure)
        .join(Referrer, figure)
        .where(
            ReferrerFigure.brand_id == brand_id,
            ReferrerFigure.span == wanted.span,
            ReferrerFigure.currency == wanted.currency,
        )
    )


def _in_shop(column: InstrumentedAttribute[UUID], shop_id: UUID | None) -> ColumnElement[bool]:
    """The condition that a column is this shop; true without one."""
    return true() if shop_id is None else column == shop_id
