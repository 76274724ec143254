"""A lock per shop, so that a paid order and a fact about it in two transactions do not miss each other.

Whoever inserts orders of a shop holds the lock shared. Whoever has a fact about an order that is not
there takes it exclusively for the rest of the transaction: that waits for the orders being inserted,
after which the order is either visible, or comes later and sees the fact. One transaction that does both
cannot deadlock with another, since deliveries of a brand are processed one batch at a time.
"""

import hashlib
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession


async def lock_shared(session: AsyncSession, brand_id: int, shop_id: UUID) -> None:
    """Hold the shop's lock shared until the transaction ends.

    Waits while somebody holds it exclusively.
    """
    await session.execute(select(func.pg_advisory_xact_lock_shared(_key(brand_id, shop_id))))


async def lock_exclusive(session: AsyncSession, brand_id: int, shop_id: UUID) -> None:
    """Hold the shop's lock alone until the transaction ends.

    Waits for everybody who inserts its orders.
    """
    await session.execute(select(func.pg_advisory_xact_lock(_key(brand_id, shop_id))))


def _key(brand_id: int, shop_id: UUID) -> int:
    """The number of the advisory lock: 64 bits, signed."""
    digest = hashlib.sha256(b"tenfold/orders/lock" + brand_id.to_bytes(8) + shop_id.bytes).digest()
    return int.from_bytes(digest[:8], signed=True)
