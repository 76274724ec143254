"""What gives a friend away beside their name: address, means of payment, the shop's account."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.orders.models import Order
from app.referrals.candidates import CodeOwner, RedemptionCandidate
from app.referrals.models import Redemption
from app.referrals.rules import RedemptionStatus

AT_ANY_TIME = UUID(int=0)
"""In place of a redemption: a referrer's own order tells, whenever it was placed."""
Marks = dict[tuple[UUID, bytes], dict[UUID | None, UUID]]
"""The customers who ordered with a key, each with their first redemption of it, by referrer and
key: the referrer and their friends."""


async def find_marks(
    session: AsyncSession,
    brand_id: int,
    owners: Mapping[UUID, CodeOwner],
    candidates: Sequence[RedemptionCandidate],
) -> tuple[Marks, set[tuple[UUID, bytes]]]:
    """Who of a code's referrer and their earlier friends has keys of these candidates.

    Besides, by customer, the accounts that the referrers' own orders were placed with. Test
    orders, trials and friends whose code was refused do not count.
    """
    keys = {key for candidate in candidates for key in candidate.marks}
    buyers = {candidate.buyer_key for candidate in candidates if candidate.buyer_key}
    marks: Marks = {}
    accounts: set[tuple[UUID, bytes]] = set()
    by_customer = {owner.customer_id: key for key, owner in owners.items() if owner.customer_id is not None}
    if (keys or buyers) and by_customer:
        rows = await session.execute(
            select(Order.customer_id, Order.payment_key, Order.address_key, Order.buyer_key).where(
                Order.brand_id == brand_id,
                in_ids(Order.customer_id, list(by_customer)),
                Order.test.is_(False),
                Order.trial.is_(False),
                or_(_has_mark(keys), Order.buyer_key.in_(buyers)),
            )
        )
        for row in rows:
            for key in keys & {row.payment_key, row.address_key}:
                marks.setdefault((by_customer[row.customer_id], key), {})[row.customer_id] = AT_ANY_TIME
            if row.buyer_key in buyers:
                accounts.add((row.customer_id, row.buyer_key))
    if keys:
        await _add_friends(session, brand_id, list(owners), keys, marks)
    return marks, accounts


async def _add_friends(
    session: AsyncSession,
    brand_id: int,
    referrer_ids: Sequence[UUID],
    keys: Collection[bytes],
    marks: Marks,
) -> None:
    rows = await session.execute(
        select(
            *(Redemption.id, Redemption.referrer_id, Redemption.friend_id),
            *(Order.payment_key, Order.address_key),
        )
        .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
        .where(
            Redemption.brand_id == brand_id,
            in_ids(Redemption.referrer_id, referrer_ids),
            Redemption.status != RedemptionStatus.refused,
            Order.trial.is_(False),
            _has_mark(keys),
        )
        .order_by(Redemption.id)
    )
    for row in rows:
        for key in set(keys) & {row.payment_key, row.address_key}:
            marks.setdefault((row.referrer_id, key), {}).setdefault(row.friend_id, row.id)


def _has_mark(keys: Collection[bytes]) -> ColumnElement[bool]:
    return or_(Order.payment_key.in_(keys), Order.address_key.in_(keys))
