"""The statement that takes the first response to a survey and reads what an offer needs."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    CTE,
    BindParameter,
    Boolean,
    ColumnElement,
    DateTime,
    Integer,
    Interval,
    Select,
    SmallInteger,
    Text,
    Uuid,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from app.base.prepared import Prepared
from app.base.touched import touch_with
from app.brands.find import is_in_force
from app.brands.models import Brand, ProgrammeVersion, Shop
from app.brands.setup import as_text
from app.customers.models import Customer
from app.surveys.models import Response, Survey
from app.surveys.rules import ANSWERABLE, SurveyStatus
from app.surveys.suspicion_rules import BURST_SECONDS, FRESH_SECONDS, Suspicion
from app.surveys.work_rules import WorkState

# No name is a column's: the statement's insert and update would take it for a value of theirs.
_BRAND_ID: BindParameter[int] = bindparam("given_brand_id")
_SCORE = bindparam("given_score", type_=SmallInteger)
_COMMENT = bindparam("given_comment", type_=Text)
_NOW = bindparam("given_now", type_=DateTime(timezone=True))
_NETWORK = bindparam("given_network", type_=Integer)
_IS_FAST = bindparam("given_is_fast", type_=Boolean)


class TakenRow(NamedTuple):
    """A survey that takes responses, and what an offer needs."""

    brand: str
    shop: str
    version: int
    terms: str
    terms_id: UUID
    customer_id: UUID
    trial: bool
    made: UUID | None
    """The response that was inserted; None where there was one before."""


def _first_response() -> Select[Any]:
    """One statement that locks the survey, stores its response, and reads what an offer needs."""
    survey = _locked_survey()
    made = _made_response(survey)
    programme = (ProgrammeVersion.version, cast(ProgrammeVersion.terms, Text), ProgrammeVersion.terms_id)
    return (
        select(
            as_text(Brand),
            as_text(Shop),
            *programme,
            survey.c.customer_id,
            survey.c.trial,
            made.c.id.label("made"),
        )
        .select_from(survey)
        .join(Brand, Brand.id == _BRAND_ID)
        .join(Shop, (Shop.brand_id == Brand.id) & (Shop.id == survey.c.shop_id))
        .join(ProgrammeVersion, is_in_force(_BRAND_ID))
        .outerjoin(made, true())
        .add_cte(_survey_done(made), touch_with("responses", made.c.brand_id, made.c.id).cte("touched"))
    )


def _locked_survey() -> CTE:
    """The survey if it takes responses, locked so that these come one after the other."""
    return (
        select(Survey.id, Survey.order_id, Survey.customer_id, Survey.channel, Survey.shop_id, Survey.trial)
        .add_columns(_seconds_since(func.coalesce(Survey.sent_at, Survey.queued_at)).label("after_sent"))
        .add_columns(_in_burst().label("in_burst"), Brand.opens_passives)
        .join(Brand, Brand.id == Survey.brand_id)
        .join(Customer, (Customer.brand_id == Survey.brand_id) & (Customer.id == Survey.customer_id))
        .where(
            Survey.brand_id == _BRAND_ID,
            Survey.id == bindparam("given_survey_id"),
            Survey.status.in_(ANSWERABLE),
            Survey.channel.is_not(None),
            Customer.erased_at.is_(None),
        )
        .with_for_update(key_share=True, of=Survey)
        .cte("survey")
    )


def _made_response(survey: CTE) -> CTE:
    """The response, stored unless the survey has one."""
    suspected = _IS_FAST & (survey.c.in_burst | survey.c.after_sent.between(0, FRESH_SECONDS))
    opens = survey.c.opens_passives & _SCORE.between(7, 8) & _COMMENT.is_not(None) & survey.c.trial.is_(False)
    values = {
        Response.brand_id: _BRAND_ID,
        Response.id: bindparam("given_response_id", type_=Uuid),
        Response.survey_id: survey.c.id,
        Response.order_id: survey.c.order_id,
        Response.customer_id: survey.c.customer_id,
        Response.channel: survey.c.channel,
        Response.score: _SCORE,
        Response.comment: _COMMENT,
        Response.testimonial_consent: bindparam("given_testimonial_consent", type_=Boolean),
        Response.answered_at: _NOW,
        Response.first_answered_at: _NOW,
        Response.changes: literal(0),
        Response.trial: survey.c.trial,
        Response.state: case((opens, WorkState.open.value)),
        Response.suspicion: case((suspected, Suspicion.suspected.value)),
        Response.evidence: case((suspected | _NETWORK.is_not(None), _evidence(survey))),
        Response.network: _NETWORK,
    }
    return (
        insert(Response)
        .from_select(list(values), select(*values.values()), include_defaults=False)
        .on_conflict_do_nothing(index_elements=["brand_id", "survey_id"])
        .returning(Response.brand_id, Response.id, Response.survey_id)
        .cte("made")
    )


def _survey_done(made: CTE) -> CTE:
    return (
        update(Survey)
        # A message arrived, though its acceptance may not be recorded yet.
        .values(
            status=SurveyStatus.answered,
            sent_at=func.coalesce(Survey.sent_at, Survey.queued_at),
            reminder_due_at=None,
        )
        # The made row, not a condition on it: where the survey was changed meanwhile PostgreSQL
        # checks the row again, and can then run no part of the statement anew.
        .where(Survey.brand_id == _BRAND_ID, Survey.id == made.c.survey_id)
        .cte("answered")
    )


def _seconds_since(at: ColumnElement[datetime]) -> ColumnElement[int]:
    """Whole seconds from a time until now."""
    return cast(func.floor(func.extract("epoch", _NOW - at)), Integer)


def _in_burst() -> ColumnElement[bool]:
    """Whether another page that nobody had read came from the same network at this time."""
    other = aliased(Response)
    near = literal_column(f"interval '{BURST_SECONDS} seconds'", Interval)
    return exists().where(
        other.brand_id == _BRAND_ID,
        other.network == _NETWORK,
        other.first_answered_at.between(_NOW - near, _NOW + near),
    )


def _evidence(survey: CTE) -> ColumnElement[Any]:
    """An `Evidence`."""
    return func.jsonb_build_object(
        literal_column("'after_sent'"),
        survey.c.after_sent,
        literal_column("'on_page'"),
        bindparam("given_on_page", type_=Integer),
        literal_column("'burst'"),
        survey.c.in_burst,
    )


TAKE = Prepared(_first_response(), TakenRow)
"""Takes `given_brand_id`, `given_survey_id`, `given_response_id`, `given_score`, `given_comment`,
`given_testimonial_consent`, `given_now`, `given_is_fast`, `given_network` and `given_on_page`; no
row for a survey that is not sent or over, or of nobody."""
