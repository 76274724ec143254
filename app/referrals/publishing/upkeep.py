"""The sweep `code-upkeep`: pools of connected shops, expired codes, and changed connections."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.batch import in_ids
from app.base.context import AppContext
from app.base.fence import load_fence
from app.base.turns import Sweep
from app.brands.find import load_programme, load_shops
from app.brands.models import Shop
from app.platforms.models import ShopConnection
from app.platforms.registry import adapter_of
from app.referrals.amount_rules import has_amounts
from app.referrals.models import Code
from app.referrals.placing.placements import place_existing
from app.referrals.publishing.locks import lock_publications
from app.referrals.publishing.models import (
    PUBLISHING_SWEEPS,
    CodePublication,
    ShopDiscount,
    ShopPublishing,
)
from app.referrals.publishing.pool import drain_pools, refill_pool
from app.referrals.publishing.revoke import IS_IN_SHOP, revoke_publications
from app.referrals.publishing.shop_terms import ShopTerms
from app.referrals.rules import CodeKind, PublicationState
from app.referrals.shop_credit.holdings import hold_existing, leave_account

EVERY = timedelta(seconds=30)
AT_ONCE = 1_000
"""Expired codes of one transaction."""


def sweep(context: AppContext) -> Sweep:
    """Keeps the pools filled and takes expired codes out of the shops, shop by shop."""

    async def brands(now: datetime) -> Sequence[int]:
        async with context.reading_sessions() as session:
            if await load_fence(session) is not None:
                return []
            found = await session.scalars(
                select(ShopConnection.brand_id)
                .outerjoin(ShopPublishing, _of_connection())
                .where(_is_due(now))
                .distinct()
            )
            return found.all()

    async def work(brand_id: int, now: datetime) -> int:
        async with context.sessions.begin() as session:
            return await keep_up(session, brand_id, now=now)

    return Sweep("code-upkeep", brands, work, every_seconds=15)


def _of_connection() -> ColumnElement[bool]:
    return and_(
        ShopPublishing.brand_id == ShopConnection.brand_id, ShopPublishing.shop_id == ShopConnection.shop_id
    )


def _is_due(now: datetime) -> ColumnElement[bool]:
    return or_(
        ShopPublishing.upkeep_due_at.is_(None),
        ShopPublishing.upkeep_due_at <= now,
        ShopPublishing.connected_at != ShopConnection.updated_at,
    )


async def keep_up(session: AsyncSession, brand_id: int, *, now: datetime) -> int:
    """See to the brand's connected shop that waits longest; returns how many rows it moved.

    A shop that nothing was done for counts as none: it is due again later.
    """
    connection = (
        await session.scalars(
            select(ShopConnection)
            .outerjoin(ShopPublishing, _of_connection())
            .where(ShopConnection.brand_id == brand_id, _is_due(now))
            .order_by(ShopPublishing.upkeep_due_at.nulls_first(), ShopConnection.shop_id)
            .limit(1)
            .with_for_update(key_share=True, skip_locked=True, of=ShopConnection)
        )
    ).first()
    if connection is None:
        return 0
    shop = (await load_shops(session, brand_id))[connection.shop_id]
    key = {"brand_id": brand_id, "shop_id": shop.id}
    await session.execute(insert(ShopPublishing).values(key).on_conflict_do_nothing())
    state = (await session.scalars(select(ShopPublishing).filter_by(**key).with_for_update())).one()
    state.upkeep_due_at = now + EVERY
    moved = 0
    if adapter_of(shop.platform).publishes_codes:
        if state.connected_at != connection.updated_at:
            moved += await _take_over(session, shop, is_other=state.account != connection.account, now=now)
        if connection.holds_credit and not (
            state.holds_credit and state.connected_at == connection.updated_at
        ):
            moved += await hold_existing(session, shop, now=now)
        state.holds_credit = connection.holds_credit
        moved += await _expire(session, brand_id, shop.id, now=now)
        moved += await _keep_pool(session, shop, now=now)
    state.account, state.connected_at = connection.account, connection.updated_at
    return moved


async def _take_over(session: AsyncSession, shop: Shop, *, is_other: bool, now: datetime) -> int:
    """Put the codes that count into a shop that was connected; into another account all of them.

    What was refused for good is tried again.
    """
    is_missing = and_(CodePublication.state == PublicationState.live, CodePublication.attempt == 0)
    if is_other:
        await session.execute(
            update(ShopDiscount)
            .values(remote_id=None, first_code_id=None, leased_until=None)
            .where(ShopDiscount.brand_id == shop.brand_id, ShopDiscount.shop_id == shop.id)
        )
        is_missing = CodePublication.state == PublicationState.live
        await leave_account(session, shop.brand_id, shop.id, now=now)
    await session.execute(
        update(ShopPublishing)
        .values(paused_until=None)
        .where(ShopPublishing.brand_id == shop.brand_id, ShopPublishing.shop_id == shop.id)
    )
    here = (CodePublication.brand_id == shop.brand_id, CodePublication.shop_id == shop.id)
    codes = await lock_publications(
        session,
        *here,
        CodePublication.expires_at > now,
        is_missing | (CodePublication.state == PublicationState.failed),
        _may_be_shared(),
    )
    if codes:
        wanted = {"state": PublicationState.wanted, "due_at": now, "urgent": False}
        await session.execute(
            update(CodePublication)
            .values(**wanted, remote_id=None, job=None, reason=None)
            .where(*here, in_ids(CodePublication.code_id, codes))
            .execution_options(synchronize_session=False)
        )
        await due.wake(session, PUBLISHING_SWEEPS[False])
    return len(codes) + await place_existing(session, shop.brand_id, shop.id, is_other=is_other, now=now)


def _may_be_shared() -> ColumnElement[bool]:
    """A code of the pool, or one that a referrer shares: not one that is disabled."""
    shared = (
        select(Code.id)
        .where(
            Code.brand_id == CodePublication.brand_id,
            Code.id == CodePublication.issued_id,
            Code.kind != CodeKind.reward,
            Code.disabled_at.is_(None),
        )
        .exists()
    )
    return CodePublication.issued_id.is_(None) | shared


async def _expire(session: AsyncSession, brand_id: int, shop_id: UUID, *, now: datetime) -> int:
    """Let expired codes be taken out of the shop."""
    ids = (
        await session.scalars(
            select(CodePublication.code_id)
            .where(
                CodePublication.brand_id == brand_id,
                CodePublication.shop_id == shop_id,
                CodePublication.expires_at <= now,
                IS_IN_SHOP,
            )
            .limit(AT_ONCE)
            .with_for_update(skip_locked=True)
        )
    ).all()
    await session.execute(
        update(CodePublication)
        .values(urgent=False)
        .where(CodePublication.brand_id == brand_id, in_ids(CodePublication.code_id, list(ids)))
        .execution_options(synchronize_session=False)
    )
    await revoke_publications(session, brand_id, ids, now=now)
    return len(ids)


async def _keep_pool(session: AsyncSession, shop: Shop, *, now: datetime) -> int:
    """Drain what no offer of today can use, and refill the pool while offers are made."""
    in_force = await load_programme(session, shop.brand_id)
    programme = in_force.programme
    valid = timedelta(days=programme.offer.valid_days)
    pool = ShopTerms(shop.brand_id, shop.id, in_force.terms_id)
    moved = await drain_pools(session, pool, valid=valid, now=now)
    if programme.offers_enabled and programme.runs_at(now) and has_amounts(programme, shop.currency):
        added = await refill_pool(session, pool, valid=valid, now=now)
        if added:
            await due.wake(session, PUBLISHING_SWEEPS[False])
        moved += added
    return moved
