"""What the API shows of surveys and responses."""

from datetime import datetime
from typing import Any, Self

from pydantic import Field
from sqlalchemy import Row

from app.base.actor import Actor, ActorKind
from app.base.ids import public_id, public_id_or_none
from app.base.masking import mask_name, without_addresses, without_addresses_or_none
from app.base.schemas import ApiModel, RowModel
from app.brands.programme import Channel
from app.messaging.models import Message
from app.messaging.rules import MessageStatus
from app.surveys.claim import deferrals_of
from app.surveys.listed import ResponseWork
from app.surveys.models import Response, ResponseEvent, Survey
from app.surveys.rules import Band, SkipReason, SurveyStatus, band_of
from app.surveys.suspicion_rules import Suspicion
from app.surveys.work_rules import WRITTEN, WorkEvent, WorkState, work_state


class SurveyDeferral(ApiModel):
    """A decision to send a survey later: why, until when, and when it was made."""

    reason: str
    until: datetime
    at: datetime


class SurveyRow(RowModel):
    """A survey, and why it was skipped or deferred."""

    created_at: datetime
    shop: str
    order: str | None
    customer: str | None
    status: SurveyStatus | str
    reason: SkipReason | str | None
    deferred_reason: str | None
    deferrals: list[SurveyDeferral]
    """Every decision to send it later, oldest first."""
    due_at: datetime | None
    channel: Channel | str | None
    sent_at: datetime | None
    expires_at: datetime | None
    reminders_sent: int
    trial: bool

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:  # noqa: ARG003  # nothing in it is personal
        """From a row of `Survey` and `shop`, the shop's slug."""
        survey: Survey = row.Survey
        return cls(
            id=public_id("sur", survey.id),
            created_at=survey.created_at,
            shop=row.shop,
            order=public_id_or_none("ord", survey.order_id),
            customer=public_id_or_none("cus", survey.customer_id),
            status=survey.status,
            reason=survey.reason,
            deferred_reason=survey.deferred_reason,
            deferrals=[SurveyDeferral.model_validate(each) for each in deferrals_of(survey)],
            due_at=survey.due_at,
            channel=survey.channel,
            sent_at=survey.sent_at,
            expires_at=survey.expires_at,
            reminders_sent=survey.reminders_sent,
            trial=survey.trial,
        )


class EvidenceShape(ApiModel):
    """What speaks for a machine: how fast it came after the mail and the page, in seconds."""

    after_sent: int
    on_page: int | None = Field(description="Null: the page was not opened before.")
    burst: bool = Field(description="Another came from the same network within 10 seconds.")


class ResponseRow(RowModel):
    """A response as it stands; its comment is without addresses unless the scope is `pii`."""

    created_at: datetime
    shop: str
    survey: str
    order: str | None
    customer: str
    name: str | None = Field(description="The customer's; masked without the scope `pii`.")
    score: int
    band: Band | str
    comment: str | None
    channel: Channel | str
    testimonial_consent: bool
    answered_at: datetime
    changes: int
    trial: bool
    state: WorkState | str | None = Field(description="With the team; null: it waits for nobody.")
    assignee: str | None = Field(description="`stf_…` of who answers it.")
    tags: list[str]
    version: int = Field(description="How often state, assignee or tags were changed, or somebody replied.")
    replying: bool = Field(description="A reply is queued; it is answered once that is accepted.")
    suspicion: Suspicion | str | None = Field(
        description="Whether a machine gave it; `left_out` counts in no score. Null: nothing speaks for one."
    )
    evidence: EvidenceShape | None = Field(description="What speaks for a machine.")

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:
        """From a row of `app.surveys.listed.select_responses`."""
        response: Response = row.Response
        comment = response.comment
        name = " ".join(part for part in (row.first_name, row.last_name) if part) or None
        return cls(
            id=public_id("rsp", response.id),
            created_at=response.created_at,
            shop=row.shop,
            name=name if pii else mask_name(name),
            state=work_state(
                response.state, response.score, trial=response.trial, suspicion=response.suspicion
            ),
            suspicion=response.suspicion,
            # What is suspected of nothing has no evidence against it.
            evidence=EvidenceShape(**response.evidence)
            if response.evidence is not None and response.suspicion is not None
            else None,
            assignee=public_id_or_none("stf", response.assignee_id),
            tags=row.tags or [],
            version=response.version,
            replying=response.replying,
            survey=public_id("sur", response.survey_id),
            order=public_id_or_none("ord", response.order_id),
            customer=public_id("cus", response.customer_id),
            score=response.score,
            band=band_of(response.score),
            comment=comment if pii or comment is None else without_addresses(comment),
            channel=response.channel,
            testimonial_consent=response.testimonial_consent,
            answered_at=response.answered_at,
            changes=response.changes,
            trial=response.trial,
        )


class ResponseEventRow(ApiModel):
    """What somebody of the team did with a response."""

    at: datetime
    actor: str = Field(description="`stf_…`, `key_…`, or `cli`.")
    kind: WorkEvent | str
    text: str | None = Field(
        description="The note or reply (null without `pii`), the tag, the state, or the assignee's id."
    )

    @classmethod
    def of(cls, event: ResponseEvent, *, pii: bool) -> Self:
        """The shape of an event."""
        return cls(
            at=event.at,
            actor=Actor(ActorKind(event.actor_kind), event.brand_id, event.actor_id).name,
            kind=event.kind,
            text=event.text if pii or event.kind not in WRITTEN else None,
        )


class ReplyRow(ApiModel):
    """A reply that somebody sent, as far as it came; its text is that of the event."""

    message: str
    channel: Channel | str
    status: MessageStatus | str
    reason: str | None
    due_at: datetime
    sent_at: datetime | None

    @classmethod
    def of(cls, message: Message, *, pii: bool) -> Self:
        """The shape of a reply's message."""
        return cls(
            message=public_id("msg", message.id),
            channel=message.channel,
            status=message.status,
            reason=message.reason if pii else without_addresses_or_none(message.reason),
            due_at=message.due_at,
            sent_at=message.sent_at,
        )


class ResponseDetail(ResponseRow):
    """A response with what the team did with it, oldest first."""

    events: list[ResponseEventRow]
    replies: list[ReplyRow] = Field(description="The messages of the events `replied`, in their order.")

    @classmethod
    def of(cls, row: ResponseRow, worked: ResponseWork, *, pii: bool) -> Self:
        """A row with its events and replies."""
        return cls(
            **row.__dict__,
            events=[ResponseEventRow.of(each, pii=pii) for each in worked.events],
            replies=[ReplyRow.of(each, pii=pii) for each in worked.replies],
        )
