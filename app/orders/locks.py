"""A paid order and what is reported about it may arrive in two transactions at once; the gate lets neither miss the other.

Who writes orders of a shop walks through its gate, many beside each other. Who has a report about an order that is not there shuts
the gate for a moment: that waits for the orders under way, after which the order is either seen, or comes later and sees the report.
Whoever does both in one transaction is alone in that: deliveries of a brand are processed one batch at a time.
"""

import hashlib
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession


async def lock_shared(session: AsyncSession, brand_id: int, shop_id: UUID) -> None:
    """Until the transaction ends, nobody shuts the gate; waits while somebody has."""
    await session.execute(select(func.pg_advisory_xact_lock_shared(_key(brand_id, shop_id))))


async def lock_exclusive(session: AsyncSession, brand_id: int, shop_id: UUID) -> None:
    """Wait for all who are writing orders of the shop; until the transaction ends, nobody else begins to."""
    await session.execute(select(func.pg_advisory_xact_lock(_key(brand_id, shop_id))))


def _key(brand_id: int, shop_id: UUID) -> int:
    """The gate's number among the database's advisory locks: 64 bits, signed."""
    digest = hashlib.sha256(b"tenfold/orders/gate" + brand_id.to_bytes(8) + shop_id.bytes).digest()
    return int.from_bytes(digest[:8], signed=True)
