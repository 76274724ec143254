"""Open a survey by its link, with everything its pages show."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.tokens import Tokens
from app.brands.find import load_programme
from app.brands.models import Brand
from app.brands.programme import Programme
from app.customers.models import Customer
from app.orders.models import Order
from app.surveys.models import Response, Survey
from app.surveys.rules import OPEN, SurveyStatus

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


async def open_survey(session: AsyncSession, tokens: Tokens, token: str) -> OpenSurvey | None:
    """The survey of a link; None for an unknown link and for a survey that is over or not sent.

    Whether it is over is the row's status, which a sweep sets: the row's times may be
    simulated, the visitor's are not.
    """
    subject = tokens.read_link(PURPOSE, token)
    if subject is None:
        return None
    found = await session.execute(
        select(Brand, Survey, Order, Customer, Response)
        .select_from(Survey)
        .join(Brand, Brand.id == Survey.brand_id)
        .outerjoin(Order, (Order.brand_id == Survey.brand_id) & (Order.id == Survey.order_id))
        .join(Customer, (Customer.brand_id == Survey.brand_id) & (Customer.id == Survey.customer_id))
        .outerjoin(Response, (Response.brand_id == Survey.brand_id) & (Response.survey_id == Survey.id))
        .where(
            Survey.brand_id == subject.brand_id,
            Survey.id == subject.row_id,
            Survey.status.in_([*OPEN, SurveyStatus.answered]),
            Customer.erased_at.is_(None),
        )
    )
    row = found.first()
    if row is None:
        return None
    brand, survey, order, customer, response = row
    terms = await load_programme(session, brand.id)
    return OpenSurvey(brand, terms.programme, survey, order, customer, response)
