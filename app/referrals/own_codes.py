"""The referrers' own codes, which rewards of kind `code` are paid with."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import money
from app.base.batch import in_ids
from app.base.ids import new_id
from app.base.tokens import plain_code, random_code
from app.brands.models import Brand, Shop
from app.brands.programme import DiscountKind
from app.referrals.models import Code, Referrer
from app.referrals.new_codes import TRIES
from app.referrals.placing.placements import add_placements
from app.referrals.publishing.models import CodePublication
from app.referrals.publishing.new_publication import publication_of
from app.referrals.publishing.shops import find_publishing_shops
from app.referrals.reward_to_pay import RewardToPay
from app.referrals.rules import CodeKind


@dataclass(frozen=True, slots=True)
class OwnCodes:
    """Codes of referrers' own, by reward."""

    codes: Mapping[UUID, Code] = field(default_factory=dict)
    placed: frozenset[UUID] = frozenset()
    """The rewards whose codes are to be put into a connected shop: their owners are told then."""


async def make_reward_codes(
    session: AsyncSession,
    brand: Brand,
    granted: Sequence[RewardToPay],
    shops: Mapping[UUID, Shop],
    *,
    expires: Mapping[UUID, datetime],
    now: datetime,
) -> OwnCodes:
    """A code for each of these rewards: used once, by its owner alone.

    It is worth what is left of its reward at the time it is used. `expires` is when, by reward.
    """
    waiting = {each.reward.id: each for each in granted}
    made: dict[UUID, Code] = {}
    for _ in range(TRIES):
        if not waiting:
            break
        values = {
            reward_id: _values(each, expires[reward_id], now=now) for reward_id, each in waiting.items()
        }
        by_id = {each["id"]: reward_id for reward_id, each in values.items()}
        # A code that exists already leaves the row out; the next try draws another.
        rows = await session.scalars(
            insert(Code).on_conflict_do_nothing().returning(Code), list(values.values())
        )
        for code in rows:
            made[by_id[code.id]] = code
            del waiting[by_id[code.id]]
    if waiting:
        raise RuntimeError("no free code was found")
    placed = await _publish(session, brand, made, granted, shops, now=now)
    return OwnCodes(made, frozenset(placed))


def _values(it: RewardToPay, expires_at: datetime, *, now: datetime) -> dict[str, object]:
    reward = it.reward
    display = random_code()
    return {
        "brand_id": reward.brand_id,
        "id": new_id(),
        "referrer_id": reward.referrer_id,
        "kind": CodeKind.reward,
        "code": plain_code(display),
        "display": display,
        "terms_id": it.terms_id,
        "discount_kind": DiscountKind.amount,
        "discount_value": money.to_decimal(it.amount, reward.currency),
        "currency": reward.currency,
        "max_uses": 1,
        "uses": 0,
        "active": True,
        "starts_at": now,
        "expires_at": expires_at,
    }


async def _publish(
    session: AsyncSession,
    brand: Brand,
    made: Mapping[UUID, Code],
    granted: Sequence[RewardToPay],
    shops: Mapping[UUID, Shop],
    *,
    now: datetime,
) -> Mapping[UUID, UUID]:
    """Each code counts in its referrer's shop, else in one of its currency: the friend's.

    Returns the connected shops that must be given them, by reward.
    """
    if not made:
        return {}
    homes = await _home_shops(session, brand.id, {code.referrer_id for code in made.values()})
    publishing = await find_publishing_shops(session, brand.id, shops.values())
    placed: dict[UUID, UUID] = {}
    values = []
    for each in granted:
        reward = each.reward
        home = shops[homes[reward.referrer_id]]
        shop = home if home.currency == reward.currency else shops[each.shop_id]
        code = made[reward.id]
        if shop.id in publishing:
            placed[reward.id] = shop.id
        publication = publication_of(code, shop.id, publishes=shop.id in publishing, now=now)
        # Nothing else calls a platform about it: what is to be done is in its placement.
        values.append({**publication, "due_at": None})
    await session.execute(insert(CodePublication), values)
    await add_placements(session, brand.id, made, placed, now=now)
    return placed


async def _home_shops(
    session: AsyncSession, brand_id: int, referrer_ids: Collection[UUID]
) -> dict[UUID, UUID]:
    rows = await session.execute(
        select(Referrer.id, Referrer.shop_id).where(
            Referrer.brand_id == brand_id, in_ids(Referrer.id, list(referrer_ids))
        )
    )
    return {row.id: row.shop_id for row in rows}
