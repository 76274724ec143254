"""Record paid orders and what is reported about them, once each and in whatever order it comes."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from sqlalchemy import Uuid, and_, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import as_row, in_ids, in_texts, recordset
from app.base.ids import new_id
from app.base.text import one_line, one_line_or_none
from app.base.tokens import Tokens
from app.brands.models import Brand, Shop
from app.customers.contact import country_code
from app.orders import locks
from app.orders.models import Order, OrderFact
from app.orders.rules import FactKind, OrderState, ReportedFact, comparable_address, fold
from app.platforms.events import (
    Item,
    OrderCancelled,
    OrderDelivered,
    OrderFulfilled,
    OrderPaid,
    OrderRefunded,
)

Reported = OrderFulfilled | OrderDelivered | OrderCancelled | OrderRefunded
"""What can be reported about an order besides that it was paid."""
_MAX_ID = 255
_STATE = (Order.fulfilled_at, Order.delivered_at, Order.cancelled_at, Order.refunded, Order.status)
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
    *_STATE,
]
_FACT = [
    OrderFact.id,
    OrderFact.order_external_id,
    OrderFact.kind,
    OrderFact.key,
    OrderFact.amount,
    OrderFact.at,
]


async def record_orders(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    shop: Shop,
    incoming: Sequence[tuple[OrderPaid, UUID | None]],
    *,
    now: datetime,  # noqa: ARG001  # every step that writes is told the time; an order's own times are all it needs
    history: bool = False,
) -> list[UUID]:
    """The ids of these orders, in order; each is recorded once, with the customer beside it and what was reported before it came.

    A known order stays as it is, whoever brings it again; of two alike in one batch the first counts. `history` marks orders from
    before the start, which never cause a message.
    """
    if not incoming:
        return []
    first: dict[str, tuple[OrderPaid, UUID | None]] = {}
    for paid, customer_id in incoming:
        first.setdefault(plain_id(paid.order_id), (paid, customer_id))
    await locks.lock_shared(session, brand.id, shop.id)
    reported = await _facts_of(session, brand.id, shop.id, first)
    rows = [
        _row(tokens, key, paid, customer_id, history=history)
        | as_row(fold(reported[key], total=paid.total, currency=paid.currency))
        for key, (paid, customer_id) in first.items()
    ]
    ids = await _insert(session, brand.id, shop.id, rows)
    ids |= await _ids_of(session, brand.id, shop.id, first.keys() - ids.keys())
    return [ids[plain_id(paid.order_id)] for paid, _ in incoming]


def plain_id(external_id: str) -> str:
    """A shop's id for an order as we keep it."""
    return one_line(external_id, limit=_MAX_ID)


def _row(
    tokens: Tokens, external_id: str, paid: OrderPaid, customer_id: UUID | None, *, history: bool
) -> dict[str, Any]:
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


def _item(item: Item) -> dict[str, Any]:
    return {
        "sku": one_line_or_none(item.sku),
        "title": one_line_or_none(item.title) or "",
        "quantity": item.quantity,
        "unit_price": item.unit_price,
    }


async def _insert(
    session: AsyncSession, brand_id: int, shop_id: UUID, rows: Sequence[dict[str, Any]]
) -> dict[str, UUID]:
    """Write what nobody wrote before; answers the new rows' ids. Everybody writes in the same order, so batches only wait."""
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


