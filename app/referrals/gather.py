"""Everything that decides whether codes count for orders, gathered for a whole batch in a few queries."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.base.batch import in_ids, in_texts
from app.base.tokens import slug_brand
from app.brands.find import load_programme, load_programme_versions
from app.brands.models import Brand, Shop
from app.brands.programme import Programme
from app.customers.models import Customer
from app.orders.models import Order
from app.referrals.candidates import Owner, RedemptionCandidate, RedemptionContext, budget_key_of, reward_of
from app.referrals.models import Code, Redemption, Referrer, Reward
from app.referrals.rules import RedemptionStatus, period_of

COMMITTED = (RedemptionStatus.pending, RedemptionStatus.in_review, RedemptionStatus.approved)
"""Redemptions that are rewarded or may yet be: they count against a referrer's cap and the budget."""
_BUDGET_LOCK = 0x7E51
"""The class of an advisory lock; with a brand's id as second key it must be no other room's."""


async def find_codes(
    session: AsyncSession, brand_id: int, candidates: Sequence[RedemptionCandidate]
) -> dict[UUID, list[UUID]]:
    """The ids of our codes that each case carries, as they were entered and then by the share link; cases without any are left out.

    A share link stands for its referrer's present code, or without one for the last they had: so it is told why it does not count,
    and the order is decided for good instead of winning a later code when it is told again.
    """
    entered = {code for candidate in candidates for code in candidate.entered}
    slugs = {
        candidate.slug
        for candidate in candidates
        if candidate.slug and slug_brand(candidate.slug) == brand_id
    }
    by_code: dict[str, UUID] = {}
    by_slug: dict[str, UUID] = {}
    if entered:
        rows = await session.execute(
            select(Code.code, Code.id).where(Code.brand_id == brand_id, in_texts(Code.code, list(entered)))
        )
        by_code = {row.code: row.id for row in rows}
    if slugs:
        rows = await session.execute(
            select(Referrer.slug, Code.id)
            .ext(distinct_on(Referrer.slug))
            .join(Code, (Code.brand_id == Referrer.brand_id) & (Code.customer_id == Referrer.customer_id))
            .where(Referrer.brand_id == brand_id, in_texts(Referrer.slug, list(slugs)))
            .order_by(Referrer.slug, Code.active.desc(), Code.created_at.desc(), Code.id.desc())
        )
        by_slug = {row.slug: row.id for row in rows}
    found = {}
    for candidate in candidates:
        ids = [by_code.get(code) for code in candidate.entered] + [by_slug.get(candidate.slug or "")]
        ours = list(dict.fromkeys(code_id for code_id in ids if code_id is not None))
        if ours:
            found[candidate.key] = ours
    return found


async def gather(
    session: AsyncSession,
    brand: Brand,
    candidates: Sequence[RedemptionCandidate],
    code_ids: Collection[UUID],
    *,
    lock: bool = True,
) -> RedemptionContext:
    """The facts about these cases and codes.

    With `lock` whoever decides next about one of these codes waits for our commit. Locks are taken in one order everywhere: the
    brand's budget, referrers, codes, redemptions, each by id.
    """
    programme = (await load_programme(session, brand.id)).programme
    if lock and programme.reward.budget is not None:
        await session.execute(select(func.pg_advisory_xact_lock(_BUDGET_LOCK, brand.id)))
    rows = await session.execute(
        select(Code.programme_version, Code.customer_id)
        .where(Code.brand_id == brand.id, in_ids(Code.id, list(code_ids)))
        .distinct()
    )
    pairs = rows.all()
    owner_ids = {row.customer_id for row in pairs}
    versions = await load_programme_versions(session, brand.id, {row.programme_version for row in pairs})
    if lock and any(terms.reward.cap_per_referrer is not None for terms in versions.values()):
        await _lock_referrers(session, brand.id, owner_ids)
    zone = ZoneInfo(brand.time_zone)
    return RedemptionContext(
        programme=programme,
        versions=versions,
        zone=zone,
        codes=await _load_codes(session, brand.id, code_ids, lock=lock),
        owners=await _load_owners(session, brand.id, owner_ids),
        existing=await _existing(session, brand.id, candidates),
        emails=await _used(
            session,
            brand.id,
            Redemption.friend_email_key,
            {candidate.email_key for candidate in candidates if candidate.email_key},
        ),
        phones=await _used(
            session,
            brand.id,
            Redemption.friend_phone,
            {candidate.phone for candidate in candidates if candidate.phone},
        ),
        granted=await _granted(session, brand.id, owner_ids),
        spent=await _spent(session, brand.id, programme, candidates, zone),
        payments=await _payments(
            session,
            brand.id,
            owner_ids,
            {candidate.payment_key for candidate in candidates if candidate.payment_key},
        ),
    )


async def _lock_referrers(session: AsyncSession, brand_id: int, owner_ids: Collection[UUID]) -> None:
    await session.execute(
        select(Referrer.customer_id)
        .where(Referrer.brand_id == brand_id, in_ids(Referrer.customer_id, list(owner_ids)))
        .order_by(Referrer.customer_id)
        .with_for_update(key_share=True)
    )


async def _load_codes(
    session: AsyncSession, brand_id: int, code_ids: Collection[UUID], *, lock: bool
) -> dict[UUID, Code]:
    query = select(Code).where(Code.brand_id == brand_id, in_ids(Code.id, list(code_ids))).order_by(Code.id)
    if lock:
        query = query.with_for_update(key_share=True)
    rows = await session.scalars(query.execution_options(populate_existing=True))
    return {code.id: code for code in rows}


