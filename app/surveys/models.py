"""Tables of surveys and of the responses to them."""

from typing import TypedDict
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ColumnElement,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    UniqueConstraint,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.base.actor import ActorKind
from app.base.db import Base, BrandKey, Created, Moment, RowKey, enum_text
from app.brands.programme import Channel
from app.surveys.rules import SkipReason, SurveyCause, SurveyStatus
from app.surveys.suspicion_rules import Evidence, Suspicion
from app.surveys.work_rules import WorkEvent, WorkState


class StoredDeferral(TypedDict):
    """A decision to send a survey later: a `Deferral`, until when, and when it was made."""

    reason: str
    until: str
    at: str


class Survey(Base):
    """The one survey about a cause, mostly an order; `reason` is why a skipped one is not sent."""

    __tablename__ = "surveys"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "order_id"], ["orders.brand_id", "orders.id"]),
        ForeignKeyConstraint(["brand_id", "customer_id"], ["customers.brand_id", "customers.id"]),
        UniqueConstraint("brand_id", "cause_id", "cause_kind"),
        CheckConstraint("(status = 'skipped') = (reason IS NOT NULL)", name="skip_has_reason"),
        CheckConstraint(
            "cause_kind <> 'order' OR (order_id IS NOT NULL AND order_id = cause_id)", name="order_is_cause"
        ),
        Index("ix_surveys_due", "brand_id", "due_at", postgresql_where=text("status = 'planned'")),
        Index("ix_surveys_reminder", "brand_id", "reminder_due_at", postgresql_where=text("status = 'sent'")),
        Index(
            "ix_surveys_expiry",
            "brand_id",
            "expires_at",
            postgresql_where=text("status IN ('queued', 'sent')"),
        ),
        Index("ix_surveys_customer", "brand_id", "customer_id", "queued_at"),
        Index("ix_surveys_status", "brand_id", "status", "id"),
        # For the answers of one shop, of which there may be few.
        Index(
            "ix_surveys_answered", "brand_id", "shop_id", "id", postgresql_where=text("status = 'answered'")
        ),
        Index("ix_surveys_trial", "brand_id", "id", postgresql_where=text("trial")),
        Index(
            "ix_surveys_occasion",
            "brand_id",
            "triggered_at",
            postgresql_where=text("cause_kind <> 'order'"),
        ),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    cause_kind: Mapped[SurveyCause] = mapped_column(enum_text(SurveyCause))
    cause_id: Mapped[UUID]
    """What the survey is about; an order's id for the cause `order`."""
    order_id: Mapped[UUID | None]
    """The order, for the cause `order`; None for a survey that is not about one."""
    shop_id: Mapped[UUID]
    customer_id: Mapped[UUID | None]
    programme_version: Mapped[int] = mapped_column(Integer)
    """The programme version in force when it was last planned."""
    status: Mapped[SurveyStatus] = mapped_column(enum_text(SurveyStatus))
    reason: Mapped[SkipReason | None] = mapped_column(enum_text(SkipReason))
    channel: Mapped[Channel | None] = mapped_column(enum_text(Channel))
    """The channel it is sent by; while it is planned, the one that would be used now."""
    triggered_at: Mapped[Moment | None]
    """The time of the fact that started the clock."""
    due_at: Mapped[Moment | None]
    """When it is to be sent; none while it waits for a trigger that has no fallback."""
    deferred_reason: Mapped[str | None]
    """Why `due_at` was moved: `recontact`, `quiet_hours`, `max_per_day`."""
    deferrals: Mapped[list[StoredDeferral] | None] = mapped_column(JSONB)
    """Every deferral once it was due, the first one's by its plan included; oldest first."""
    queued_at: Mapped[Moment | None]
    """When its message was queued; `recontact_days` and `max_per_day` count from here."""
    sent_at: Mapped[Moment | None]
    """When a provider accepted its message, as far as that is recorded."""
    expires_at: Mapped[Moment | None]
    """When the survey expires: `expires_days` after it was sent, until then after it was queued."""
    reminders_sent: Mapped[int] = mapped_column(Integer, default=0)
    reminder_due_at: Mapped[Moment | None]
    trial: Mapped[bool] = mapped_column(Boolean, default=False)
    """As its order."""
    created_at: Mapped[Created]


_WAITS = """(({0}state = 'open' OR {0}state IS NULL AND {0}score <= 6 AND NOT {0}trial)
    AND ({0}suspicion IS NULL OR {0}suspicion = 'real'))"""
"""Whether `work_rules.work_state` is open, in SQL without parameters, so that a query may use the
index below."""


TESTIMONIAL = "({0}testimonial_consent AND {0}comment IS NOT NULL AND NOT {0}trial)"
"""As above: whether the customer's words may be shown to others."""


