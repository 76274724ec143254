"""Locks on orders, by which a paid order and a concurrent fact about it find each other.

Known orders are locked as rows; for those that are not known there is a lock per shop. Whoever
inserts orders of a shop takes it shared. Whoever has a fact about an order that does not exist
takes it exclusively for the rest of the transaction: that waits for the orders being inserted,
after which the order is either visible, or is inserted later and finds the fact. One transaction
that does both cannot deadlock with another, since deliveries of a brand are processed one batch at
a time.
"""

import hashlib
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Executable, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import QueryableAttribute

from app.base.batch import in_bound_texts
from app.base.prepared import Prepared
from app.orders.models import Order


async def lock_shared(session: AsyncSession, brand_id: int, shop_id: UUID) -> None:
    """Lock the shop shared until the transaction ends; waits while it is locked exclusively."""
    await _LOCK_SHARED.run(session, key=_key(brand_id, shop_id))


_LOCK_SHARED = Prepared(select(func.pg_advisory_xact_lock_shared(bindparam("key", type_=BigInteger))), tuple)


async def lock_exclusive(session: AsyncSession, brand_id: int, shop_id: UUID) -> None:
    """Lock the shop exclusively until the transaction ends; waits for all who insert its orders."""
    await session.execute(select(func.pg_advisory_xact_lock(_key(brand_id, shop_id))))


def locking_orders(*columns: QueryableAttribute[Any]) -> Executable:
    """The statement that locks a shop's orders until the commit, in the order of their ids.

    It takes `of_brand`, `of_shop` and external ids as `named`, and returns of each known order its
    external id, its id and these columns.
    """
    return (
        select(Order.external_id, Order.id, *columns)
        .where(
            Order.brand_id == bindparam("of_brand"),
            Order.shop_id == bindparam("of_shop"),
            in_bound_texts(Order.external_id, "named"),
        )
        .order_by(Order.id)
        .with_for_update(key_share=True)
    )


def _key(brand_id: int, shop_id: UUID) -> int:
    """The number of the advisory lock: 64 bits, signed."""
    digest = hashlib.sha256(b"tenfold/orders/lock" + brand_id.to_bytes(8) + shop_id.bytes).digest()
    return int.from_bytes(digest[:8], signed=True)
