"""API keys: create one, find the one that a caller sends.

A key is `tf_`, then the brand's id and the row's id in base 64, then its secret.
"""

import base64
import binascii
import hmac
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.models import ApiKey
from app.admin.rules import Scope
from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.ids import new_id
from app.base.tokens import new_secret, secret_hash

_PREFIX = "tf_"
_HEAD_BYTES = 20
_HEAD_LENGTH = 27
"""Base 64 of brand (4 bytes) and row id (16 bytes), without padding."""


async def add_key(session: AsyncSession, brand_id: int, scopes: Collection[Scope], *, actor: Actor) -> str:
    """Create a key and return it; only a hash of its secret is stored."""
    secret = new_secret()
    key = ApiKey(brand_id=brand_id, id=new_id(), secret_hash=secret_hash(secret), scopes=sorted(set(scopes)))
    session.add(key)
    await session.flush()
    changes = {"scopes": (None, key.scopes)}
    await record_action(session, actor, AuditAction.key_added, ("key", key.id), changes)
    head = base64.urlsafe_b64encode(brand_id.to_bytes(4) + key.id.bytes).decode().rstrip("=")
    return f"{_PREFIX}{head}{secret}"


async def find_key(session: AsyncSession, sent: str) -> ApiKey | None:
    """The key that a caller sent; None for an unknown, wrong or revoked one.

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
