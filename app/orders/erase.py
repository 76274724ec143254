"""Erase where and how a person's orders were sent and paid; the amounts stay."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.orders.models import Order


async def erase_orders(session: AsyncSession, brand_id: int, customer_ids: Collection[UUID]) -> None:
    """Delete the keyed hashes of these customers' addresses and means of payment. Idempotent."""
    await session.execute(
        update(Order)
        .values(address_key=None, payment_key=None)
        .where(
            Order.brand_id == brand_id,
            in_ids(Order.customer_id, list(customer_ids)),
            Order.address_key.is_not(None) | Order.payment_key.is_not(None),
        )
        .execution_options(synchronize_session=False)
    )
