"""The audit log: what staff, API keys and commands changed.

Changes that the product makes by itself are not recorded here. Entries hold ids and field names and
are only ever added. The step that makes a change writes its entry, so whoever calls the step is
recorded alike. The values before and after may be personal, so they are rows of their own that
an erasure deletes.
"""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, Integer, Select, bindparam, delete, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, QueryableAttribute, mapped_column

from app.base.actor import Actor, ActorKind
from app.base.batch import arrays_of, bound_recordset, in_ids
from app.base.db import Base, BrandKey, Created, RowKey, enum_text
from app.base.ids import new_id
from app.base.prepared import Prepared

AUDITED = frozenset({ActorKind.api_key, ActorKind.staff, ActorKind.cli})


class AuditAction(StrEnum):
    """What staff, keys and commands can do."""

    brand_added = "brand_added"
    brand_changed = "brand_changed"
    shop_added = "shop_added"
    shop_changed = "shop_changed"
    secret_exchanged = "secret_exchanged"
    connection_saved = "connection_saved"
    connection_removed = "connection_removed"
    orders_imported = "orders_imported"
    sync_requested = "sync_requested"
    """A shop's orders are to be read from its platform; the subject is the shop."""
    provider_saved = "provider_saved"
    provider_removed = "provider_removed"
    alarms_changed = "alarms_changed"
    """When there is an alarm, or which webhook is called."""
    texts_changed = "texts_changed"
    sample_sent = "sample_sent"
    """A message to a member of the team, to see it in a mailbox."""
    programme_changed = "programme_changed"
    redemption_approved = "redemption_approved"
    redemption_rejected = "redemption_rejected"
    redemption_rolled_back = "redemption_rolled_back"
    redemption_relinked = "redemption_relinked"
    """Credited to a referrer whom a person named."""
    goodwill_granted = "goodwill_granted"
    """A reward without a friend's order."""
    goodwill_taken_back = "goodwill_taken_back"
    code_disabled = "code_disabled"
    code_replaced = "code_replaced"
    """A code that may have leaked; the field is the new one."""
    code_issued_again = "code_issued_again"
    leak_dismissed = "leak_dismissed"
    delivery_replayed = "delivery_replayed"
    message_resent = "message_resent"
    message_dismissed = "message_dismissed"
    response_changed = "response_changed"
    """Its state, its assignee or its tags."""
    response_noted = "response_noted"
    response_replied = "response_replied"
    testimonial_withdrawn = "testimonial_withdrawn"
    customer_erased = "customer_erased"
    data_request_done = "data_request_done"
    key_added = "key_added"
    key_revoked = "key_revoked"
    staff_added = "staff_added"
    staff_invited = "staff_invited"
    """Also where the invitation is sent once more."""
    staff_changed = "staff_changed"
    """Their role, their shops, or the day of their weekly mail."""
    staff_removed = "staff_removed"
    password_set = "password_set"  # the word of an action
    login_link_made = "login_link_made"
    signed_in = "signed_in"
    sessions_ended = "sessions_ended"
    second_factor_set = "second_factor_set"
    second_factor_removed = "second_factor_removed"
    recovery_code_used = "recovery_code_used"
    key_kept = "key_kept"
    """Its maker left; it belongs to the actor now."""
    people_listed = "people_listed"
    """A list that shows people's data; the subject is the list."""
    exported = "exported"
    """A whole list; the subject is the list."""


class AuditEntry(Base):
    """One action of one actor: append-only, holds nothing personal."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id"], ["brands.id"]),
        Index("ix_audit_entries_subject", "brand_id", "subject_id"),
        # For the list of one actor or action, newest first.
        Index("ix_audit_entries_actor", "brand_id", "actor_id", "id"),
        Index("ix_audit_entries_action", "brand_id", "action", "id"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    actor_kind: Mapped[ActorKind] = mapped_column(enum_text(ActorKind))
    actor_id: Mapped[UUID | None]
    action: Mapped[AuditAction] = mapped_column(enum_text(AuditAction))
    subject_kind: Mapped[str]
    """The prefix of the subject's public id (`red`, `cod`), or `brand` and `programme`."""
    subject_id: Mapped[UUID | None]
    fields: Mapped[list[str]]
    """The names of what was changed."""
    at: Mapped[Created]


