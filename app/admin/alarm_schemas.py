"""The shapes of alarms in the API, and in calls of a brand's webhook."""

from datetime import datetime
from typing import Any, Self

from pydantic import Field
from sqlalchemy import Row

from app.admin.alarm_models import Alarm, AlarmCall, AlarmSettings
from app.base.ids import public_id
from app.base.schemas import ApiModel, RowModel
from app.insight.alarm_rules import NO_SURVEY_HOURS, AlarmKind
from app.insight.alarm_texts import AlarmText, alarm_text


class AlarmRow(RowModel):
    """Something that is, or was, wrong; as of the last check that found it."""

    kind: AlarmKind | str
    subject: str = Field(description="A shop's slug or a provider; empty where there is one alone.")
    title: str = Field(description="What is wrong, in a sentence.")
    remedy: str = Field(description="What mends it, in a sentence or two.")
    page: str = Field(description="The path of the dashboard's page to act on.")
    count: int = Field(description="Orders, deliveries, codes or surveys that it is about.")
    since: datetime | None
    detail: str = Field(description="The reason in the words of a check, a platform or a provider.")
    raised_at: datetime
    solved_at: datetime | None

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:  # noqa: ARG003  # nothing is personal
        """From a row of `Alarm`."""
        return cls.of(row.Alarm)

    @classmethod
    def of(cls, alarm: Alarm) -> Self:
        """The shape of an alarm."""
        words = text_of(alarm)
        return cls(
            id=public_id("alm", alarm.id),
            kind=alarm.kind,
            subject=alarm.subject,
            title=words.title,
            remedy=words.remedy,
            page=f"/admin{words.page}",
            count=alarm.count,
            since=alarm.since,
            detail=alarm.detail,
            raised_at=alarm.raised_at,
            solved_at=alarm.solved_at,
        )


def text_of(alarm: Alarm) -> AlarmText:
    """An alarm for people; one of a kind that this version does not know has its word alone."""
    if not isinstance(alarm.kind, AlarmKind):
        return AlarmText(str(alarm.kind), "", "")
    return alarm_text(alarm.finding)


class WebhookBody(ApiModel):
    """The body of a call: `alarm.raised`, `alarm.solved` or `alarm.test`."""

    type: str
    timestamp: datetime
    data: AlarmRow | None = Field(description="Null in a test.")


class LastCall(ApiModel):
    """The webhook's latest call: accepted, or why not and whether it is tried again."""

    at: datetime
    accepted: bool
    attempts: int
    next_attempt_at: datetime | None
    reason: str | None

    @classmethod
    def of(cls, call: AlarmCall) -> Self:
        """The shape of a call."""
        return cls(
            at=call.created_at,
            accepted=call.accepted_at is not None,
            attempts=call.attempts,
            next_attempt_at=call.due_at,
            reason=call.reason,
        )


class AlarmSettingsShape(ApiModel):
    """What the brand set about its alarms."""

    no_survey_hours: int
    webhook_url: str | None
    last_call: LastCall | None

    @classmethod
    def of(cls, row: AlarmSettings | None, last: AlarmCall | None) -> Self:
        """The shape of the settings; the defaults where nothing was set."""
        return cls(
            no_survey_hours=NO_SURVEY_HOURS if row is None else row.no_survey_hours,
            webhook_url=None if row is None else row.webhook_url,
            last_call=None if last is None else LastCall.of(last),
        )


class SavedWebhook(AlarmSettingsShape):
    """The settings with the webhook's new secret: the only time that it is shown."""

    secret: str | None = Field(
        default=None, description="`whsec_…`; null where an Idempotency-Key repeats the request."
    )


class WebhookTest(ApiModel):
    """The outcome of a call that was made to try the webhook."""

    accepted: bool
    reason: str | None
