"""The shapes of keys, staff and the audit log in the API."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import Field, JsonValue
from sqlalchemy import Row

from app.admin.bulk_models import BulkDecision
from app.admin.models import ApiKey, Staff, StaffSession
from app.admin.rules import BulkAction, Role, Scope
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
    made_by: str | None = Field(description="`stf_…` of who made it; it ends with them.")
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
            made_by=public_id_or_none("stf", key.made_by),
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
        )


class CreatedKey(KeyRow):
    """A key just made: the only time that it is shown."""

    key: str | None = Field(
        default=None, description="`tf_…`; null where an Idempotency-Key repeats the request."
    )


class StaffStatus(StrEnum):
    """Whether a person has signed in yet."""

    invited = "invited"
    joined = "joined"


class StaffRow(RowModel):
    """A person of the marketing team."""

    created_at: datetime
    email: str = Field(description="Masked without the scope `pii`.")
    role: Role | str
    shops: list[str] | None = Field(description="Slugs of the shops that they may see; null for every one.")
    status: StaffStatus
    invited_at: datetime | None = Field(description="When the latest invitation was mailed.")
    joined_at: datetime | None = Field(description="When they signed in first.")
    last_seen_at: datetime | None = Field(description="Of their sessions; behind by up to a minute.")
    has_password: bool
    has_second_factor: bool

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:
        """From a row of `Staff`, `shops` and `last_seen_at`; the address is masked unless `pii`."""
        person: Staff = row.Staff
        return cls(
            id=public_id("stf", person.id),
            created_at=person.created_at,
            email=person.email if pii else mask_email(person.email) or "",
            role=person.role,
            shops=None if person.shop_ids is None else row.shops or [],
            status=StaffStatus.invited if person.joined_at is None else StaffStatus.joined,
            invited_at=person.invited_at,
            joined_at=person.joined_at,
            last_seen_at=row.last_seen_at,
            has_password=person.password_hash is not None,
            has_second_factor=person.sealed_totp is not None,
        )


class AddedStaff(StaffRow):
    """A person just added, with a link that signs them in once."""

    login_url: str | None = Field(
        default=None,
        description="Good for one hour; null for who has joined, and where an Idempotency-Key repeats the "
        "request.",
    )


class ChangedStaffRow(StaffRow):
    """A person whose access was changed or ended."""

    keys_ended: int = Field(description="Keys that they had made, which are revoked now.")


class SessionRow(RowModel):
    """A browser in which a person is signed in."""

    device: str = Field(description="Such as `Firefox, Windows`.")
    began_at: datetime
    last_seen_at: datetime = Field(description="Behind by up to a minute.")
    expires_at: datetime = Field(description="However busy it is; unused, it ends after 12 hours.")

    @classmethod
    def of(cls, session: StaffSession) -> Self:
        """The schema of a session."""
        return cls(
            id=public_id("ses", session.id),
            device=session.device,
            began_at=session.began_at,
            last_seen_at=session.last_seen_at,
            expires_at=session.expires_at,
        )


class EndedSessions(ApiModel):
    """How many sessions ended."""

    sessions: int


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
    subject_kind: str = Field(description="Prefix of its id, or `brand`, `programme`, the name of a list.")
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


class BulkProblem(ApiModel):
    """A friend's order that was left as it is."""

    redemption: str
    order_number: str
    code: str = Field(description="`not_allowed` (it was decided before) or `order_undone`.")


class BulkReport(ApiModel):
    """A decision about many friends' orders, and how far it is done."""

    id: str
    action: BulkAction | str
    status: str = Field(description="The state of those that are meant.")
    total: int
    done: int
    left_out: int
    problems: list[BulkProblem] = Field(description="Why some were left out; at most 100.")
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, bulk: BulkDecision) -> Self:
        """The shape of a decision."""
        problems = [
            BulkProblem(redemption=each["redemption"], order_number=each["number"], code=each["code"])
            for each in bulk.problems
        ]
        return cls(
            id=public_id("blk", bulk.id),
            action=bulk.action,
            status=bulk.wanted.get("status", ""),
            total=bulk.total,
            done=bulk.done,
            left_out=bulk.left_out,
            problems=problems,
            created_at=bulk.created_at,
            finished_at=bulk.finished_at,
        )
