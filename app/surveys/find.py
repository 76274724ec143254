"""Open a survey by its link, with everything its pages show."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.tokens import Subject
from app.brands.find import is_in_force, read_programme
from app.brands.models import Brand, ProgrammeVersion
from app.brands.programme import Programme
from app.customers.models import Customer
from app.orders.models import Order
from app.surveys.models import Response, Survey
from app.surveys.rules import ANSWERABLE

PURPOSE = "survey"
"""The purpose of a survey's link token; the row id is the survey's."""


@dataclass(frozen=True, slots=True)
class OpenSurvey:
    """A survey that its customer may see, with its response if it has one."""

    brand: Brand
    programme: Programme
    survey: Survey
    order: Order | None
    """None for a survey that is not about an order."""
    customer: Customer
    response: Response | None

    def minutes_left(self, *, now: datetime) -> int:
        """How many minutes the response can still be changed, rounded up; 0 for no longer.

        Raises `RuntimeError` for a survey without a response.
        """
        if self.response is None:
            raise RuntimeError("a survey without a response has nothing to change")
        ends_at = self.response.first_answered_at + timedelta(minutes=self.programme.survey.change_minutes)
        return max(0, -int((now - ends_at).total_seconds() // 60))


async def open_survey(session: AsyncSession, subject: Subject) -> OpenSurvey | None:
    """The survey of a link; None for one that is unknown, over or not sent.

    Whether it is over is the row's status, which a sweep sets: the row's times may be
    simulated, the visitor's are not.
    """
    given = {"brand_id": subject.brand_id, "survey_id": subject.row_id}
    row = (await session.execute(_OPEN, given)).first()
    if row is None:
        return None
    brand, survey, order, customer, response, terms = row
    return OpenSurvey(brand, read_programme(terms), survey, order, customer, response)


_OPEN = (
    select(Brand, Survey, Order, Customer, Response, ProgrammeVersion.terms)
    .select_from(Survey)
    .join(Brand, Brand.id == Survey.brand_id)
    .join(ProgrammeVersion, is_in_force(bindparam("brand_id")))
    .outerjoin(Order, (Order.brand_id == Survey.brand_id) & (Order.id == Survey.order_id))
    .join(Customer, (Customer.brand_id == Survey.brand_id) & (Customer.id == Survey.customer_id))
    .outerjoin(Response, (Response.brand_id == Survey.brand_id) & (Response.survey_id == Survey.id))
    .where(
        Survey.brand_id == bindparam("brand_id"),
        Survey.id == bindparam("survey_id"),
        Survey.status.in_(ANSWERABLE),
        Customer.erased_at.is_(None),
    )
)
