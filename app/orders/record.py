"""Record paid orders, each once, whatever else was reported about them before."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from sqlalchemy import Uuid, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import as_row, in_texts, recordset
from app.base.ids import new_id
from app.base.text import one_line_or_none
from app.base.tokens import Tokens, plain_code
from app.brands.models import Brand, Shop
from app.customers.places import country_code
from app.orders.facts import load_facts
from app.orders.locks import lock_shared
from app.orders.models import Order, StoredItem
from app.orders.rules import comparable_address, external_order_id, fold
from app.platforms.events import Item, OrderPaid

_ORDER = [
    Order.id,
    Order.external_id,
    Order.number,
    Order.customer_id,
    Order.currency,
    Order.subtotal,
    Order.total,
    Order.discount_total,
    Order.discount_codes,
    Order.referral,
    Order.source,
    Order.tags,
    Order.items,
    Order.country,
    Order.address_key,
    Order.payment_key,
    Order.test,
    Order.history,
    Order.placed_at,
    Order.paid_at,
    Order.fulfilled_at,
    Order.delivered_at,
    Order.cancelled_at,
    Order.refunded,
    Order.status,
    Order.dispute,
]


async def record_orders(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    shop: Shop,
    incoming: Sequence[tuple[OrderPaid, UUID | None]],
    *,
    history: bool = False,
) -> list[UUID]:
    """Record these orders of a shop with their customers; returns their ids, in the order given.

    A known order stays as it is, and of two alike in one batch the first counts. Facts that were
    reported before are included. `history` marks orders from before the start, which never cause a
    message.
    """
    if not incoming:
        return []
    first: dict[str, tuple[OrderPaid, UUID | None]] = {}
    for paid, customer_id in incoming:
        first.setdefault(external_order_id(paid.order_id), (paid, customer_id))
    await lock_shared(session, brand.id, shop.id)
    facts = await load_facts(session, brand.id, shop.id, first)
    rows = [
        _row(tokens, external_id, paid, customer_id, history=history)
        | as_row(fold(facts[external_id], total=paid.total, currency=paid.currency))
        for external_id, (paid, customer_id) in first.items()
    ]
    ids = await _insert(session, brand.id, shop.id, rows)
    ids |= await _load_ids(session, brand.id, shop.id, first.keys() - ids.keys())
    return [ids[external_order_id(paid.order_id)] for paid, _ in incoming]


def _row(
    tokens: Tokens, external_id: str, paid: OrderPaid, customer_id: UUID | None, *, history: bool
) -> dict[str, object]:
    address = comparable_address(paid.shipping_address)
    payment = one_line_or_none(paid.payment_fingerprint)
    return {
        "id": new_id(),
        "external_id": external_id,
        "number": one_line_or_none(paid.number) or external_id,
        "customer_id": customer_id,
        "currency": paid.currency,
        "subtotal": paid.subtotal,
        "total": paid.total,
        "discount_total": paid.discount_total,
        "discount_codes": _texts(paid.discount_codes),
        "referral": one_line_or_none(paid.referral),
        "source": one_line_or_none(paid.source),
        "tags": _texts(paid.tags),
        "items": [_item(item) for item in paid.items],
        "country": country_code(paid.shipping_country) or country_code(paid.person.country),
        "address_key": tokens.address_key(f"shipping:{address}") if address else None,
        "payment_key": tokens.address_key(f"payment:{payment}") if payment else None,
        "test": paid.test,
        "history": history,
        "placed_at": paid.placed_at,
        "paid_at": paid.paid_at or paid.placed_at,
    }


def _texts(texts: Iterable[str]) -> list[str]:
    return [plain for text in texts if (plain := one_line_or_none(text))]


def _item(item: Item) -> StoredItem:
    return {
        "sku": one_line_or_none(item.sku),
        "title": one_line_or_none(item.title) or "",
        "quantity": item.quantity,
        "unit_price": item.unit_price,
    }


async def _insert(
    session: AsyncSession, brand_id: int, shop_id: UUID, rows: Sequence[Mapping[str, object]]
) -> dict[str, UUID]:
    """Insert the new orders; returns the ids of the new rows by external id.

    Every batch inserts in the same order, so that two of them only wait for each other.
    """
    given = recordset(rows, _ORDER)
    made = await session.execute(
        insert(Order)
        .from_select(
            ["brand_id", "shop_id", *given.c.keys()],
            select(literal(brand_id), literal(shop_id, Uuid), *given.c).order_by(given.c.external_id),
            include_defaults=False,
        )
        .on_conflict_do_nothing()
        .returning(Order.external_id, Order.id)
    )
    return {row.external_id: row.id for row in made}


async def lock_order(session: AsyncSession, brand_id: int, shop_id: UUID, external_id: str) -> bool:
    """Lock the order with this external id until the commit; returns False where there is none."""
    found = await session.execute(
        select(Order.id)
        .where(
            Order.brand_id == brand_id,
            Order.shop_id == shop_id,
            Order.external_id == external_order_id(external_id),
        )
        .with_for_update(key_share=True)
    )
    return found.first() is not None


async def lock_order_by_id(session: AsyncSession, brand_id: int, order_id: UUID) -> Order | None:
    """Lock the order until the commit and return it as it is then; None where there is none."""
    return await session.scalar(
        select(Order)
        .where(Order.brand_id == brand_id, Order.id == order_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )


async def add_discount_code(
    session: AsyncSession, brand_id: int, shop_id: UUID, external_id: str, code: str
) -> None:
    """Put a code first among those of a recorded order, unless the order has it."""
    key = (
        Order.brand_id == brand_id,
        Order.shop_id == shop_id,
        Order.external_id == external_order_id(external_id),
    )
    codes = await session.scalar(select(Order.discount_codes).where(*key))
    if codes is None or plain_code(code) in {plain_code(each) for each in codes}:
        return
    await session.execute(update(Order).where(*key).values(discount_codes=[code, *codes]))


async def _load_ids(
    session: AsyncSession, brand_id: int, shop_id: UUID, external_ids: Collection[str]
) -> dict[str, UUID]:
    if not external_ids:
        return {}
    found = await session.execute(
        select(Order.external_id, Order.id).where(
            Order.brand_id == brand_id,
            Order.shop_id == shop_id,
            in_texts(Order.external_id, list(external_ids)),
        )
    )
    return {row.external_id: row.id for row in found}
