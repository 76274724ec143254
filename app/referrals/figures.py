"""What each referrer brought: computed from the rows, by a sweep, for those who changed."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.context import AppContext
from app.base.due import brands_of
from app.base.ids import new_id
from app.base.prepared import Prepared
from app.base.turns import Busy, Sweep
from app.brands.find import load_brand
from app.brands.models import Brand
from app.brands.rules import zone_or
from app.referrals.figure_models import FigureBasis, ReferrerChange, ReferrerFigure
from app.referrals.leaks import find_leaks

SWEEP_NAME = "referrer-figures"
_TURN = 0x7E53
"""Class of the advisory lock of the one process that computes a brand's figures."""
_AT_ONCE = 10
"""Changes of one transaction, each of a batch's referrers."""
_OF_A_CHANGE = 500
"""Referrers of one change where all are computed anew."""
COUNTING = "('pending', 'in_review', 'approved')"
"""The states of a redemption that counts or may still count."""

_NOTE = Prepared(
    insert(ReferrerChange).values({name: bindparam(name) for name in ("brand_id", "id", "referrer_ids")}),
    tuple,
)


async def note_changes(session: AsyncSession, brand_id: int, referrer_ids: Collection[UUID]) -> None:
    """Have the figures of these referrers computed anew, once this transaction is committed."""
    if referrer_ids:
        await _NOTE.run(session, brand_id=brand_id, id=new_id(), referrer_ids=sorted(referrer_ids))


async def note_brand_change(session: AsyncSession, brand_id: int) -> None:
    """Have all figures of a brand computed anew where its time zone or margin is another one."""
    await _NOTE.run(session, brand_id=brand_id, id=new_id(), referrer_ids=[])


def figure_lines(chosen: str = "true") -> str:
    """The SQL of what figures add up: a row each of what a referrer brought, and of what it cost.

    `chosen` is a condition on the rows of `{table}`, which has a `brand_id` and a `referrer_id`.
    Test and trial orders are left out.
    """
    friends_order = """
        redemptions JOIN orders ON orders.brand_id = redemptions.brand_id AND orders.id = redemptions.order_id
            AND NOT orders.test AND NOT orders.trial
    """
    of_redemptions, of_rewards = chosen.format(table="redemptions"), chosen.format(table="rewards")
    counts = f"redemptions.status IN {COUNTING}"
    return f"""
        SELECT redemptions.brand_id, redemptions.referrer_id, orders.currency, orders.placed_at AS at,
            CASE WHEN {counts} THEN redemptions.id END AS counted_id,
            CASE WHEN {counts} THEN coalesce(redemptions.friend_id, redemptions.id) END AS friend_id,
            CASE WHEN {counts} AND orders.cancelled_at IS NULL
                THEN greatest(0, orders.total - orders.refunded) ELSE 0 END AS revenue,
            0 AS cost
        FROM {friends_order} WHERE {of_redemptions}
        UNION ALL
        SELECT redemptions.brand_id, redemptions.referrer_id, entries.currency, orders.placed_at, NULL, NULL,
            0, entries.amount
        FROM {friends_order}
        JOIN ledger_entries AS entries ON entries.brand_id = redemptions.brand_id
            AND entries.cause_kind = 'redemption' AND entries.cause_id = redemptions.id
            AND entries.account IN ('discount_cost', 'leaked_discount', 'reward_cost')
        WHERE {of_redemptions}
        UNION ALL
        SELECT rewards.brand_id, rewards.referrer_id, rewards.currency, rewards.granted_at, NULL, NULL,
            0, rewards.net_amount
        FROM rewards WHERE {of_rewards} AND rewards.redemption_id IS NULL AND rewards.granted_at IS NOT NULL
    """


def figure_sums(zone: str, margin: str, source: str = "lines") -> str:
    """The columns of figures over `lines`, grouped.

    `zone` and `margin` are SQL values of `source`.
    """
    return f"""
        count(DISTINCT lines.friend_id) AS friends, count(lines.counted_id) AS orders,
        sum(lines.revenue)::bigint AS revenue, sum(lines.cost)::bigint AS cost,
        (round(sum(lines.revenue) * {margin} / 100.0) - sum(lines.cost))::bigint AS profit,
        max(lines.at) FILTER (WHERE lines.counted_id IS NOT NULL) AS last_order_at
        FROM {source} CROSS JOIN LATERAL (VALUES ('all'), (to_char(lines.at AT TIME ZONE {zone}, 'YYYY')),
            (to_char(lines.at AT TIME ZONE {zone}, 'YYYY-MM'))) AS spans (span)
    """


