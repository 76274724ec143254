"""Everything that decides whether codes count for orders, read in a few queries per batch."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, not_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.base.batch import in_ids, in_texts
from app.base.tokens import Tokens
from app.brands.find import load_programme
from app.brands.models import Brand
from app.brands.terms import Terms, load_terms
from app.customers.erased import (
    alias_free_hash,
    find_erased,
    find_erased_references,
    has_erased,
    phone_hash,
)
from app.customers.models import Customer
from app.referrals.budget import find_spent
from app.referrals.budget_rules import budget_key
from app.referrals.candidates import CodeOwner, RedemptionCandidate, RedemptionContext
from app.referrals.erase import hidden_address
from app.referrals.marks import find_marks
from app.referrals.models import Code, Redemption, Referrer
from app.referrals.reward_models import Reward
from app.referrals.rules import HELD_OR_PENDING

_BUDGET_LOCK = 0x7E51
"""Class of the advisory lock on a brand's budget; the brand's id is the second key."""


async def gather(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    candidates: Sequence[RedemptionCandidate],
    code_ids: Collection[UUID],
    *,
    lock: bool = True,
) -> RedemptionContext:
    """Everything known about these candidates and codes, besides redemptions of their own.

    With `lock`, concurrent decisions about one of these codes wait for the caller's commit. Locks
    are taken in one order everywhere: the brand's budget, referrers, share codes, other codes,
    redemptions, each by id.
    """
    programme = (await load_programme(session, brand.id)).programme
    if lock and programme.reward.budget is not None:
        await session.execute(select(func.pg_advisory_xact_lock(_BUDGET_LOCK, brand.id)))
    referrer_ids, parent_ids, terms = await _read_codes(session, brand.id, code_ids)
    if lock and any(each.reward.cap_per_referrer is not None for each in terms.values()):
        await _lock_referrers(session, brand.id, referrer_ids)
    zone = ZoneInfo(brand.time_zone)
    codes = await _load_codes(session, brand.id, {*code_ids, *parent_ids}, lock=lock)
    owners = await _load_owners(session, brand.id, referrer_ids)
    emails = {candidate.email_key for candidate in candidates if candidate.email_key}
    phones = {candidate.phone for candidate in candidates if candidate.phone}
    own = [candidate.redemption_id for candidate in candidates if candidate.redemption_id is not None]
    marks, buyers = await find_marks(session, brand.id, owners, candidates)
    budgets = {budget_key(programme, each.placed_at, each.shop_currency, zone) for each in candidates}
    return RedemptionContext(
        programme=programme,
        terms=terms,
        zone=zone,
        codes=codes,
        owners=owners,
        existing=await find_existing(session, brand.id, candidates)
        | await _erased(session, tokens, brand.id, candidates),
        emails=await _used(session, tokens, brand.id, Redemption.friend_email_key, emails, own),
        phones=await _used(session, tokens, brand.id, Redemption.friend_phone, phones, own),
        counted=await _counted(session, brand.id, referrer_ids),
        spent=await find_spent(session, brand, programme, budgets),
        marks=marks,
        buyers=buyers,
    )


async def _read_codes(
    session: AsyncSession, brand_id: int, code_ids: Collection[UUID]
) -> tuple[set[UUID], set[UUID], Mapping[UUID, Terms]]:
    """What never changes of these codes: their referrers, their parents, and their terms by id."""
    rows = await session.execute(
        select(Code.terms_id, Code.referrer_id, Code.parent_id)
        .where(Code.brand_id == brand_id, in_ids(Code.id, list(code_ids)))
        .distinct()
    )
    pairs = rows.all()
    terms = await load_terms(session, brand_id, {row.terms_id for row in pairs})
    parents = {row.parent_id for row in pairs if row.parent_id is not None}
    return {row.referrer_id for row in pairs}, parents, terms


async def _lock_referrers(session: AsyncSession, brand_id: int, referrer_ids: Collection[UUID]) -> None:
    await session.execute(
        select(Referrer.id)
        .where(Referrer.brand_id == brand_id, in_ids(Referrer.id, list(referrer_ids)))
        .order_by(Referrer.id)
        .with_for_update(key_share=True)
    )


async def _load_codes(
    session: AsyncSession, brand_id: int, code_ids: Collection[UUID], *, lock: bool
) -> dict[UUID, Code]:
    query = (
        select(Code)
        .where(Code.brand_id == brand_id, in_ids(Code.id, list(code_ids)))
        .order_by(Code.parent_id.is_not(None), Code.id)
    )
    if lock:
        query = query.with_for_update(key_share=True)
    rows = await session.scalars(query.execution_options(populate_existing=True))
    return {code.id: code for code in rows}


async def _load_owners(
    session: AsyncSession, brand_id: int, referrer_ids: Collection[UUID]
) -> dict[UUID, CodeOwner]:
    rows = await session.execute(
        select(Referrer.id, Referrer.customer_id, Referrer.revoked_at, Customer.email_key, Customer.phone)
        .join(
            Customer,
            (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id),
            isouter=True,
        )
        .where(Referrer.brand_id == brand_id, in_ids(Referrer.id, list(referrer_ids)))
    )
    return {
        row.id: CodeOwner(row.customer_id, row.email_key, row.phone, row.revoked_at is not None)
        for row in rows
    }


# A person is a customer, an e-mail without aliases, a phone, or a shop's account; each is found by
# an index of its own.
_EXISTING = text("""
    SELECT friend.key
    FROM unnest(CAST(:keys AS uuid[]), CAST(:customer_ids AS uuid[]), CAST(:email_keys AS text[]),
                CAST(:phones AS text[]), CAST(:buyers AS bytea[]), CAST(:placed AS timestamptz[]))
        AS friend (key, customer_id, email_key, phone, buyer_key, placed_at)
    WHERE EXISTS (
        SELECT 1
        FROM (
            SELECT friend.customer_id AS id
            UNION SELECT id FROM customers WHERE brand_id = :brand_id AND email_key = friend.email_key
            UNION SELECT id FROM customers WHERE brand_id = :brand_id AND phone = friend.phone
        ) AS same
        JOIN orders ON orders.brand_id = :brand_id AND orders.customer_id = same.id
        WHERE NOT orders.test AND NOT orders.trial AND orders.cancelled_at IS NULL
          AND (orders.placed_at, orders.id) < (friend.placed_at, friend.key) AND orders.id <> friend.key
    ) OR EXISTS (
        SELECT 1 FROM orders
        WHERE orders.brand_id = :brand_id AND orders.buyer_key = friend.buyer_key
          AND NOT orders.test AND NOT orders.trial AND orders.cancelled_at IS NULL
          AND (orders.placed_at, orders.id) < (friend.placed_at, friend.key) AND orders.id <> friend.key
    )