async def _load_owners(
    session: AsyncSession, brand_id: int, owner_ids: Collection[UUID]
) -> dict[UUID, Owner]:
    rows = await session.execute(
        select(Customer.id, Customer.email_key, Customer.phone, Referrer.revoked_at)
        .join(Referrer, (Referrer.brand_id == Customer.brand_id) & (Referrer.customer_id == Customer.id))
        .where(Customer.brand_id == brand_id, in_ids(Customer.id, list(owner_ids)))
    )
    return {row.id: Owner(row.id, row.email_key, row.phone, row.revoked_at is not None) for row in rows}


# A person is a customer's row, an address without aliases, or a phone; each finds its rows by an index of its own.
_EXISTING = text("""
    SELECT friend.key
    FROM unnest(CAST(:keys AS uuid[]), CAST(:customer_ids AS uuid[]), CAST(:email_keys AS text[]), CAST(:phones AS text[]),
                CAST(:placed AS timestamptz[])) AS friend (key, customer_id, email_key, phone, placed_at)
    WHERE EXISTS (
        SELECT 1
        FROM (
            SELECT friend.customer_id AS id
            UNION SELECT id FROM customers WHERE brand_id = :brand_id AND email_key = friend.email_key
            UNION SELECT id FROM customers WHERE brand_id = :brand_id AND phone = friend.phone
        ) AS same
        JOIN orders ON orders.brand_id = :brand_id AND orders.customer_id = same.id
        WHERE NOT orders.test AND orders.cancelled_at IS NULL AND (orders.placed_at, orders.id) < (friend.placed_at, friend.key)
    )
""")


async def _existing(
    session: AsyncSession, brand_id: int, candidates: Sequence[RedemptionCandidate]
) -> set[UUID]:
    """Cases whose person has an earlier paid order with the brand, in any shop, imported history included.

    A test order is none, and one that was cancelled has made nobody a customer.
    """
    rows = await session.scalars(
        _EXISTING,
        {
            "brand_id": brand_id,
            "keys": [candidate.key for candidate in candidates],
            "customer_ids": [candidate.customer_id for candidate in candidates],
            "email_keys": [candidate.email_key for candidate in candidates],
            "phones": [candidate.phone for candidate in candidates],
            "placed": [candidate.placed_at for candidate in candidates],
        },
    )
    return set(rows)


async def _used(
    session: AsyncSession, brand_id: int, column: InstrumentedAttribute[str | None], values: Collection[str]
) -> set[str]:
    """Which of these friends hold a use of a code already."""
    if not values:
        return set()
    rows = await session.scalars(
        select(column).where(
            Redemption.brand_id == brand_id,
            in_texts(column, list(values)),
            Redemption.holds_use,
            Redemption.one_per_friend,
        )
    )
    return {value for value in rows if value is not None}


async def _granted(session: AsyncSession, brand_id: int, owner_ids: Collection[UUID]) -> Counter[UUID]:
    rows = await session.execute(
        select(Redemption.referrer_id, func.count())
        .where(
            Redemption.brand_id == brand_id,
            in_ids(Redemption.referrer_id, list(owner_ids)),
            Redemption.status.in_(COMMITTED),
        )
        .group_by(Redemption.referrer_id)
    )
    return Counter({row[0]: row[1] for row in rows})


async def _spent(
    session: AsyncSession,
    brand_id: int,
    programme: Programme,
    candidates: Sequence[RedemptionCandidate],
    zone: ZoneInfo,
) -> dict[tuple[datetime | None, str], int]:
    """What rewards of each purse cost so far: granted ones what is left of them, waiting ones what they would be."""
    budget = programme.reward.budget
    if budget is None:
        return {}
    spent = {}
    for budget_key, candidate in {
        budget_key_of(programme, candidate, zone): candidate for candidate in candidates
    }.items():
        period = period_of(candidate.placed_at, budget.period, zone)
        within = [Order.placed_at >= period[0], Order.placed_at < period[1]] if period else []
        rows = await session.execute(
            select(
                Redemption.programme_version,
                Reward.id.is_(None).label("waits"),
                func.count(),
                func.sum(Reward.net_amount),
            )
            .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
            .join(Shop, (Shop.brand_id == Order.brand_id) & (Shop.id == Order.shop_id))
            .join(
                Reward,
                (Reward.brand_id == Redemption.brand_id) & (Reward.redemption_id == Redemption.id),
                isouter=True,
            )
            .where(
                Redemption.brand_id == brand_id,
                Redemption.status.in_(COMMITTED),
                or_(Reward.id.is_not(None), Redemption.status != RedemptionStatus.approved),
                Shop.currency == candidate.shop_currency,
                *within,
            )
            .group_by(Redemption.programme_version, Reward.id.is_(None))
        )
        found = rows.all()
        versions = await load_programme_versions(session, brand_id, {row[0] for row in found})
        spent[budget_key] = sum(
            count * reward_of(versions[version], candidate.shop_currency) if waits else int(net)
            for version, waits, count, net in found
        )
    return spent


async def _payments(
    session: AsyncSession, brand_id: int, owner_ids: Collection[UUID], keys: Collection[bytes]
) -> set[tuple[UUID, bytes]]:
    """Which referrer paid an order of their own in which of these ways."""
    if not keys:
        return set()
    rows = await session.execute(
        select(Order.customer_id, Order.payment_key).where(
            Order.brand_id == brand_id, Order.customer_id.in_(owner_ids), Order.payment_key.in_(keys)
        )
    )
    return {(row.customer_id, row.payment_key) for row in rows}
