"""The pool: codes that are live in a shop before they are issued, so that an offer can go at once.

A pooled code is a publication without a row in `codes`. Whoever issues it locks it first, so it has
one owner.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids, recordset
from app.base.ids import new_id
from app.base.tokens import random_code
from app.referrals.publishing.locks import lock_publications
from app.referrals.publishing.models import CodePublication
from app.referrals.publishing.revoke import revoke_publications
from app.referrals.publishing.shop_terms import ShopTerms
from app.referrals.rules import PublicationState

POOL_SIZE = 200
"""Codes that wait in each shop under the terms in force."""
REFILLED_BELOW = 150
SPARE = timedelta(days=30)
"""A pooled code works in the shop for longer than what is issued with it needs: after this it is
exchanged."""
AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class PooledCode:
    """A code that its shop knows, locked for the one who issues it."""

    code_id: UUID
    display: str


async def take_pooled(
    session: AsyncSession, pool: ShopTerms, count: int, *, until: datetime
) -> list[PooledCode]:
    """Lock up to `count` codes that are live, and are in the shop at least `until` then.

    Nobody else gets them until the transaction ends; a code is issued by `issue_pooled`, and stays
    in the pool without.
    """
    rows = await session.execute(
        select(CodePublication.code_id, CodePublication.code)
        .where(
            *_of(pool),
            CodePublication.state == PublicationState.live,
            CodePublication.expires_at >= until,
        )
        .order_by(CodePublication.code_id)
        .limit(count)
        .with_for_update(skip_locked=True)
    )
    return [PooledCode(row.code_id, row.code) for row in rows]


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """What its publication takes over from a code that was issued from the pool."""

    code_id: UUID
    expires_at: datetime
    trial: bool


async def issue_pooled(session: AsyncSession, pool: ShopTerms, issued: Sequence[IssuedCode]) -> None:
    """Let these locked codes be those of their rows in `codes`, which exist by now."""
    rows = [{"code_id": each.code_id, "expires_at": each.expires_at, "trial": each.trial} for each in issued]
    given = recordset(rows, (CodePublication.code_id, CodePublication.expires_at, CodePublication.trial)).c
    await session.execute(
        update(CodePublication)
        .values(issued_id=given.code_id, expires_at=given.expires_at, trial=given.trial)
        .where(*_of(pool), CodePublication.code_id == given.code_id)
        .execution_options(synchronize_session=False)
    )


async def refill_pool(session: AsyncSession, pool: ShopTerms, *, valid: timedelta, now: datetime) -> int:
    """Add codes where fewer than `REFILLED_BELOW` are there or on their way; returns how many."""
    there = await session.scalar(
        select(func.count())
        .select_from(CodePublication)
        .where(
            *_of(pool),
            CodePublication.state.in_(
                [PublicationState.wanted, PublicationState.sending, PublicationState.live]
            ),
            CodePublication.expires_at > now + valid,
        )
    )
    if there is None or there >= min(REFILLED_BELOW, POOL_SIZE):
        return 0
    rows = [
        {
            "brand_id": pool.brand_id,
            "code_id": new_id(),
            "shop_id": pool.shop_id,
            "code": random_code(),
            "terms_id": pool.terms_id,
            "expires_at": now + valid + SPARE,
            "state": PublicationState.wanted,
            "urgent": False,
            "due_at": now,
        }
        for _ in range(POOL_SIZE - there)
    ]
    await session.execute(insert(CodePublication), rows)
    return len(rows)


async def drain_pools(session: AsyncSession, pool: ShopTerms, *, valid: timedelta, now: datetime) -> int:
    """Take out of the shop what is never issued: of other terms than this pool's, or too old.

    What is out of the shop, or never came there, is deleted. Returns how many rows were changed.
    """
    pooled = (
        CodePublication.brand_id == pool.brand_id,
        CodePublication.shop_id == pool.shop_id,
        CodePublication.issued_id.is_(None),
    )
    is_useless = (CodePublication.terms_id != pool.terms_id) | (CodePublication.expires_at <= now + valid)
    is_outside = CodePublication.state.in_([PublicationState.revoked, PublicationState.failed])
    is_unsent = CodePublication.state == PublicationState.wanted
    gone = await lock_publications(session, *pooled, is_outside | (is_useless & is_unsent))
    await session.execute(
        delete(CodePublication)
        .where(*pooled, in_ids(CodePublication.code_id, gone))
        .execution_options(synchronize_session=False)
    )
    # Somebody may be issuing one of them just now: that one stays.
    live = (
        select(CodePublication.code_id)
        .where(*pooled, is_useless, CodePublication.state == PublicationState.live)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    useless = (await session.scalars(live)).all()
    await revoke_publications(session, pool.brand_id, useless, now=now)
    return len(gone) + len(useless)


def _of(pool: ShopTerms) -> tuple[ColumnElement[bool], ...]:
    return (
        CodePublication.brand_id == pool.brand_id,
        CodePublication.shop_id == pool.shop_id,
        CodePublication.terms_id == pool.terms_id,
        CodePublication.issued_id.is_(None),
    )