_CHOSEN = "{table}.brand_id = :brand_id AND {table}.referrer_id = ANY(CAST(:ids AS uuid[]))"
_COMPUTE = text(f"""
    WITH lines AS ({figure_lines(_CHOSEN)}),
    sums AS (
        SELECT lines.referrer_id, spans.span, lines.currency,
            {figure_sums("CAST(:zone AS text)", "CAST(:margin AS int)")}
        GROUP BY lines.referrer_id, spans.span, lines.currency
    )
    INSERT INTO referrer_figures (brand_id, referrer_id, span, currency, shop_id, friends, orders, revenue,
        cost, profit, last_order_at)
    SELECT :brand_id, sums.referrer_id, sums.span, sums.currency, referrers.shop_id, sums.friends, sums.orders,
        sums.revenue, sums.cost, sums.profit, sums.last_order_at
    FROM sums JOIN referrers ON referrers.brand_id = :brand_id AND referrers.id = sums.referrer_id
""")
_NOTE_ALL = text(f"""
    INSERT INTO referrer_changes (brand_id, id, referrer_ids)
    SELECT :brand_id, gen_random_uuid(), array_agg(referrer_id)
    FROM (
        SELECT referrer_id, row_number() OVER (ORDER BY referrer_id) / {_OF_A_CHANGE} AS part FROM (
            SELECT referrer_id FROM redemptions WHERE brand_id = :brand_id
            UNION SELECT referrer_id FROM rewards WHERE brand_id = :brand_id AND redemption_id IS NULL
            UNION SELECT referrer_id FROM referrer_figures WHERE brand_id = :brand_id
        ) AS known
    ) AS parts GROUP BY part
""")


def sweep(context: AppContext) -> Sweep:
    """Computes the figures of referrers who changed."""

    async def brands(_now: datetime) -> Sequence[int]:
        return await brands_of(context.reading_sessions, ReferrerChange.brand_id)

    async def work(brand_id: int, now: datetime) -> int:
        async with context.sessions.begin() as session:
            return await refresh_figures(session, brand_id, now=now)

    return Sweep(SWEEP_NAME, brands, work)


async def refresh_figures(session: AsyncSession, brand_id: int, *, now: datetime) -> int:
    """Compute what some changes of the brand ask for; returns how many changes that were.

    With the figures it is looked whether a code of these referrers is leaked. Raises `Busy` where
    another process does so: what it read may be older than these changes.
    """
    if not await session.scalar(select(func.pg_try_advisory_xact_lock(_TURN, brand_id))):
        raise Busy(brand_id)
    brand = await load_brand(session, brand_id)
    await _note_all_if_new(session, brand)
    changes = await session.execute(
        select(ReferrerChange.id, ReferrerChange.referrer_ids)
        .where(ReferrerChange.brand_id == brand_id)
        .order_by(ReferrerChange.id)
        .limit(_AT_ONCE)
    )
    found = changes.all()
    referrer_ids = {each for row in found for each in row.referrer_ids}
    await _compute(session, brand, referrer_ids)
    await find_leaks(session, brand_id, referrer_ids, now=now)
    await session.execute(
        delete(ReferrerChange)
        .where(ReferrerChange.brand_id == brand_id, in_ids(ReferrerChange.id, [row.id for row in found]))
        .execution_options(synchronize_session=False)
    )
    return len(found)


async def _note_all_if_new(session: AsyncSession, brand: Brand) -> None:
    """Note every referrer where the figures were computed with another zone or margin, or never."""
    basis = await session.get(FigureBasis, brand.id, populate_existing=True)
    present = (brand.time_zone, brand.margin_percent)
    if basis is not None and (basis.time_zone, basis.margin_percent) == present:
        return
    if basis is None:
        basis = FigureBasis(brand_id=brand.id)
        session.add(basis)
    basis.time_zone, basis.margin_percent = present
    await session.flush()
    await session.execute(_NOTE_ALL, {"brand_id": brand.id})


async def _compute(session: AsyncSession, brand: Brand, referrer_ids: Collection[UUID]) -> None:
    """Replace the figures of these referrers by what their rows add up to now."""
    if not referrer_ids:
        return
    ids = sorted(referrer_ids)
    await session.execute(
        delete(ReferrerFigure)
        .where(ReferrerFigure.brand_id == brand.id, in_ids(ReferrerFigure.referrer_id, ids))
        .execution_options(synchronize_session=False)
    )
    zone = zone_or(brand.time_zone, "UTC").key
    given = {"brand_id": brand.id, "ids": ids, "zone": zone, "margin": brand.margin_percent}
    await session.execute(_COMPUTE, given)
