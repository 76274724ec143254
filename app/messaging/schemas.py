"""What the API shows of messages, their attempts and the providers' events."""

from datetime import datetime
from typing import Any, Self

from pydantic import Field
from sqlalchemy import Row

from app.base.ids import public_id, public_id_or_none
from app.base.masking import without_addresses_or_none
from app.base.schemas import ApiModel, RowModel
from app.brands.programme import Channel
from app.messaging.models import Attempt, Message, ProviderEvent
from app.messaging.rules import AttemptStatus, MessageStatus, ProviderEventKind
from app.messaging.templates import find_template


class _MessageFields(RowModel):
    created_at: datetime
    shop: str
    customer: str | None = Field(description="Null for a message to staff.")
    template: str
    subject_id: str | None
    step: int
    channel: Channel | str
    status: MessageStatus | str
    reason: str | None
    due_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None
    possible_duplicate: bool
    trial: bool


def _fields(row: Row[Any], *, pii: bool) -> dict[str, Any]:
    message: Message = row.Message
    template = find_template(message.template)
    return {
        "id": public_id("msg", message.id),
        "created_at": message.created_at,
        "shop": row.shop,
        "customer": public_id_or_none("cus", message.customer_id),
        "template": message.template,
        "subject_id": None if template is None else public_id(template.subject_prefix, message.subject_id),
        "step": message.step,
        "channel": message.channel,
        "status": message.status,
        "reason": message.reason if pii else without_addresses_or_none(message.reason),
        "due_at": message.due_at,
        "sent_at": message.sent_at,
        "delivered_at": message.delivered_at,
        "possible_duplicate": message.possible_duplicate,
        "trial": message.trial,
    }


class MessageRow(_MessageFields):
    """A message without its content; `attempts` is their number."""

    attempts: int

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:
        """From a row of `Message` and `shop`, the shop's slug."""
        return cls(**_fields(row, pii=pii), attempts=row.Message.attempts)


class AttemptRow(ApiModel):
    """One try to send a message."""

    id: str
    number: int
    provider: str
    status: AttemptStatus | str
    provider_ref: str | None
    error: str | None
    started_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, attempt: Attempt, *, pii: bool) -> Self:
        """The shape of an attempt; the provider's words without addresses unless `pii`."""
        return cls(
            id=public_id("att", attempt.id),
            number=attempt.number,
            provider=attempt.provider,
            status=attempt.status,
            provider_ref=attempt.provider_ref,
            error=attempt.error if pii else without_addresses_or_none(attempt.error),
            started_at=attempt.started_at,
            finished_at=attempt.finished_at,
        )


class ProviderEventRow(ApiModel):
    """What a provider reported about an attempt; `attempt` is the attempt's number."""

    attempt: int
    provider: str
    kind: ProviderEventKind | str
    detail: str | None
    at: datetime

    @classmethod
    def of(cls, event: ProviderEvent, attempt: int, *, pii: bool) -> Self:
        """The shape of an event about the attempt of this number; `pii` as for an attempt."""
        return cls(
            attempt=attempt,
            provider=event.provider,
            kind=event.kind,
            detail=event.detail if pii else without_addresses_or_none(event.detail),
            at=event.at,
        )


class MessageDetail(_MessageFields):
    """A message as it was sent, its links masked; without the scope `pii` its content is null."""

    subject: str | None
    html: str | None
    text: str | None
    attempts: list[AttemptRow]
    provider_events: list[ProviderEventRow]

    @classmethod
    def of(
        cls,
        row: Row[Any],
        content: tuple[str | None, str | None, str | None],
        attempts: list[AttemptRow],
        provider_events: list[ProviderEventRow],
        *,
        pii: bool,
    ) -> Self:
        """From a row of `Message` and `shop`, and its subject, html and text."""
        subject, html, text = content
        return cls(
            **_fields(row, pii=pii),
            subject=subject,
            html=html,
            text=text,
            attempts=attempts,
            provider_events=provider_events,
        )
