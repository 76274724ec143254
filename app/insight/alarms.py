"""What is wrong with a brand now, for its alarms; read-only."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.ids import id_at
from app.brands.find import load_programme
from app.insight.alarm_rules import (
    CIRCUIT_GRACE,
    FAILED_WITHIN,
    HELD_LONG,
    POOL_GRACE,
    POOL_LOW,
    AlarmKind,
    Finding,
)
from app.insight.stopped_work import find_stopped_work
from app.insight.unsent_surveys import find_unsent_surveys
from app.messaging.account_rules import is_own_circuit
from app.messaging.circuits import load_circuits
from app.platforms.registry import adapter_of
from app.referrals.amount_rules import has_amounts

# One statement for all that the brand's own tables show: a check costs one trip.
# An id begins with the time it was made, so ids narrow each search to its time.
_FOUND = text("""
    SELECT 'held_long' AS kind, NULL::uuid AS shop_id, count(*) AS number,
        min(created_at) AS since, NULL AS slug, NULL AS name, NULL AS detail
    FROM redemptions
    WHERE brand_id = :brand AND status = 'in_review' AND created_at < :held_before
    HAVING count(*) > 0
    UNION ALL
    SELECT 'leaked_code', NULL, count(*), min(leaks.found_at), NULL, NULL, NULL
    FROM suspected_leaks AS leaks
    JOIN codes ON codes.brand_id = :brand AND codes.id = leaks.code_id AND codes.disabled_at IS NULL
    WHERE leaks.brand_id = :brand AND leaks.dismissed_at IS NULL
    HAVING count(*) > 0
    UNION ALL
    SELECT 'connection_broken', shops.id, jsonb_array_length(links.problems), links.checked_at,
        shops.slug, shops.name, links.problems ->> 0
    FROM shop_connections AS links
    JOIN shops ON shops.brand_id = :brand AND shops.id = links.shop_id
    WHERE links.brand_id = :brand AND jsonb_array_length(links.problems) > 0
    UNION ALL
    SELECT 'deliveries_failed', shops.id, failed.number, failed.since, shops.slug, shops.name,
        failed.reason
    FROM (
        SELECT shop_id, count(*) AS number, min(received_at) AS since,
            (array_agg(reason ORDER BY id DESC))[1] AS reason
        FROM deliveries
        WHERE brand_id = :brand AND status = 'failed' AND id >= :failed_id
            AND received_at >= :failed_after
        GROUP BY shop_id
    ) AS failed JOIN shops ON shops.brand_id = :brand AND shops.id = failed.shop_id
""")
_POOLS = text("""
    SELECT shops.id, shops.slug, shops.name, shops.platform, shops.currency, publishing.reason,
        count(pooled.code_id) AS ready
    FROM shop_publishing AS publishing
    JOIN shop_connections AS links ON links.brand_id = :brand AND links.shop_id = publishing.shop_id
        AND links.updated_at <= :filled_by
    JOIN shops ON shops.brand_id = :brand AND shops.id = publishing.shop_id
    JOIN programmes ON programmes.brand_id = :brand AND programmes.created_at <= :filled_by
        AND programmes.version = (SELECT max(version) FROM programmes WHERE brand_id = :brand)
    LEFT JOIN code_publications AS pooled ON pooled.brand_id = :brand
        AND pooled.shop_id = publishing.shop_id AND pooled.terms_id = programmes.terms_id
        AND pooled.issued_id IS NULL AND pooled.state = 'live'
    WHERE publishing.brand_id = :brand
    GROUP BY shops.id, shops.slug, shops.name, shops.platform, shops.currency, publishing.reason
    HAVING count(pooled.code_id) < :pool_low
    ORDER BY shops.id
""")


async def find_alarms(
    session: AsyncSession, brand_id: int, *, no_survey_hours: int, now: datetime
) -> list[Finding]:
    """All that is wrong with the brand at `now`; six small queries where nothing is.

    Of a connection, a provider or a delivery the reason is in the words that the check or the other
    side gave.
    """
    rows = await session.execute(_FOUND, _times(brand_id, now))
    found = [_finding(row) for row in rows]
    found += await _low_pools(session, brand_id, now)
    found += await _open_circuits(session, brand_id, now)
    found += await find_unsent_surveys(session, brand_id, hours=no_survey_hours, now=now)
    found += await find_stopped_work(session, brand_id, now=now)
    return found


def _times(brand_id: int, now: datetime) -> dict[str, object]:
    return {
        "brand": brand_id,
        "held_before": now - HELD_LONG,
        "failed_after": now - FAILED_WITHIN,
        "failed_id": id_at(now - 2 * FAILED_WITHIN),
    }


def _finding(row: Row[Any]) -> Finding:
    return Finding(
        AlarmKind(row.kind),
        row.slug or "",
        shop_id=row.shop_id,
        count=row.number,
        since=row.since,
        name=row.name or "",
        detail=row.detail or "",
    )


async def _low_pools(session: AsyncSession, brand_id: int, now: datetime) -> Sequence[Finding]:
    """Connected shops whose pool of codes under the terms in force is nearly empty."""
    values = {"brand": brand_id, "filled_by": now - POOL_GRACE, "pool_low": POOL_LOW}
    rows = (await session.execute(_POOLS, values)).all()
    low = [row for row in rows if adapter_of(row.platform).publishes_codes]
    if not low:
        return []
    programme = (await load_programme(session, brand_id)).programme
    if not programme.offers_enabled or not programme.runs_at(now):
        return []
    return [
        Finding(
            AlarmKind.pool_low,
            row.slug,
            shop_id=row.id,
            count=row.ready,
            name=row.name,
            detail=row.reason or "",
        )
        for row in low
        if has_amounts(programme, row.currency)
    ]


async def _open_circuits(session: AsyncSession, brand_id: int, now: datetime) -> Sequence[Finding]:
    """The accounts that fail: those of the installation and the brand's own."""
    found = []
    for circuit in (await load_circuits(session)).values():
        own = is_own_circuit(circuit.provider)
        if own and circuit.provider.rpartition("/")[2] != str(brand_id):
            continue
        if circuit.opened_at is None or circuit.opened_at > now - CIRCUIT_GRACE:
            continue
        name = circuit.provider.partition("/")[0]
        subject = f"{name} own" if own else name
        found.append(
            Finding(
                AlarmKind.circuit_open, subject, since=circuit.opened_at, name=name, detail=circuit.reason
            )
        )
    return found
