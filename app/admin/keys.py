"""API keys: create and revoke one, find the one that a caller sends.

A key is `tf_`, then the brand's id and the row's id in base 64, then its secret.
"""

import base64
import binascii
import hmac
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.models import ApiKey
from app.admin.rules import Scope, may_grant
from app.base.actor import Actor, ActorKind
from app.base.audit import AuditAction, record_action, record_actions
from app.base.errors import AppError, NotFound
from app.base.ids import new_id
from app.base.tokens import new_secret, secret_hash

_PREFIX = "tf_"
_HEAD_BYTES = 20
_HEAD_LENGTH = 27
"""Base 64 of brand (4 bytes) and row id (16 bytes), without padding."""


async def create_key(
    session: AsyncSession,
    brand_id: int,
    scopes: Collection[Scope],
    *,
    actor: Actor,
    label: str = "",
    expires_at: datetime | None = None,
    key_id: UUID | None = None,
) -> tuple[ApiKey, str]:
    """Create a key; returns its row and the key itself, of which only a hash is stored.

    `key_id` is a new id. Raises AppError (`missing_scope`, 403) for `pii` where the actor does not
    see people: a key cannot make one that shows more.
    """
    if not may_grant(scopes, sees_people=actor.sees_people):
        raise AppError(
            "missing_scope",
            "A key without the scope 'pii' cannot make one that has it; use the command tenfold key add.",
            status=403,
        )
    secret = new_secret()
    made_by = await _maker(session, actor)
    key = ApiKey(
        brand_id=brand_id,
        id=key_id or new_id(),
        secret_hash=secret_hash(secret),
        scopes=sorted(set(scopes)),
        label=label,
        made_by=made_by,
        expires_at=expires_at,
    )
    session.add(key)
    await session.flush()
    changes: dict[str, tuple[object, object]] = {"scopes": (None, key.scopes)}
    if label:
        changes["label"] = (None, label)
    if expires_at is not None:
        changes["expires_at"] = (None, expires_at.isoformat())
    await record_action(session, actor, AuditAction.key_added, ("key", key.id), changes)
    head = base64.urlsafe_b64encode(brand_id.to_bytes(4) + key.id.bytes).decode().rstrip("=")
    return key, f"{_PREFIX}{head}{secret}"


async def add_key(session: AsyncSession, brand_id: int, scopes: Collection[Scope], *, actor: Actor) -> str:
    """As `create_key`, without label and expiry; returns the key alone."""
    _, key = await create_key(session, brand_id, scopes, actor=actor)
    return key


async def revoke_key(
    session: AsyncSession, brand_id: int, key_id: UUID, *, actor: Actor, now: datetime
) -> ApiKey:
    """Revoke a key of the brand; every process refuses it within seconds.

    A key that was revoked before stays as it is. Raises `NotFound`.
    """
    wanted = select(ApiKey).where(ApiKey.brand_id == brand_id, ApiKey.id == key_id).with_for_update()
    key = await session.scalar(wanted.execution_options(populate_existing=True))
    if key is None:
        raise NotFound
    if key.revoked_at is None:
        key.revoked_at = now
        await session.flush()
        await record_action(session, actor, AuditAction.key_revoked, ("key", key.id))
    return key


async def _maker(session: AsyncSession, actor: Actor) -> UUID | None:
    """The staff member behind the actor: themselves, or who made the key that acts."""
    if actor.kind is ActorKind.staff:
        return actor.id
    if actor.kind is not ActorKind.api_key:
        return None
    return await session.scalar(
        select(ApiKey.made_by).where(ApiKey.brand_id == actor.brand_id, ApiKey.id == actor.id)
    )


async def end_keys_of(
    session: AsyncSession, brand_id: int, staff_id: UUID, *, actor: Actor, keep: bool = False
) -> int:
    """Revoke the keys that a person made, and those made by them; returns how many.

    With `keep` they stay good and count as made by the actor.
    """
    values = {"made_by": actor.id if actor.kind is ActorKind.staff else None}
    ended = (
        update(ApiKey)
        .where(ApiKey.brand_id == brand_id, ApiKey.made_by == staff_id, ApiKey.revoked_at.is_(None))
        .values(**(values if keep else {"revoked_at": func.now()}))
        .returning(ApiKey.id)
        .execution_options(synchronize_session=False)
    )
    ids = (await session.scalars(ended)).all()
    action = AuditAction.key_kept if keep else AuditAction.key_revoked
    await record_actions(session, actor, action, "key", {key_id: {} for key_id in ids})
    return 0 if keep else len(ids)


async def keys_of(session: AsyncSession, brand_id: int, staff_id: UUID) -> list[str]:
    """What the keys are for that would end with this person, by name."""
    found = await session.scalars(
        select(ApiKey.label)
        .where(ApiKey.brand_id == brand_id, ApiKey.made_by == staff_id, ApiKey.revoked_at.is_(None))
        .order_by(ApiKey.label, ApiKey.id)
    )
    return list(found)


async def brand_of_key(session: AsyncSession, key_id: UUID) -> int:
    """The brand of a key, for commands that are given its id alone. Raises `NotFound`."""
    brand_id = await session.scalar(select(ApiKey.brand_id).where(ApiKey.id == key_id))
    if brand_id is None:
        raise NotFound("There is no key with this id; list them with: tenfold key list --brand SLUG")
    return brand_id


async def find_key(session: AsyncSession, sent: str) -> ApiKey | None:
    """The key that a caller sent, also an expired one; None for an unknown, wrong or revoked one.

    Secrets are compared in constant time.
    """
    if not sent.startswith(_PREFIX) or not sent.isascii():
        return None
    head, secret = sent[len(_PREFIX) :][:_HEAD_LENGTH], sent[len(_PREFIX) :][_HEAD_LENGTH:]
    try:
        raw = base64.urlsafe_b64decode(head + "=")
    except (binascii.Error, ValueError):
        return None
    if len(raw) != _HEAD_BYTES:
        return None
    brand_id = int.from_bytes(raw[:4])
    if brand_id >= 2**31:
        return None
    key = await session.scalar(
        select(ApiKey).where(ApiKey.brand_id == brand_id, ApiKey.id == UUID(bytes=raw[4:]))
    )
    if (
        key is None
        or key.revoked_at is not None
        or not hmac.compare_digest(key.secret_hash, secret_hash(secret))
    ):
        return None
    return key
