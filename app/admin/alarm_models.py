"""Tables of alarms, who is warned of them, and the calls of a brand's webhook."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Moment, RowKey, enum_text
from app.insight.alarm_rules import NO_SURVEY_HOURS, AlarmKind, Finding

_ALARM = (["brand_id", "alarm_id"], ["alarms.brand_id", "alarms.id"])


class AlarmEvent(StrEnum):
    """The outcomes of an alarm."""

    raised = "raised"
    solved = "solved"


class Alarm(Base):
    """Something that is, or was, wrong; an unsolved one is unique by kind and subject."""

    __tablename__ = "alarms"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id"], ["brands.id"]),
        Index(
            "uq_alarms_unsolved",
            "brand_id",
            "kind",
            "subject",
            unique=True,
            postgresql_where=text("solved_at IS NULL"),
        ),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    kind: Mapped[AlarmKind] = mapped_column(enum_text(AlarmKind))
    subject: Mapped[str]
    """As `Finding.subject`, and so on for the next five."""
    shop_id: Mapped[UUID | None]
    count: Mapped[int] = mapped_column(Integer)
    since: Mapped[Moment | None]
    name: Mapped[str]
    detail: Mapped[str]
    raised_at: Mapped[Moment]
    solved_at: Mapped[Moment | None]
    created_at: Mapped[Created]

    @property
    def finding(self) -> Finding:
        """What was found, as of the last check that found it."""
        return Finding(self.kind, self.subject, self.shop_id, self.count, self.since, self.name, self.detail)


class AlarmNotice(Base):
    """A staff member who is mailed about an alarm: when it is raised, and when it is solved.

    The messages are about this row. Its staff member may have left.
    """

    __tablename__ = "alarm_notices"
    __table_args__ = (
        ForeignKeyConstraint(*_ALARM),
        UniqueConstraint("brand_id", "alarm_id", "staff_id"),
        Index("ix_alarm_notices_staff", "brand_id", "staff_id"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    alarm_id: Mapped[UUID]
    staff_id: Mapped[UUID]
    created_at: Mapped[Created]


class AlarmSettings(Base):
    """What a brand set about alarms, and when it is checked next; a row once it was checked."""

    __tablename__ = "alarm_settings"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id"], ["brands.id"]),
        Index("ix_alarm_settings_check", "check_due_at"),
    )

    brand_id: Mapped[BrandKey]
    check_due_at: Mapped[Moment]
    no_survey_hours: Mapped[int] = mapped_column(Integer, default=NO_SURVEY_HOURS)
    """Without a survey for so long there is an alarm."""
    webhook_url: Mapped[str | None]
    sealed_webhook_secret: Mapped[str | None]
    """Of Standard Webhooks, sealed with the installation's secret key."""
    created_at: Mapped[Created]


class AlarmCall(Base):
    """A call of the brand's webhook about an alarm; one for each event."""

    __tablename__ = "alarm_calls"
    __table_args__ = (
        ForeignKeyConstraint(*_ALARM),
        UniqueConstraint("brand_id", "alarm_id", "event"),
        Index("ix_alarm_calls_due", "brand_id", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    """In the `webhook-id`, which stays the same however often the call is tried."""
    alarm_id: Mapped[UUID]
    event: Mapped[AlarmEvent] = mapped_column(enum_text(AlarmEvent))
    body: Mapped[str]
    due_at: Mapped[Moment | None]
    """When it is tried next; None once it was accepted or given up."""
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    accepted_at: Mapped[Moment | None]
    reason: Mapped[str | None]
    """Why the last attempt failed, in a sentence for people."""
    created_at: Mapped[Created]