class AuditValue(Base):
    """What a field was before and after; deleted when a person it may name is erased."""

    __tablename__ = "audit_values"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "entry_id"], ["audit_entries.brand_id", "audit_entries.id"]),
    )

    brand_id: Mapped[BrandKey]
    entry_id: Mapped[UUID] = mapped_column(primary_key=True)
    field: Mapped[str] = mapped_column(primary_key=True)
    before: Mapped[Any] = mapped_column(JSONB, nullable=True)
    after: Mapped[Any] = mapped_column(JSONB, nullable=True)


async def record_action(
    session: AsyncSession,
    actor: Actor,
    action: AuditAction,
    subject: tuple[str, UUID | None],
    changes: Mapping[str, tuple[object, object]] | None = None,
) -> None:
    """Write an entry in the caller's transaction; nothing for an actor that is not audited.

    `subject` is kind and id; `changes` maps a field's name to its JSON values before and after.
    """
    kind, subject_id = subject
    await record_actions(session, actor, action, kind, {subject_id: changes or {}})


async def record_actions(
    session: AsyncSession,
    actor: Actor,
    action: AuditAction,
    kind: str,
    changes: Mapping[UUID | None, Mapping[str, tuple[object, object]]],
) -> None:
    """As `record_action`, for several subjects of one kind: their changes by id."""
    if actor.kind not in AUDITED or not changes:
        return
    who = {"actor_kind": actor.kind, "actor_id": actor.id, "action": action, "subject_kind": kind}
    ids = {subject_id: new_id() for subject_id in changes}
    entries = [
        {**who, "id": ids[subject_id], "subject_id": subject_id, "fields": sorted(values)}
        for subject_id, values in changes.items()
    ]
    await _INSERT_ENTRIES.run(session, of_brand=actor.brand_id, **arrays_of(entries, _ENTRY))
    given = [
        {"entry_id": ids[subject_id], "field": field, "before": old, "after": new}
        for subject_id, values in changes.items()
        for field, (old, new) in sorted(values.items())
    ]
    if given:
        await _INSERT_VALUES.run(session, of_brand=actor.brand_id, **arrays_of(given, _VALUE))


def _insert(into: type[AuditEntry | AuditValue], columns: Sequence[QueryableAttribute[Any]]) -> Prepared[Any]:
    """Insert a brand's rows, which are bound as arrays."""
    given = bound_recordset(columns)
    rows = select(bindparam("of_brand", type_=Integer), *given.c)
    return Prepared(
        insert(into).from_select(["brand_id", *given.c.keys()], rows, include_defaults=False), tuple
    )


_ENTRY = [
    AuditEntry.id,
    AuditEntry.actor_kind,
    AuditEntry.actor_id,
    AuditEntry.action,
    AuditEntry.subject_kind,
    AuditEntry.subject_id,
    AuditEntry.fields,
]
_VALUE = [AuditValue.entry_id, AuditValue.field, AuditValue.before, AuditValue.after]
_INSERT_ENTRIES = _insert(AuditEntry, _ENTRY)
_INSERT_VALUES = _insert(AuditValue, _VALUE)


def differing(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    """The fields whose values differ, with both values."""
    return {
        name: (before.get(name), after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    }


async def erase_audit_values(
    session: AsyncSession, brand_id: int, subject_ids: Collection[UUID], *subjects: Select[Any]
) -> None:
    """Delete the values of entries about these subjects and about those that the queries select."""
    about = in_ids(AuditEntry.subject_id, sorted(subject_ids))
    for query in subjects:
        about |= AuditEntry.subject_id.in_(query)
    entries = select(AuditEntry.id).where(AuditEntry.brand_id == brand_id, about)
    await session.execute(
        delete(AuditValue)
        .where(AuditValue.brand_id == brand_id, AuditValue.entry_id.in_(entries))
        .execution_options(synchronize_session=False)
    )
