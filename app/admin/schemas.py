"""The shape of the audit log in the API."""

from datetime import datetime
from typing import Any, Self

from pydantic import Field, JsonValue
from sqlalchemy import Row

from app.base.actor import Actor, ActorKind
from app.base.audit import AuditAction, AuditEntry
from app.base.ids import public_id, public_id_or_none
from app.base.schemas import ApiModel, RowModel


class AuditChange(ApiModel):
    """The value of a field before and after."""

    before: JsonValue
    after: JsonValue


class AuditRow(RowModel):
    """One change by a key, a staff member or a command."""

    created_at: datetime
    actor_kind: ActorKind | str
    actor: str = Field(description="`key_…`, `stf_…`, or `cli`.")
    action: AuditAction | str
    subject_kind: str
    subject: str | None
    fields_changed: list[str]
    changes: dict[str, AuditChange] | None = Field(
        description="By field; null without the scope `pii`, and once a person it may name was erased."
    )

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:
        """From a row of `AuditEntry` and `changes`."""
        entry: AuditEntry = row.AuditEntry
        return cls(
            id=public_id("aud", entry.id),
            created_at=entry.at,
            actor_kind=entry.actor_kind,
            actor=Actor(ActorKind(entry.actor_kind), entry.brand_id, entry.actor_id).name,
            action=entry.action,
            subject_kind=entry.subject_kind,
            subject=public_id_or_none(entry.subject_kind, entry.subject_id),
            fields_changed=entry.fields,
            changes=row.changes if pii else None,
        )
