"""Erase where and how a person's orders were sent and paid; the amounts stay."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from uuid import UUID

from sqlalchemy import Select, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids, recordset
from app.base.tokens import plain_code
from app.orders.models import Order

_ERASED = ("address_key", "payment_key", "buyer_key", "confirmation_key", "tags")


async def erase_orders(session: AsyncSession, brand_id: int, customer_ids: Collection[UUID]) -> None:
    """Delete the keyed hashes of their addresses, ids, payments and confirmations, and the tags.

    Idempotent.
    """
    await session.execute(
        update(Order)
        .values(
            address_key=None,
            payment_key=None,
            buyer_key=None,
            confirmation_key=None,
            tags=[],
            # Stated as nothing: an old version of the order that comes again brings none back.
            stated_at=func.coalesce(Order.stated_at, literal({}, JSONB)).concat(
                func.jsonb_build_object(
                    *(part for name in _ERASED for part in (literal(name), func.to_jsonb(Order.version_at)))
                )
            ),
        )
        .where(
            Order.brand_id == brand_id,
            in_ids(Order.customer_id, list(customer_ids)),
            or_(
                Order.address_key.is_not(None),
                Order.payment_key.is_not(None),
                Order.buyer_key.is_not(None),
                Order.confirmation_key.is_not(None),
                func.jsonb_array_length(Order.tags) > 0,
            ),
        )
        .execution_options(synchronize_session=False)
    )


def _with_codes(brand_id: int, after: UUID) -> Select[UUID, UUID | None, list[str]]:
    """The next thousand orders with codes, by id."""
    return (
        select(Order.id, Order.customer_id, Order.discount_codes)
        .where(
            Order.brand_id == brand_id,
            func.jsonb_array_length(Order.discount_codes) > 0,
            Order.id > after,
        )
        .order_by(Order.id)
        .limit(1000)
    )


async def replace_codes(
    session: AsyncSession,
    brand_id: int,
    find: Callable[[Collection[str]], Awaitable[Mapping[str, str]]],
    *,
    surrogates: Collection[str],
) -> set[UUID]:
    """Replace codes in all orders; `find` returns what replaces which code.

    It gets codes in comparable form, those of a thousand orders at a time. Every order is read,
    since no index finds a code in one; it happens once for a referrer's erasure. Returns the
    customers of orders that carry one of the surrogates now.
    """
    after = UUID(int=0)
    customers: set[UUID] = set()
    while True:
        rows = (await session.execute(_with_codes(brand_id, after))).all()
        if not rows:
            return customers
        after = rows[-1].id
        replaced = await find({plain_code(code) for row in rows for code in row.discount_codes})
        changed = []
        for row in rows:
            codes = [replaced.get(plain_code(code), code) for code in row.discount_codes]
            if codes != row.discount_codes:
                changed.append({"id": row.id, "discount_codes": codes})
            if row.customer_id is not None and not set(codes).isdisjoint(surrogates):
                customers.add(row.customer_id)
        if changed:
            given = recordset(changed, [Order.id, Order.discount_codes])
            await session.execute(
                update(Order)
                .values(discount_codes=given.c.discount_codes)
                .where(Order.brand_id == brand_id, Order.id == given.c.id)
                .execution_options(synchronize_session=False)
            )
