"""Why nobody was surveyed yet: the latest surveys that are not sent, and those that still wait."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.i18n import SOURCE
from app.customers.models import Customer
from app.insight import sentences
from app.orders.models import Order
from app.surveys.models import Survey
from app.surveys.rules import SurveyStatus

LATEST = 10
"""Number of the latest skipped surveys."""


@dataclass(frozen=True, slots=True)
class SkippedSurvey:
    """A survey that is not sent, and why; `text` is a sentence that names nobody."""

    at: datetime
    """When its cause was first reported, UTC."""
    text: str
    brand_id: int
    customer_id: UUID | None
    customer: str | None
    """The person's name, else their address; None for nobody and for an erased person."""


@dataclass(frozen=True, slots=True)
class Unsent:
    """What is not sent (newest first) and how many surveys are planned."""

    skipped: list[SkippedSurvey]
    planned: int
    next_due_at: datetime | None
    """When the first of the planned is due; None while all of them wait for a fact."""


async def unsent(
    session: AsyncSession, brand_id: int | None, *, to: str = "", language: str = SOURCE
) -> Unsent:
    """The latest skipped surveys and the planned ones of a brand; None stands for all brands.

    With `to` only those of the person with this e-mail address or phone number. Two queries.
    """
    rows = await session.execute(_skipped(brand_id, to).limit(LATEST))
    planned, next_due_at = (await session.execute(_planned(brand_id, to))).one()
    return Unsent([_row(row, language) for row in rows], planned, next_due_at)


def _row(row: Row[Survey, Order | None, Customer | None], language: str) -> SkippedSurvey:
    survey, order, customer = row
    return SkippedSurvey(
        at=survey.created_at,
        text=sentences.skipped_survey(survey, order, language),
        brand_id=survey.brand_id,
        customer_id=survey.customer_id,
        customer=None if customer is None else _name_of(customer),
    )


def _name_of(customer: Customer) -> str | None:
    name = " ".join(part for part in (customer.first_name, customer.last_name) if part)
    return name or customer.email or customer.phone


def _skipped(brand_id: int | None, to: str) -> Select[Survey, Order | None, Customer | None]:
    return (
        select(Survey, Order, Customer)
        .outerjoin(Order, (Order.brand_id == Survey.brand_id) & (Order.id == Survey.order_id))
        .outerjoin(Customer, (Customer.brand_id == Survey.brand_id) & (Customer.id == Survey.customer_id))
        .where(_of_brand(brand_id), Survey.status == SurveyStatus.skipped, _of_person(to))
        .order_by(Survey.created_at.desc(), Survey.id.desc())
    )


def _planned(brand_id: int | None, to: str) -> Select[int, datetime | None]:
    return (
        select(func.count(), func.min(Survey.due_at))
        .select_from(Survey)
        .outerjoin(Customer, (Customer.brand_id == Survey.brand_id) & (Customer.id == Survey.customer_id))
        .where(_of_brand(brand_id), Survey.status == SurveyStatus.planned, _of_person(to))
    )


def _of_brand(brand_id: int | None) -> ColumnElement[bool]:
    return true() if brand_id is None else Survey.brand_id == brand_id


def _of_person(address: str) -> ColumnElement[bool]:
    return or_(Customer.email == address, Customer.phone == address) if address else true()
