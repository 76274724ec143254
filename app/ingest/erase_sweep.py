"""The sweep `erasures`: what still names erased people after their rows were emptied.

It reads raw deliveries that are linked to nobody and friends' orders with a person's code, in small
transactions and outside of the lock under which a brand's deliveries are processed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import case, null, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.batch import recordset
from app.base.context import AppContext
from app.base.turns import Sweep
from app.brands.find import load_brand, load_shops
from app.ingest.bodies import empty_deliveries, load_linked, load_unlinked
from app.ingest.erase import SWEEP_NAME, erase_rows
from app.ingest.erase_shop import ShopErasure, erase_shop_people
from app.ingest.links import link_customers
from app.ingest.models import Erasure
from app.ingest.named import find_named
from app.ingest.rules import CustomerLink
from app.referrals.erase import replace_erased_codes

PASSES = 2
"""The second pass finds what a transaction wrote that had begun before the erasure."""
BETWEEN_PASSES = timedelta(minutes=2)
"""Longer than any transaction of ours may take."""
MOST_ERASURES = 500


@dataclass(frozen=True, slots=True)
class DueErasures:
    """Erasures of one brand whose next pass is due."""

    ids: Sequence[UUID]
    due_at: Sequence[datetime]
    """Of each, as it was read."""
    customer_ids: Sequence[UUID]
    shops: Sequence[ShopErasure]
    before: int
    """Deliveries at this place in the order of arrival, or later, are not concerned."""


async def finish_due(context: AppContext, brand_id: int, *, now: datetime) -> int:
    """Do the next pass of the brand's due erasures; returns how many there were.

    A pass that is interrupted is done again. Any number of processes may do the same one.
    """
    async with context.sessions() as session:
        found = await _load_due(session, brand_id, now=now)
    if not found.ids:
        return 0
    for shop in found.shops:
        await erase_shop_people(context, brand_id, shop, now=now)
    await _erase_again(context, brand_id, found, now=now)
    await empty_named(context, brand_id, before=found.before)
    await _replace_codes(context, brand_id, found.customer_ids)
    await _write_passes(context, brand_id, found, now=now)
    return len(found.ids)


async def _write_passes(context: AppContext, brand_id: int, found: DueErasures, *, now: datetime) -> None:
    """Count the pass; an erasure that was made due again meanwhile (`rescan`) stays due."""
    rows = [
        {"id": erasure_id, "due_at": due_at}
        for erasure_id, due_at in zip(found.ids, found.due_at, strict=True)
    ]
    given = recordset(rows, [Erasure.id, Erasure.due_at])
    async with context.sessions.begin() as session:
        await session.execute(
            update(Erasure)
            .where(Erasure.brand_id == brand_id, Erasure.id == given.c.id, Erasure.due_at == given.c.due_at)
            .values(
                passes=Erasure.passes + 1,
                due_at=case((Erasure.passes + 1 < PASSES, now + BETWEEN_PASSES), else_=null()),
            )
            .execution_options(synchronize_session=False)
        )


async def _load_due(session: AsyncSession, brand_id: int, *, now: datetime) -> DueErasures:
    rows = (
        await session.execute(
            select(
                Erasure.id,
                Erasure.due_at,
                Erasure.customer_id,
                Erasure.shop_id,
                Erasure.sequence,
                Erasure.created_at,
            )
            .where(Erasure.brand_id == brand_id, Erasure.due_at <= now)
            .order_by(Erasure.due_at, Erasure.id)
            .limit(MOST_ERASURES)
        )
    ).all()
    return DueErasures(
        ids=[row.id for row in rows],
        due_at=[row.due_at for row in rows],
        customer_ids=sorted({row.customer_id for row in rows if row.customer_id is not None}),
        shops=[
            ShopErasure(row.shop_id, row.sequence, row.created_at) for row in rows if row.shop_id is not None
        ],
        before=max((row.sequence for row in rows), default=0),
    )


async def _erase_again(context: AppContext, brand_id: int, found: DueErasures, *, now: datetime) -> None:
    """Erase what transactions wrote that ran beside the erasure."""
    async with context.sessions.begin() as session:
        brand = await load_brand(session, brand_id)
        await erase_rows(session, context.tokens, brand, found.customer_ids, now=now)


async def empty_named(context: AppContext, brand_id: int, *, before: int) -> int:
    """Empty the unlinked deliveries that arrived before this place and name erased people.

    Each is linked to the person's emptied row. Returns how many were emptied.
    """
    async with context.sessions() as session:
        shops = await load_shops(session, brand_id)
    emptied = 0
    after: UUID | None = None
    while True:
        async with context.sessions.begin() as session:
            chunk = await load_unlinked(session, brand_id, before=before, after=after)
            if not chunk:
                return emptied
            after = chunk[-1].id
            named = await find_named(session, context.tokens, brand_id, shops, chunk)
            emptied += await empty_deliveries(session, brand_id, named.keys())
            await link_customers(
                session,
                brand_id,
                [CustomerLink(each, customer_id) for each, customer_id in named.items() if customer_id],
            )


async def _replace_codes(context: AppContext, brand_id: int, customer_ids: Sequence[UUID]) -> None:
    """Take these referrers' codes out of friends' orders and deliveries."""
    async with context.sessions.begin() as session:
        friends = await replace_erased_codes(session, context.tokens, brand_id, customer_ids)
        shops = await load_shops(session, brand_id)
    after: UUID | None = None
    while friends:
        async with context.sessions.begin() as session:
            chunk = await load_linked(session, brand_id, friends, after=after)
            if not chunk:
                return
            after = chunk[-1].id
            with_code = await find_named(session, context.tokens, brand_id, shops, chunk, codes_only=True)
            await empty_deliveries(session, brand_id, with_code.keys())


async def rescan(session: AsyncSession, brand_id: int, *, after: int, now: datetime) -> None:
    """Make one more pass due for erasures at a later place than `after`, where there are any.

    Called when deliveries from there on were processed: one that arrived before an erasure may have
    failed, or name the person in a field that is not used.
    """
    found = await session.execute(
        update(Erasure)
        .where(Erasure.brand_id == brand_id, Erasure.sequence > after)
        .values(due_at=now)
        .returning(Erasure.id)
        .execution_options(synchronize_session=False)
    )
    if found.first() is not None:
        await due.wake(session, SWEEP_NAME)


def sweep(context: AppContext) -> Sweep:
    """The sweep that finishes erasures, brand by brand."""

    async def brands(now: datetime) -> Sequence[int]:
        return await due.brands_of(context.reading_sessions, Erasure.brand_id, Erasure.due_at <= now)

    async def work(brand_id: int, now: datetime) -> int:
        return await finish_due(context, brand_id, now=now)

    return Sweep(SWEEP_NAME, brands, work)
