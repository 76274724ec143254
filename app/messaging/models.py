"""Tables of messages, attempts, provider events and the outbox."""

from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ForeignKeyConstraint, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Moment, RowKey, enum_text
from app.brands.programme import Channel
from app.messaging.rules import AttemptStatus, MessageStatus, Priority, ProviderEventKind, Template


class Message(Base):
    """One sending of a template to a person by a channel; what may be sent once has a unique key."""

    __tablename__ = "messages"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "customer_id"], ["customers.brand_id", "customers.id"]),
        ForeignKeyConstraint(["brand_id", "shop_id"], ["shops.brand_id", "shops.id"]),
        UniqueConstraint("brand_id", "template", "subject_id", "step", "channel"),
        Index(
            "ix_messages_due", "brand_id", "priority", "due_at", postgresql_where=text("status = 'planned'")
        ),
        Index(
            "ix_messages_sending",
            "brand_id",
            "claimed_at",
            postgresql_where=text("status IN ('sending', 'unknown')"),
        ),
        Index("ix_messages_customer", "brand_id", "customer_id"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    customer_id: Mapped[UUID]
    shop_id: Mapped[UUID]
    template: Mapped[Template] = mapped_column(enum_text(Template))
    subject_id: Mapped[UUID]
    """The row it speaks of: a survey, a code, a reward."""
    step: Mapped[int] = mapped_column(SmallInteger, default=0)
    """0 for the first message about the subject, 1 … for reminders."""
    channel: Mapped[Channel] = mapped_column(enum_text(Channel))
    priority: Mapped[Priority] = mapped_column(enum_text(Priority))
    status: Mapped[MessageStatus] = mapped_column(enum_text(MessageStatus), default=MessageStatus.planned)
    reason: Mapped[str | None]
    """Why it was not sent, in a word or two."""
    address: Mapped[str | None]
    """Where it goes, as known when queued; gone after an erasure."""
    locale: Mapped[str]
    template_params: Mapped[dict[str, Any]]
    """The values the template is filled with, without link tokens: "as sent" is rendered again from these."""
    template_hash: Mapped[str | None]
    """The template's version it was sent with."""
    at_once: Mapped[bool] = mapped_column(Boolean, default=False)
    """Due whatever time a sweep is run at."""
    due_at: Mapped[Moment]
    claimed_at: Mapped[Moment | None]
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    unknowns: Mapped[int] = mapped_column(SmallInteger, default=0)
    possible_duplicate: Mapped[bool] = mapped_column(Boolean, default=False)
    sent_at: Mapped[Moment | None]
    """When the provider accepted it."""
    delivered_at: Mapped[Moment | None]
    created_at: Mapped[Created]


class Attempt(Base):
    """One try to send a message, written before anything leaves the machine. Its id is all that a provider learns of us."""

    __tablename__ = "attempts"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "message_id"], ["messages.brand_id", "messages.id"]),
        UniqueConstraint("brand_id", "message_id", "number"),
        Index(
            "ix_attempts_provider_ref",
            "brand_id",
            "provider_ref",
            postgresql_where=text("provider_ref IS NOT NULL"),
        ),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    message_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(SmallInteger)
    provider: Mapped[str]
    status: Mapped[AttemptStatus] = mapped_column(enum_text(AttemptStatus), default=AttemptStatus.sending)
    provider_ref: Mapped[str | None]
    """The provider's own id: SendGrid's X-Message-Id, Twilio's message SID."""
    error: Mapped[str | None]
    started_at: Mapped[Moment]
    finished_at: Mapped[Moment | None]
    created_at: Mapped[Created]


class ProviderEvent(Base):
    """One thing a provider told of an attempt, kept once however often it is told."""

    __tablename__ = "provider_events"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "attempt_id"], ["attempts.brand_id", "attempts.id"]),
        UniqueConstraint("brand_id", "provider", "external_id"),
        Index("ix_provider_events_attempt", "brand_id", "attempt_id"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    provider: Mapped[str]
    external_id: Mapped[str]
    attempt_id: Mapped[UUID]
    kind: Mapped[ProviderEventKind] = mapped_column(enum_text(ProviderEventKind))
    detail: Mapped[str | None]
    at: Mapped[Moment]
    created_at: Mapped[Created]


class OutboxItem(Base):
    """What the `outbox` provider kept instead of sending it."""

    __tablename__ = "outbox"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "id"], ["attempts.brand_id", "attempts.id"]),
        Index("ix_outbox_created_at", "created_at"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    """The attempt's id."""
    channel: Mapped[Channel] = mapped_column(enum_text(Channel))
    to: Mapped[str]
    sender: Mapped[str]
    subject: Mapped[str | None]
    html: Mapped[str | None]
    text: Mapped[str]
    headers: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[Created]