""")


class PlacedOrder(Protocol):
    """Whose order it is and when it was placed, as `RedemptionCandidate` has it."""

    @property
    def key(self) -> UUID: ...  # noqa: D102
    @property
    def customer_id(self) -> UUID | None: ...  # noqa: D102
    @property
    def email_key(self) -> str | None: ...  # noqa: D102
    @property
    def phone(self) -> str | None: ...  # noqa: D102
    @property
    def buyer_key(self) -> bytes | None: ...  # noqa: D102
    @property
    def placed_at(self) -> datetime: ...  # noqa: D102


async def find_existing(session: AsyncSession, brand_id: int, candidates: Sequence[PlacedOrder]) -> set[UUID]:
    """Keys of those whose person has an earlier paid order with the brand, in any shop.

    Imported history counts; test orders, trials and cancelled ones do not.
    """
    rows = await session.scalars(
        _EXISTING,
        {
            "brand_id": brand_id,
            "keys": [candidate.key for candidate in candidates],
            "customer_ids": [candidate.customer_id for candidate in candidates],
            "email_keys": [candidate.email_key for candidate in candidates],
            "phones": [candidate.phone for candidate in candidates],
            "buyers": [candidate.buyer_key for candidate in candidates],
            "placed": [candidate.placed_at for candidate in candidates],
        },
    )
    return set(rows)


async def _erased(
    session: AsyncSession, tokens: Tokens, brand_id: int, candidates: Sequence[RedemptionCandidate]
) -> set[UUID]:
    """Keys of candidates whose person was erased: known before, so never a new customer."""
    if not await has_erased(session, brand_id):
        return set()
    hashes: dict[bytes, list[UUID]] = {}
    for each in candidates:
        if each.email_key:
            hashes.setdefault(alias_free_hash(tokens, each.email_key), []).append(each.key)
        if each.phone:
            hashes.setdefault(phone_hash(tokens, each.phone), []).append(each.key)
    erased = await find_erased(session, brand_id, hashes)
    known = {each.customer_id for each in candidates if each.customer_id is not None}
    referred = await find_erased_references(session, tokens, brand_id, known)
    return {key for found in erased for key in hashes[found]} | {
        each.key for each in candidates if each.customer_id in referred
    }


async def _used(
    session: AsyncSession,
    tokens: Tokens,
    brand_id: int,
    column: InstrumentedAttribute[str | None],
    values: Collection[str],
    own: Sequence[UUID],
) -> set[str]:
    """Which of these friends hold a use of a code already, erased ones included.

    By another redemption than their `own`, which is decided anew.
    """
    if not values:
        return set()
    hidden = {hidden_address(tokens, value): value for value in values}
    rows = await session.scalars(
        select(column).where(
            Redemption.brand_id == brand_id,
            in_texts(column, [*values, *hidden]),
            Redemption.holds_use,
            Redemption.one_per_friend,
            *([not_(in_ids(Redemption.id, own))] if own else ()),
        )
    )
    return {hidden.get(value, value) for value in rows if value is not None}


async def _counted(session: AsyncSession, brand_id: int, referrer_ids: Collection[UUID]) -> Counter[UUID]:
    rows = await session.execute(
        select(Reward.referrer_id, func.count())
        .where(
            Reward.brand_id == brand_id,
            in_ids(Reward.referrer_id, list(referrer_ids)),
            Reward.status.in_(HELD_OR_PENDING),
            Reward.amount > 0,
        )
        .group_by(Reward.referrer_id)
    )
    return Counter({row[0]: row[1] for row in rows})
