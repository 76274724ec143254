"""The shapes of keys, staff and the audit log in the API."""

from datetime import datetime
from typing import Any, Self

from pydantic import Field, JsonValue
from sqlalchemy import Row

from app.admin.models import ApiKey, Staff
from app.admin.rules import Role, Scope
from app.base.actor import Actor, ActorKind
from app.base.audit import AuditAction, AuditEntry
from app.base.ids import public_id, public_id_or_none
from app.base.masking import mask_email
from app.base.schemas import ApiModel, RowModel


class KeyRow(RowModel):
    """An API key, without its secret."""

    created_at: datetime
    label: str
    scopes: list[Scope | str]
    last_used_at: datetime | None = Field(description="Behind by up to a minute.")
    expires_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:  # noqa: ARG003  # nothing is personal
        """From a row of `ApiKey`."""
        return cls.of(row.ApiKey)

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """The schema of a key."""
        return cls(
            id=public_id("key", key.id),
            created_at=key.created_at,
            label=key.label,
            scopes=list(key.scopes),
            last_used_at=key.last_used_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
        )


class CreatedKey(KeyRow):
    """A key just made: the only time that it is shown."""

    key: str | None = Field(
        default=None, description="`tf_…`; null where an Idempotency-Key repeats the request."
    )


class StaffRow(RowModel):
    """A person of the marketing team."""

    created_at: datetime
    email: str = Field(description="Masked without the scope `pii`.")
    role: Role | str

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:
        """From a row of `Staff`."""
        return cls.of(row.Staff, pii=pii)

    @classmethod
    def of(cls, person: Staff, *, pii: bool) -> Self:
        """The schema of a person; the address is masked unless `pii`."""
        return cls(
            id=public_id("stf", person.id),
            created_at=person.created_at,
            email=person.email if pii else mask_email(person.email) or "",
            role=person.role,
        )


class AddedStaff(StaffRow):
    """A person just added, with a link that signs them in once."""

    login_url: str | None = Field(
        default=None,
        description="Good for one hour; null where the person may see more than the key, and where an "
        "Idempotency-Key repeats the request.",
    )


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
