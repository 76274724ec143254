"""Where rewards of credit are to be spent, decided as they are granted."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.batch import in_ids
from app.brands.models import Brand, Shop
from app.brands.programme import RewardKind
from app.customers.models import Customer, CustomerReference
from app.ledger.credit import BalanceKey
from app.platforms.shop_credit import CreditKind
from app.referrals.models import Referrer
from app.referrals.reward_to_pay import RewardToPay
from app.referrals.rules import KindReason
from app.referrals.shop_credit.holdings import find_holding_shops, new_row
from app.referrals.shop_credit.models import HOLDING_SWEEP, ShopCredit


@dataclass(frozen=True, slots=True)
class _Owner:
    """A referrer's home shop, and as whom a shop may know them."""

    shop_id: UUID
    email: str | None
    known_as: Mapping[UUID, str]
    """Their id at the platform, by shop."""

    def is_known(self, shop_id: UUID, kind: CreditKind) -> bool:
        """Whether the shop can hold their credit."""
        return self.email is not None if kind is CreditKind.coupon else shop_id in self.known_as


@dataclass(frozen=True, slots=True)
class HeldRewards:
    """The rewards whose credit a shop is to hold: their owners are told once it does."""

    ids: frozenset[UUID] = frozenset()
    rows: Sequence[Mapping[str, object]] = ()
    """Of `shop_credits`, for balances that no shop holds yet."""


async def add_held(session: AsyncSession, held: HeldRewards) -> None:
    """Store what is held from now on; to be called after the rewards and balances are written."""
    if held.rows:
        await session.execute(insert(ShopCredit).on_conflict_do_nothing(), held.rows)
    if held.ids:
        await due.wake(session, HOLDING_SWEEP)


async def hold_rewards(
    session: AsyncSession,
    brand: Brand,
    granted: Sequence[RewardToPay],
    shops: Mapping[UUID, Shop],
    *,
    now: datetime,
) -> HeldRewards:
    """Decide where these rewards of credit, which are being granted, are to be spent.

    A reward of somebody whom a shop that holds credit does not know becomes one of kind `code`,
    with the reason.
    """
    if not granted:
        return HeldRewards()
    holding = await find_holding_shops(session, brand.id, shops.values())
    present = await _load_present(session, brand.id, {each.reward.referrer_id for each in granted})
    if not holding and not present:
        return HeldRewards()
    owners = await _load_owners(session, brand.id, {each.reward.referrer_id for each in granted})
    held: set[UUID] = set()
    new: dict[BalanceKey, dict[str, object]] = {}
    for each in granted:
        reward = each.reward
        key, owner = (reward.referrer_id, reward.currency), owners[reward.referrer_id]
        home = shops[owner.shop_id]
        shop = home if home.currency == reward.currency else shops[each.shop_id]
        at = present.get(key) or (new[key]["shop_id"] if key in new else None)
        kind = holding.get(shop.id)
        if at is not None:
            if at in holding:
                held.add(reward.id)
            else:
                reward.kind, reward.kind_reason = RewardKind.code, KindReason.shop_left
        elif kind is None or shop.currency != reward.currency:
            continue
        elif owner.is_known(shop.id, kind):
            held.add(reward.id)
            new[key] = new_row(brand.id, key, shop.id, kind, now=now)
        else:
            reward.kind, reward.kind_reason = RewardKind.code, KindReason.no_account
    await session.flush()
    return HeldRewards(frozenset(held), list(new.values()))


async def _load_present(
    session: AsyncSession, brand_id: int, referrer_ids: Collection[UUID]
) -> dict[BalanceKey, UUID]:
    """The shops that hold credit of these referrers, by referrer and currency."""
    rows = await session.execute(
        select(ShopCredit.referrer_id, ShopCredit.currency, ShopCredit.shop_id).where(
            ShopCredit.brand_id == brand_id, in_ids(ShopCredit.referrer_id, list(referrer_ids))
        )
    )
    return {(row.referrer_id, row.currency): row.shop_id for row in rows}


async def _load_owners(
    session: AsyncSession, brand_id: int, referrer_ids: Collection[UUID]
) -> dict[UUID, _Owner]:
    rows = await session.execute(
        select(
            *(Referrer.id, Referrer.shop_id.label("home"), Customer.email),
            *(CustomerReference.shop_id, CustomerReference.external_id),
        )
        .outerjoin(Customer, (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id))
        .outerjoin(
            CustomerReference,
            (CustomerReference.brand_id == Referrer.brand_id)
            & (CustomerReference.customer_id == Referrer.customer_id),
        )
        .where(Referrer.brand_id == brand_id, in_ids(Referrer.id, list(referrer_ids)))
    )
    found: dict[UUID, _Owner] = {}
    known: dict[UUID, dict[UUID, str]] = {}
    for row in rows:
        names = known.setdefault(row.id, {})
        if row.shop_id is not None:
            names[row.shop_id] = row.external_id
        found[row.id] = _Owner(row.home, row.email, names)
    return found
