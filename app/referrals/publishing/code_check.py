"""The sweep `code-check`: each night a shop's codes are compared with what it must have.

A check goes page by page and may break off anywhere: its progress is stored with each page. What is
missing is put there again, what somebody has changed is set back, what is revoked is deleted; the
rest is told to people.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext
from app.base.errors import OutsideError
from app.base.fence import brands_unless_fenced
from app.base.turns import Sweep
from app.brands.models import Shop
from app.brands.rules import zone_or
from app.brands.terms import load_terms
from app.platforms.calls import open_platform_session
from app.platforms.connection_types import Connection
from app.platforms.connections import load_connections
from app.platforms.discounts import Discount
from app.platforms.protocol import PlatformAdapter
from app.platforms.registry import adapter_of
from app.platforms.rules import RETRY, next_check
from app.referrals.publishing.call import CALL_SECONDS, CLAIM_SECONDS
from app.referrals.publishing.claim import LEASE, discount_of
from app.referrals.publishing.compare_codes import (
    KnownPage,
    find_known,
    publish_missing,
    record_page,
    sentences_of,
)
from app.referrals.publishing.models import CheckProgress, ShopDiscount
from app.referrals.publishing.shop_terms import ShopTerms


@dataclass(frozen=True, slots=True)
class CodeCheck:
    """A page of a check that is to be made."""

    place: ShopTerms
    shop: Shop
    adapter: PlatformAdapter
    connection: Connection
    discount: Discount
    progress: CheckProgress


def sweep(context: AppContext) -> Sweep:
    """Checks what is due, a page of one shop and terms at a time."""

    async def brands(now: datetime) -> Sequence[int]:
        is_due = ShopDiscount.check_due_at <= now
        return await brands_unless_fenced(context.reading_sessions, ShopDiscount.brand_id, is_due)

    async def work(brand_id: int, now: datetime) -> int:
        return await check_codes(context, brand_id, now=now)

    return Sweep("code-check", brands, work, every_seconds=30)


async def check_codes(context: AppContext, brand_id: int, *, now: datetime) -> int:
    """Check one page of what is due longest; returns 1, or 0 where nothing is due."""
    async with context.sessions.begin() as session:
        row = await _lock_due(session, brand_id, now=now)
        if row is None:
            return 0
        check = await _begin(session, context, row, now=now)
    if check is None:
        return 1
    try:
        async with asyncio.timeout(CLAIM_SECONDS):
            page = await _call(context, check)
    except (OutsideError, TimeoutError) as error:
        reason = error.reason if isinstance(error, OutsideError) else "The platform did not respond in time."
        async with context.sessions.begin() as session:
            row = await _lock_row(session, check)
            row.check_due_at = now + RETRY
            row.findings = [f"The codes could not be checked: {reason}"]
        return 1
    async with context.sessions.begin() as session:
        await _record(session, check, page, now=now)
    return 1


async def check_codes_again(session: AsyncSession, brand_id: int, shop_id: UUID, *, now: datetime) -> None:
    """Let the shop's codes be compared with ours as soon as a worker comes to it."""
    rows = await session.scalars(
        select(ShopDiscount)
        .where(ShopDiscount.brand_id == brand_id, ShopDiscount.shop_id == shop_id)
        .order_by(ShopDiscount.terms_id)
        .with_for_update()
    )
    for row in rows:
        row.check_due_at = now


async def _lock_due(session: AsyncSession, brand_id: int, *, now: datetime) -> ShopDiscount | None:
    rows = await session.scalars(
        select(ShopDiscount)
        .where(ShopDiscount.brand_id == brand_id, ShopDiscount.check_due_at <= now)
        .order_by(ShopDiscount.check_due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return rows.first()


async def _begin(
    session: AsyncSession, context: AppContext, row: ShopDiscount, *, now: datetime
) -> CodeCheck | None:
    """What the next page needs; None where there is nothing to call."""
    shop = (
        await session.scalars(select(Shop).where(Shop.brand_id == row.brand_id, Shop.id == row.shop_id))
    ).one()
    adapter = adapter_of(shop.platform)
    terms = (await load_terms(session, row.brand_id, [row.terms_id]))[row.terms_id]
    discount = discount_of(shop, row.terms_id, terms, row.remote_id)
    connections = await load_connections(session, context.tokens, row.brand_id, [shop.id])
    connection = connections.get(shop.id)
    if connection is None or discount is None or not adapter.publishes_codes:
        row.check_due_at, row.progress = _night(shop, now), None
        row.findings = []
        return None
    row.check_due_at = now + LEASE
    row.progress = row.progress or new_progress(now)
    return CodeCheck(
        ShopTerms(row.brand_id, shop.id, row.terms_id), shop, adapter, connection, discount, row.progress
    )


def new_progress(now: datetime) -> CheckProgress:
    """A check that begins."""
    return CheckProgress(
        began_at=now.isoformat(),
        after=None,
        changed=[],
        problems=[],
        extra=[],
        extra_count=0,
        drift=[],
        drift_count=0,
    )


def _night(shop: Shop, now: datetime) -> datetime:
    return next_check(shop.id, zone_or(shop.time_zone, "UTC"), after=now)


async def _call(context: AppContext, check: CodeCheck) -> KnownPage:
    """A page of what the shop has, once what somebody has changed there is set back."""
    adapter, most = check.adapter, check.adapter.codes_at_once
    async with open_platform_session(context.settings, connections=1, total_seconds=CALL_SECONDS) as http:
        page = await adapter.list_codes(http, check.connection, check.discount, check.progress["after"])
        async with context.sessions() as session:
            found = await find_known(session, check.place, page)
        changed = found.to_repair
        parts = [changed[start : start + most] for start in range(0, len(changed), most)]
        for part in parts or ([[]] if page.differences else []):
            await adapter.repair_codes(http, check.connection, check.discount, part)
        return found


async def _lock_row(session: AsyncSession, check: CodeCheck) -> ShopDiscount:
    place = check.place
    wanted = select(ShopDiscount).where(
        ShopDiscount.brand_id == place.brand_id,
        ShopDiscount.shop_id == place.shop_id,
        ShopDiscount.terms_id == place.terms_id,
    )
    return (await session.scalars(wanted.with_for_update())).one()


async def _record(session: AsyncSession, check: CodeCheck, found: KnownPage, *, now: datetime) -> None:
    """Store what the page showed; after the last one, what the whole check found."""
    row = await _lock_row(session, check)
    progress = await record_page(session, check.place, check.progress, found, now=now)
    is_same = check.discount.remote_id == row.remote_id
    if found.page.is_gone and is_same and row.remote_id is not None:
        # One that was made meanwhile stays, and so does the code by which one is looked up.
        row.remote_id, row.first_code_id = None, None
    if progress["after"] is not None:
        row.progress, row.check_due_at = progress, now
        return
    began_at = datetime.fromisoformat(progress["began_at"])
    missing = await publish_missing(session, check.place, began_at=began_at, now=now)
    row.findings = sentences_of(progress, missing)
    row.progress, row.checked_at, row.check_due_at = None, now, _night(check.shop, now)