async def _ids_of(
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


async def _facts_of(
    session: AsyncSession, brand_id: int, shop_id: UUID, external_ids: Collection[str]
) -> defaultdict[str, list[ReportedFact]]:
    found = await session.execute(
        select(
            OrderFact.order_external_id, OrderFact.kind, OrderFact.at, OrderFact.key, OrderFact.amount
        ).where(
            OrderFact.brand_id == brand_id,
            OrderFact.shop_id == shop_id,
            in_texts(OrderFact.order_external_id, list(external_ids)),
        )
    )
    facts: defaultdict[str, list[ReportedFact]] = defaultdict(list)
    for row in found:
        facts[row.order_external_id].append(ReportedFact(row.kind, row.at, row.key, row.amount))
    return facts


async def record_facts(
    session: AsyncSession,
    brand: Brand,
    shop: Shop,
    facts: Sequence[Reported],
    *,
    now: datetime,  # noqa: ARG001  # as above
) -> list[UUID]:
    """Keep what was reported, each once, and bring the orders up to date; answers the known orders it is about, in order.

    What is about an order not yet known is kept and counts as soon as the order comes. A report repeated changes nothing.
    """
    if not facts:
        return []
    said: dict[tuple[str, FactKind, str], ReportedFact] = {}
    for reported in facts:
        fact = _fact(reported)
        key = (plain_id(reported.order_id), fact.kind, fact.key)
        said[key] = said[key].joined(fact) if key in said else fact
    await _keep(session, brand.id, shop.id, said)
    about = list(dict.fromkeys(external_id for external_id, _, _ in said))
    known = await _lock(session, brand.id, shop.id, about)
    if len(known) < len(about):
        await locks.lock_exclusive(session, brand.id, shop.id)
        known |= await _lock(
            session, brand.id, shop.id, [external_id for external_id in about if external_id not in known]
        )
    await _bring_up_to_date(session, brand.id, shop.id, known)
    return [known[external_id] for external_id in about if external_id in known]


def _fact(reported: Reported) -> ReportedFact:
    match reported:
        case OrderFulfilled():
            return ReportedFact(FactKind.fulfilled, reported.at)
        case OrderDelivered():
            return ReportedFact(FactKind.delivered, reported.at)
        case OrderCancelled():
            return ReportedFact(FactKind.cancelled, reported.at)
        case OrderRefunded():
            return ReportedFact(FactKind.refunded, reported.at, plain_id(reported.refund_id), reported.amount)
        case _:
            assert_never(reported)


async def _keep(
    session: AsyncSession, brand_id: int, shop_id: UUID, said: dict[tuple[str, FactKind, str], ReportedFact]
) -> None:
    """Write the facts; of two reports of one thing the row becomes `Fact.joined`."""
    rows = [
        {
            "id": new_id(),
            "order_external_id": external_id,
            "kind": kind,
            "key": key,
            "amount": None if fact.amount is None else str(fact.amount),
            "at": fact.at,
        }
        for (external_id, kind, key), fact in said.items()
    ]
    given = recordset(rows, _FACT)
    statement = insert(OrderFact).from_select(
        ["brand_id", "shop_id", *given.c.keys()],
        select(literal(brand_id), literal(shop_id, Uuid), *given.c).order_by(
            given.c.order_external_id, given.c.kind, given.c.key
        ),
        include_defaults=False,
    )
    new = statement.excluded
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["brand_id", "shop_id", "order_external_id", "kind", "key"],
            set_={
                "at": func.least(OrderFact.at, new.at),
                "amount": func.greatest(OrderFact.amount, new.amount),
            },
            where=or_(new.at < OrderFact.at, new.amount > OrderFact.amount),
        )
    )


async def _lock(
    session: AsyncSession, brand_id: int, shop_id: UUID, external_ids: Sequence[str]
) -> dict[str, UUID]:
    """The orders that are there, held against other reports until the transaction ends, in id order."""
    found = await session.execute(
        select(Order.external_id, Order.id)
        .where(
            Order.brand_id == brand_id, Order.shop_id == shop_id, in_texts(Order.external_id, external_ids)
        )
        .order_by(Order.id)
        .with_for_update(key_share=True)
    )
    return {row.external_id: row.id for row in found}


async def _bring_up_to_date(
    session: AsyncSession, brand_id: int, shop_id: UUID, known: dict[str, UUID]
) -> None:
    """Fold all facts of these orders, which are held; only rows that come out different are written."""
    if not known:
        return
    facts = await _facts_of(session, brand_id, shop_id, known.keys())
    found = await session.execute(
        select(Order.id, Order.external_id, Order.total, Order.currency, *_STATE).where(
            Order.brand_id == brand_id, in_ids(Order.id, list(known.values()))
        )
    )
    changed = []
    for row in found:
        before = OrderState(row.fulfilled_at, row.delivered_at, row.cancelled_at, row.refunded, row.status)
        state = fold(facts[row.external_id], total=row.total, currency=row.currency)
        if state != before:
            changed.append({"id": row.id, **as_row(state)})
    if not changed:
        return
    given = recordset(changed, [Order.id, *_STATE])
    await session.execute(
        update(Order)
        .values({column.key: given.c[column.key] for column in _STATE})
        .where(and_(Order.brand_id == brand_id, Order.id == given.c.id))
        .execution_options(synchronize_session=False)
    )
