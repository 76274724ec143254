"""A lock per shop, so that a paid order and a concurrent fact about it find each other.

Whoever inserts orders of a shop takes the lock shared. Whoever has a fact about an order that does
not exist takes it exclusively for the rest of the transaction: that waits for the orders being
inserted, after which the order is either visible, or is inserted later and finds the fact. One
transaction that does both cannot deadlock with another, since deliveries of a brand are processed
one batch at a time.
"""

import hashlib
from uuid import UUID

from sqlalchemy import BigInteger, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.prepared import Prepared


async def lock_shared(session: AsyncSession, brand_id: int, shop_id: UUID) -> None:
    """Lock the shop shared until the transaction ends; waits while it is locked exclusively."""
    await _LOCK_SHARED.run(session, key=_key(brand_id, shop_id))


_LOCK_SHARED = Prepared(select(func.pg_advisory_xact_lock_shared(bindparam("key", type_=BigInteger))), tuple)


async def lock_exclusive(session: AsyncSession, brand_id: int, shop_id: UUID) -> None:
    """Lock the shop exclusively until the transaction ends; waits for all who insert its orders."""
    await session.execute(select(func.pg_advisory_xact_lock(_key(brand_id, shop_id))))


def _key(brand_id: int, shop_id: UUID) -> int:
    """The number of the advisory lock: 64 bits, signed."""
    digest = hashlib.sha256(b"tenfold/orders/lock" + brand_id.to_bytes(8) + shop_id.bytes).digest()
    return int.from_bytes(digest[:8], signed=True)
