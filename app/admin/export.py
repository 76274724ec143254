"""Lists as CSV: streamed row by row, safe to open in a spreadsheet."""

import csv
import io
import re
from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import Select, func, select

from app.admin.fields import moment
from app.admin.listing import Resource
from app.admin.rows import customer
from app.base.ids import public_id_or_none
from app.base.web.context import AppContext
from app.brands.models import Shop
from app.customers.models import Customer
from app.referrals.models import Code, Redemption, Referrer, Visit
from app.referrals.rules import RedemptionStatus

_CHUNK = 1000
_FORMULA = re.compile(r"[=+\-@\t\r\n|%]")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def _referrers(brand_id: int) -> Select[Any]:
    mine = (Referrer.brand_id, Referrer.customer_id)
    codes = (
        select(func.count()).where(Code.brand_id == mine[0], Code.customer_id == mine[1]).scalar_subquery()
    )
    visits = (
        select(func.count()).where(Visit.brand_id == mine[0], Visit.customer_id == mine[1]).scalar_subquery()
    )
    used = select(func.count()).where(Redemption.brand_id == mine[0], Redemption.referrer_id == mine[1])
    return (
        select(Referrer.customer_id.label("id"), Referrer, Customer, Shop.slug.label("shop"))
        .add_columns(codes.label("codes"), visits.label("visits"))
        .add_columns(
            used.where(Redemption.status != RedemptionStatus.refused).scalar_subquery().label("redemptions")
        )
        .add_columns(
            used.where(Redemption.status == RedemptionStatus.approved).scalar_subquery().label("approved")
        )
        .join(Customer, (Customer.brand_id == mine[0]) & (Customer.id == mine[1]))
        .join(Shop, (Shop.brand_id == mine[0]) & (Shop.id == Referrer.shop_id))
        .where(Referrer.brand_id == brand_id)
    )


def _referrer(row: Any, pii: bool) -> dict[str, Any]:
    it: Referrer = row.Referrer
    return {
        **customer(row, pii),
        "created_at": moment(it.created_at),
        "slug": it.slug,
        "shop": row.shop,
        "survey": public_id_or_none("sur", it.survey_id),
        "revoked_at": moment(it.revoked_at),
        **{name: getattr(row, name) for name in ("codes", "visits", "redemptions", "approved")},
    }


REFERRERS = Resource(_referrers, Referrer.customer_id, _referrer)
"""Who owns a code, with what came of it; the id is the customer's."""


def cell(value: object) -> str:
    """A value as a cell. What a spreadsheet would take for a formula gets an apostrophe before it; plain numbers stay."""
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    risky = _FORMULA.match(text) or _FORMULA.match(text.lstrip())
    return f"'{text}" if risky and not _NUMBER.fullmatch(text) else text


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{inner}": each for inner, each in value.items()}
        else:
            flat[name] = ", ".join(value) if isinstance(value, list) else value
    return flat


async def csv_lines(
    context: AppContext, brand_id: int, resource: Resource, columns: list[str], *, pii: bool
) -> AsyncIterator[str]:
    """The whole list, oldest first, a chunk of lines at a time; memory stays the same however long it is."""
    yield _written([columns])
    async with context.sessions() as session:
        rows = await session.stream(
            resource.rows(brand_id).order_by(resource.key),
            execution_options={"yield_per": _CHUNK, "prebuffer_rows": False},
        )
        async for chunk in rows.partitions(_CHUNK):
            shaped = (_flat(resource.shape(row, pii)) for row in chunk)
            yield _written([[cell(row.get(column)) for column in columns] for row in shaped])
            session.expunge_all()


def _written(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
