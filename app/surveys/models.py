"""Tables of surveys and of the answers to them."""

from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Moment, RowKey, enum_text
from app.brands.programme import Channel
from app.surveys.rules import SkipReason, SurveyStatus


class Survey(Base):
    """The one survey of an order: planned, sent, answered, expired, or skipped with its reason."""

    __tablename__ = "surveys"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "order_id"], ["orders.brand_id", "orders.id"]),
        ForeignKeyConstraint(["brand_id", "customer_id"], ["customers.brand_id", "customers.id"]),
        UniqueConstraint("brand_id", "order_id"),
        CheckConstraint("(status = 'skipped') = (reason IS NOT NULL)", name="skip_has_reason"),
        Index("ix_surveys_due", "brand_id", "due_at", postgresql_where=text("status = 'planned'")),
        Index("ix_surveys_reminder", "brand_id", "reminder_due_at", postgresql_where=text("status = 'sent'")),
        Index("ix_surveys_expiry", "brand_id", "expires_at", postgresql_where=text("status = 'sent'")),
        Index("ix_surveys_customer", "brand_id", "customer_id", "sent_at"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    order_id: Mapped[UUID]
    shop_id: Mapped[UUID]
    customer_id: Mapped[UUID | None]
    programme_version: Mapped[int] = mapped_column(Integer)
    """The terms in force when it was last planned."""
    status: Mapped[SurveyStatus] = mapped_column(enum_text(SurveyStatus))
    reason: Mapped[SkipReason | None] = mapped_column(enum_text(SkipReason))
    channel: Mapped[Channel | None] = mapped_column(enum_text(Channel))
    """The channel it goes by, as far as is known."""
    triggered_at: Mapped[Moment | None]
    """When the fact came that started the clock; `expires_days` are counted from it."""
    due_at: Mapped[Moment | None]
    """When it is to be sent; none while it waits for a trigger that has no fallback."""
    deferred_reason: Mapped[str | None]
    """Why `due_at` was moved: `recontact`, `quiet_hours`, `max_per_day`."""
    sent_at: Mapped[Moment | None]
    expires_at: Mapped[Moment | None]
    """Until when it can be answered: `expires_days` after it was sent."""
    reminders_sent: Mapped[int] = mapped_column(Integer, default=0)
    reminder_due_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]
    created_at: Mapped[Created]


class Response(Base):
    """What a customer answered; within `change_minutes` a further answer replaces it."""

    __tablename__ = "responses"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "survey_id"], ["surveys.brand_id", "surveys.id"]),
        ForeignKeyConstraint(["brand_id", "customer_id"], ["customers.brand_id", "customers.id"]),
        UniqueConstraint("brand_id", "survey_id"),
        CheckConstraint("score BETWEEN 0 AND 10", name="score_0_to_10"),
        Index("ix_responses_answered_at", "brand_id", "answered_at"),
        Index("ix_responses_customer", "brand_id", "customer_id", "answered_at"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    survey_id: Mapped[UUID]
    order_id: Mapped[UUID]
    customer_id: Mapped[UUID]
    channel: Mapped[Channel] = mapped_column(enum_text(Channel))
    score: Mapped[int] = mapped_column(SmallInteger)
    comment: Mapped[str | None]
    testimonial_consent: Mapped[bool] = mapped_column(Boolean, default=False)
    answered_at: Mapped[Moment]
    """The wall time of the latest answer."""
    first_answered_at: Mapped[Moment]
    changes: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[Created]
