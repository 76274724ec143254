"""Tables of template versions, messages, attempts, provider events and the outbox."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Moment, RowKey, enum_text
from app.brands.programme import Channel
from app.messaging.rules import NORMAL_STATUSES, AttemptStatus, MessageStatus, Priority, ProviderEventKind

_NORMAL = ", ".join(f"'{status.value}'" for status in NORMAL_STATUSES)


class TemplateVersion(Base):
    """The content of a template as messages were sent with it; see `VersionContent`.

    Never changed.
    """

    __tablename__ = "template_versions"

    brand_id: Mapped[BrandKey]
    id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    """SHA-256 of the content."""
    content: Mapped[dict[str, Any]]
    created_at: Mapped[Created]


class TemplateTexts(Base):
    """A brand's own texts of a template in one language, as they were from one change to the next.

    The highest version is in force. Rows are added, never changed.
    """

    __tablename__ = "template_texts"
    __table_args__ = (ForeignKeyConstraint(["brand_id"], ["brands.id"]),)

    brand_id: Mapped[BrandKey]
    template: Mapped[str] = mapped_column(primary_key=True)
    locale: Mapped[str] = mapped_column(primary_key=True)
    """A language, not a variant: a brand writes in its own form of address."""
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    blocks: Mapped[dict[str, str]] = mapped_column(JSONB)
    """Texts by block; one that is not here has our text."""
    author: Mapped[str]
    created_at: Mapped[Created]


class Message(Base):
    """One sending of a template to a person on a channel.

    Unique by template, subject, step and channel.
    """

    __tablename__ = "messages"
    __table_args__ = (
        # No foreign keys here and in the tables like it: see docs/decisions/0024.
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
        # For lists by status. Messages that are sent normally are not in it: with all of them,
        # sending took up to seven times the database's processor time.
        Index(
            "ix_messages_exceptions",
            "brand_id",
            "status",
            "id",
            postgresql_where=text(f"status NOT IN ({_NORMAL})"),
        ),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    customer_id: Mapped[UUID | None]
    """Null for a message to staff."""
    shop_id: Mapped[UUID]
    template: Mapped[str]
    """The name of a registered template."""
    subject_id: Mapped[UUID]
    """The row it is about: a survey, a code, a reward."""
    step: Mapped[int] = mapped_column(SmallInteger, default=0)
    """0 for the first message about the subject, 1 … for reminders."""
    channel: Mapped[Channel] = mapped_column(enum_text(Channel))
    priority: Mapped[Priority] = mapped_column(enum_text(Priority))
    status: Mapped[MessageStatus] = mapped_column(enum_text(MessageStatus), default=MessageStatus.planned)
    reason: Mapped[str | None]
    """Why it was not sent, as one word; on an unknown one, why it is not sent again."""
    address: Mapped[str | None]
    """As known when queued, then as sent to; null after an erasure."""
    locale: Mapped[str]
    template_params: Mapped[dict[str, Any]]
    """By name, without link tokens; empty after an erasure."""
    template_version_id: Mapped[bytes | None]
    """What the latest attempt was rendered with; null before the first."""
    at_once: Mapped[bool] = mapped_column(Boolean, default=False)
    """Due whatever time a sweep is run at."""
    due_at: Mapped[Moment]
    claimed_at: Mapped[Moment | None]
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    unknowns: Mapped[int] = mapped_column(SmallInteger, default=0)
    refusals: Mapped[int] = mapped_column(SmallInteger, default=0)
    """Those with a cause of its own: an outage or a rejected key counts against no message."""
    possible_duplicate: Mapped[bool] = mapped_column(Boolean, default=False)
    trial: Mapped[bool] = mapped_column(Boolean, default=False)
    """Of a trial: left out of figures; its first message waits for no quiet hours."""
    sent_at: Mapped[Moment | None]
    """When the provider accepted it."""
    delivered_at: Mapped[Moment | None]
    created_at: Mapped[Created]


class Attempt(Base):
    """One try to send a message, committed before anything leaves the machine.

    Its id, in a token, is the only id of ours that a provider gets.
    """

    __tablename__ = "attempts"
    __table_args__ = (
        UniqueConstraint("brand_id", "message_id", "number"),
        # Without the brand: a provider's event that names no attempt names no brand either.
        Index("ix_attempts_provider_ref", "provider_ref", postgresql_where=text("provider_ref IS NOT NULL")),
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


class ProviderAccount(Base):
    """A brand's own account at a provider, by which its messages of a channel are sent."""

    __tablename__ = "provider_accounts"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id"], ["brands.id"]),
        Index("ix_provider_accounts_account", "account"),
    )

    brand_id: Mapped[BrandKey]
    channel: Mapped[Channel] = mapped_column(enum_text(Channel), primary_key=True)
    provider: Mapped[str]
    account: Mapped[str]
    """Its name at the provider, which is no secret: an account's id, of its key, or `host:port`."""
    sender: Mapped[str | None]
    """What texts are sent from: a messaging service. Mail comes from the brand's `email_from`."""
    sealed_credentials: Mapped[str]
    """A JSON object of texts, sealed with the installation's secret key."""
    updated_at: Mapped[Moment]
    created_at: Mapped[Created]


class ProviderCircuit(Base):
    """An account whose latest calls failed; no row: it works. Shared by all workers.

    While the circuit is open nothing is sent to the provider but one message at a time, to test it.
    """

    __tablename__ = "provider_circuits"

    provider: Mapped[str] = mapped_column(primary_key=True)
    """The provider's name for the installation's account; see `account_rules.circuit_of`."""
    failures: Mapped[int] = mapped_column(Integer)
    """Failed calls in a row."""
    reason: Mapped[str]
    """Of the latest one."""
    opened_at: Mapped[Moment | None]
    """Null while the circuit is closed."""
    probe_at: Mapped[Moment]
    """When the next message may be sent to test the provider."""
    probes: Mapped[int] = mapped_column(Integer, default=0)
    """Failed tests since it was opened."""


class ProviderEvent(Base):
    """One event of an attempt, stored once however often the provider reports it."""

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
    """The provider's own words or code, without addresses."""
    at: Mapped[Moment]
    created_at: Mapped[Created]


class OutboxItem(Base):
    """A message that the `outbox` provider stored instead of sending it."""

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
    headers: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict)
    created_at: Mapped[Created]