class Response(Base):
    """What a customer answered; within `change_minutes` a further response replaces it."""

    __tablename__ = "responses"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "survey_id"], ["surveys.brand_id", "surveys.id"]),
        ForeignKeyConstraint(["brand_id", "order_id"], ["orders.brand_id", "orders.id"]),
        ForeignKeyConstraint(["brand_id", "customer_id"], ["customers.brand_id", "customers.id"]),
        UniqueConstraint("brand_id", "survey_id"),
        CheckConstraint("score BETWEEN 0 AND 10", name="score_0_to_10"),
        Index("ix_responses_answered_at", "brand_id", "answered_at"),
        Index(
            "ix_responses_commented",
            "answered_at",
            "brand_id",
            postgresql_where=text("comment IS NOT NULL"),
        ),
        Index("ix_responses_customer", "brand_id", "customer_id", "answered_at"),
        Index("ix_responses_channel", "brand_id", "channel", "id"),
        Index("ix_responses_replying", "brand_id", "id", postgresql_where=text("replying")),
        # A filter by score is decided in the index, of however many rows.
        Index(
            "ix_responses_testimonial_score",
            "brand_id",
            "id",
            "score",
            postgresql_where=text(TESTIMONIAL.format("")),
        ),
        Index("ix_responses_waiting", "brand_id", "id", postgresql_where=text(_WAITS.format(""))),
        Index(
            "ix_responses_suspicion",
            "brand_id",
            "suspicion",
            "id",
            postgresql_where=text("suspicion IS NOT NULL"),
        ),
        Index(
            "ix_responses_network",
            "brand_id",
            "network",
            "first_answered_at",
            postgresql_where=text("network IS NOT NULL"),
        ),
        Index(
            "ix_responses_state_score",
            "brand_id",
            "state",
            "id",
            "score",
            postgresql_where=text("state IS NOT NULL"),
        ),
        Index(
            "ix_responses_assignee",
            "brand_id",
            "assignee_id",
            "id",
            postgresql_where=text("assignee_id IS NOT NULL"),
        ),
        Index(
            "ix_responses_words",
            text("to_tsvector('simple', comment)"),
            postgresql_using="gin",
            postgresql_where=text("comment IS NOT NULL"),
        ),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    survey_id: Mapped[UUID]
    order_id: Mapped[UUID | None]
    """The survey's order; None for a survey that is not about one."""
    customer_id: Mapped[UUID]
    channel: Mapped[Channel] = mapped_column(enum_text(Channel))
    score: Mapped[int] = mapped_column(SmallInteger)
    comment: Mapped[str | None]
    testimonial_consent: Mapped[bool] = mapped_column(Boolean, default=False)
    answered_at: Mapped[Moment]
    """The wall time of the latest change."""
    first_answered_at: Mapped[Moment]
    changes: Mapped[int] = mapped_column(Integer, default=0)
    trial: Mapped[bool] = mapped_column(Boolean, default=False)
    """As its survey: left out of the score."""
    state: Mapped[WorkState | None] = mapped_column(enum_text(WorkState))
    """What the team made of it; None until they did: see `work_rules.work_state`."""
    assignee_id: Mapped[UUID | None]
    """Who of the team answers it; somebody who left since may still be named."""
    version: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    """How often state, assignee or tags were changed, or somebody replied."""
    replying: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    """A reply is queued; the response is answered once a provider has accepted it."""
    suspicion: Mapped[Suspicion | None] = mapped_column(enum_text(Suspicion))
    """Whether a machine gave it; None where nothing speaks for that."""
    evidence: Mapped[Evidence | None] = mapped_column(JSONB)
    """How a page came that nobody can have read; it speaks for a machine where one is suspected."""
    network: Mapped[int | None] = mapped_column(Integer)
    """From which network such a page came, as `Tokens.network_key` has it; None for any other."""
    created_at: Mapped[Created]


IS_OPEN: ColumnElement[bool] = literal_column(_WAITS.format("responses."), Boolean)
"""Whether a response waits for the team."""
COUNTS = "(NOT {0}.trial AND {0}.suspicion IS DISTINCT FROM 'left_out')"
"""Whether a response of this name in a query counts in figures."""


class ResponseTag(Base):
    """A reason that the team gave a response; spellings with the same `key` are one tag."""

    __tablename__ = "response_tags"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "response_id"], ["responses.brand_id", "responses.id"]),
        Index("ix_response_tags_key", "brand_id", "key", "response_id"),
    )

    brand_id: Mapped[BrandKey]
    response_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class ResponseEvent(Base):
    """What somebody of the team did with a response; rows are added, only their text may go."""

    __tablename__ = "response_events"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "response_id"], ["responses.brand_id", "responses.id"]),
        Index("ix_response_events_response", "brand_id", "response_id", "id"),
        Index(
            "ix_response_events_noted",
            "at",
            "brand_id",
            postgresql_where=text("kind = 'noted' AND text IS NOT NULL"),
        ),
        Index(
            "ix_response_events_replied",
            "at",
            "brand_id",
            postgresql_where=text("kind = 'replied' AND text IS NOT NULL"),
        ),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    response_id: Mapped[UUID]
    kind: Mapped[WorkEvent] = mapped_column(enum_text(WorkEvent))
    actor_kind: Mapped[ActorKind] = mapped_column(enum_text(ActorKind))
    actor_id: Mapped[UUID | None]
    text: Mapped[str | None]
    """The note, the reply, the tag, the new state, or `stf_…` of the new assignee; None for nobody,
    and for what was deleted."""
    at: Mapped[Moment]
