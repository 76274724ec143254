"""Open a survey by its link, with everything its pages show."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Text, bindparam, cast, select

from app.base.prepared import Prepared, Session
from app.base.tokens import Subject
from app.brands.find import is_in_force, read_terms
from app.brands.models import Brand, ProgrammeVersion
from app.brands.programme import Programme
from app.brands.setup import as_text, read_brand
from app.customers.models import Customer
from app.orders.models import Order, StoredItem
from app.surveys.models import Response, Survey
from app.surveys.rules import ANSWERABLE

PURPOSE = "survey"
"""The purpose of a survey's link token; the row id is the survey's."""


class ShownOrder(NamedTuple):
    """What pages read of an order; its fields are columns, as below."""

    number: str
    items: list[StoredItem]
    placed_at: datetime


class ShownCustomer(NamedTuple):
    """What pages read of a customer."""

    id: UUID
    first_name: str | None
    locale: str | None
    time_zone: str | None


class ShownResponse(NamedTuple):
    """What pages read of a response."""

    score: int
    comment: str | None
    testimonial_consent: bool
    first_answered_at: datetime


@dataclass(frozen=True, slots=True)
class OpenSurvey:
    """A survey that its customer may see, with its response if it has one."""

    brand: Brand
    programme: Programme
    order: ShownOrder | None
    """None for a survey that is not about an order."""
    customer: ShownCustomer
    response: ShownResponse | None

    def minutes_left(self, *, now: datetime) -> int:
        """How many minutes the response can still be changed, rounded up; 0 for no longer.

        Raises `RuntimeError` for a survey without a response.
        """
        if self.response is None:
            raise RuntimeError("a survey without a response has nothing to change")
        ends_at = self.response.first_answered_at + timedelta(minutes=self.programme.survey.change_minutes)
        return max(0, -int((now - ends_at).total_seconds() // 60))


async def open_survey(session: Session, subject: Subject) -> OpenSurvey | None:
    """The survey of a link; None for one that is unknown, over or not sent.

    Whether it is over is the row's status, which a sweep sets: the row's times may be
    simulated, the visitor's are not.
    """
    return await _OPEN.first(session, brand_id=subject.brand_id, survey_id=subject.row_id)


_SHOWN = (
    *(getattr(Customer, name) for name in ShownCustomer._fields),
    *(getattr(Order, name) for name in ShownOrder._fields),
    *(getattr(Response, name) for name in ShownResponse._fields),
)
_ORDER = len(ShownCustomer._fields)
_RESPONSE = _ORDER + len(ShownOrder._fields)


def _opened(brand: str, terms: str, *shown: Any) -> OpenSurvey:
    order, response = shown[_ORDER:_RESPONSE], shown[_RESPONSE:]
    return OpenSurvey(
        read_brand(brand),
        read_terms(terms),
        None if order[0] is None else ShownOrder(*order),
        ShownCustomer(*shown[:_ORDER]),
        None if response[0] is None else ShownResponse(*response),
    )


_OPEN = Prepared(
    select(as_text(Brand), cast(ProgrammeVersion.terms, Text), *_SHOWN)
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
    ),
    _opened,
)
