"""Find share codes that strangers seem to use, and decide that one is not leaked."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.errors import NotFound
from app.referrals.leak_models import SuspectedLeak
from app.referrals.leak_rules import A_DAY, MANY, WITHIN, CodeUse, leak_reason

_USE = text(f"""
    SELECT codes.id, count(*) AS orders, count(*) FILTER (WHERE orders.placed_at >= :day) AS in_a_day,
        count(*) FILTER (WHERE redemptions.reason IN ('exhausted', 'existing_customer')) AS turned_away,
        (SELECT count(*) FROM visits WHERE visits.brand_id = :brand_id
            AND visits.referrer_id = codes.referrer_id AND visits.at >= :since)
        + (SELECT coalesce(sum(visit_counts.visits), 0) FROM visit_counts
            WHERE visit_counts.brand_id = :brand_id AND visit_counts.referrer_id = codes.referrer_id
            AND visit_counts.day >= CAST(:since AS timestamptz)::date)::int AS visits
    FROM codes
    JOIN redemptions ON redemptions.brand_id = :brand_id AND redemptions.code_id = codes.id
    JOIN orders ON orders.brand_id = :brand_id AND orders.id = redemptions.order_id
        AND NOT orders.test AND NOT orders.trial AND orders.placed_at >= :since
    WHERE codes.brand_id = :brand_id AND codes.referrer_id = ANY(CAST(:ids AS uuid[]))
        AND codes.kind = 'share' AND codes.redeemable AND codes.disabled_at IS NULL
    GROUP BY codes.id, codes.referrer_id HAVING count(*) >= {MANY}
""")


async def find_leaks(
    session: AsyncSession, brand_id: int, referrer_ids: Collection[UUID], *, now: datetime
) -> None:
    """Store which of these referrers' codes are taken for leaked; one that was is stored anew."""
    if not referrer_ids:
        return
    given = {"brand_id": brand_id, "ids": sorted(referrer_ids), "since": now - WITHIN, "day": now - A_DAY}
    values = []
    for code_id, *counts in await session.execute(_USE, given):
        use = CodeUse(*counts)
        reason = leak_reason(use)
        if reason is not None:
            numbers = {"orders": use.orders, "turned_away": use.turned_away, "visits": use.visits}
            values.append(
                {"brand_id": brand_id, "code_id": code_id, "reason": reason, "found_at": now, **numbers}
            )
    if values:
        made = insert(SuspectedLeak)
        newer = {name: made.excluded[name] for name in ("reason", "orders", "turned_away", "visits")}
        await session.execute(
            made.on_conflict_do_update(index_elements=["brand_id", "code_id"], set_=newer), values
        )


async def dismiss_leak(session: AsyncSession, code_id: UUID, *, actor: Actor, now: datetime) -> None:
    """Decide that a code is not leaked: it is not taken for it again.

    A second call changes nothing. Raises NotFound for a code that is not taken for leaked.
    """
    wanted = select(SuspectedLeak).where(
        SuspectedLeak.brand_id == actor.brand_id, SuspectedLeak.code_id == code_id
    )
    found = (await session.scalars(wanted.with_for_update())).first()
    if found is None:
        raise NotFound("The code is not taken for leaked.")
    if found.dismissed_at is None:
        found.dismissed_at = now
        await session.flush()
        await record_action(session, actor, AuditAction.leak_dismissed, ("cod", code_id))
