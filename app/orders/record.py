"""Record paid orders and their versions, whatever else was reported about them before."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Uuid, bindparam, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import arrays_of, as_row, bound_recordset
from app.base.ids import new_id
from app.base.prepared import Prepared
from app.base.replace import replaced
from app.base.text import one_line_or_none
from app.base.tokens import Tokens, plain_code
from app.brands.models import Brand, Shop
from app.customers.contact import email_identity
from app.customers.places import country_code
from app.customers.relays import is_relay
from app.orders.facts import load_facts
from app.orders.facts_rules import ReportedFact
from app.orders.locks import lock_shared
from app.orders.merge_known import VERSION, merge_known
from app.orders.models import Order, StoredItem
from app.orders.parcel_rules import count_pieces
from app.orders.rules import OrderState, comparable_address, external_order_id, fold
from app.orders.version_rules import OrderVersion, merged, to_row, version_of
from app.platforms.events import Item, OrderPaid

_ORDER = [
    Order.id,
    Order.external_id,
    *VERSION,
    Order.history,
    Order.trial,
    Order.fulfilled_at,
    Order.delivered_at,
    Order.cancelled_at,
    Order.refunded,
    Order.refunded_shipping,
    Order.status,
    Order.dispute,
]


@dataclass(frozen=True, slots=True)
class RecordedOrders:
    """The ids of the orders in the order given, and which of them were known and have changed.

    `known` are those that were recorded before, changed or not.
    """

    ids: list[UUID]
    changed: list[UUID]
    known: list[UUID]


async def record_orders(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    shop: Shop,
    incoming: Sequence[tuple[OrderPaid, UUID | None]],
    *,
    history: bool = False,
    known: Collection[str] = frozenset(),
    read: Sequence[OrderVersion | None] = (),
) -> RecordedOrders:
    """Record these orders of a shop with their customers.

    Of a known order, and of several alike in one batch, the newest version counts, field by field
    (`version_rules`). Facts that were reported before are included. `history` marks new orders as
    from before the start; such never cause a message. `known` are external ids of orders that the
    caller has found in this transaction, which need not be tried as new ones: orders stay. `read`
    has what `read_version` made of each, if the caller has done that.
    """
    if not incoming:
        return RecordedOrders([], [], [])
    versions: dict[str, OrderVersion] = {}
    for (paid, customer_id), made in zip_longest(incoming, read):
        external_id = external_order_id(paid.order_id)
        version = made or read_version(tokens, brand.id, shop.id, paid)
        if customer_id is not None:
            version = replaced(version, values={**version.values, "customer_id": customer_id})
        former = versions.get(external_id)
        versions[external_id] = merged([former, version]) if former else version
    trials = {external_order_id(paid.order_id) for paid, _ in incoming if paid.trial}
    await lock_shared(session, brand.id, shop.id)
    new = {external_id: version for external_id, version in versions.items() if external_id not in known}
    facts = await load_facts(session, brand.id, shop.id, new) if new else {}
    rows = [
        _new_row(
            external_id,
            version,
            facts.get(external_id, []),
            {"history": history, "trial": external_id in trials},
        )
        for external_id, version in new.items()
    ]
    ids = await _insert(session, brand.id, shop.id, rows) if rows else {}
    others = {external_id: version for external_id, version in versions.items() if external_id not in ids}
    found, changed = await merge_known(session, brand.id, shop.id, others)
    ids |= found
    return RecordedOrders(
        [ids[external_order_id(paid.order_id)] for paid, _ in incoming], changed, list(found.values())
    )


def _new_row(
    external_id: str, version: OrderVersion, facts: Sequence[ReportedFact], marks: Mapping[str, bool]
) -> dict[str, object]:
    """The row of an order, with what these facts add up to."""
    row = to_row(version, external_id)
    row |= {"id": new_id(), "external_id": external_id, **marks}
    if not (facts or row["refunded_wholly"]):
        return row | _NOTHING_REPORTED
    state = fold(
        facts,
        total=row["total"],
        currency=row["currency"],
        shipping_total=row["shipping_total"],
        refunded_wholly=row["refunded_wholly"],
        pieces=count_pieces(row["items"]) if facts else None,
    )
    return row | as_row(state)


_NOTHING_REPORTED = as_row(OrderState())


def read_version(tokens: Tokens, brand_id: int, shop_id: UUID, paid: OrderPaid) -> OrderVersion:
    """What the order states, but for its customer. Pure."""
    address = comparable_address(paid.shipping_address)
    payment = one_line_or_none(paid.payment_fingerprint)
    number = one_line_or_none(paid.number)
    values: dict[str, Any] = {
        "number": None if number == paid.order_id else number,
        "buyer_key": buyer_key(tokens, shop_id, paid.person.external_id),
        "currency": paid.currency,
        "subtotal": paid.subtotal,
        "total": paid.total,
        "discount_total": paid.discount_total,
        "shipping_total": paid.shipping_total,
        "refunded_wholly": paid.refunded_wholly,
        "discount_codes": _texts(paid.discount_codes),
        "discount_amounts": {
            discount_key(tokens, brand_id, each.code): each.amount for each in paid.discounts
        },
        "referral": one_line_or_none(paid.referral),
        "source": one_line_or_none(paid.source),
        "tags": _texts(paid.tags),
        "items": [_item(item) for item in paid.items],
        "country": country_code(paid.shipping_country) or country_code(paid.person.country),
        "address_key": tokens.address_key(f"shipping:{address}") if address else None,
        "payment_key": tokens.address_key(f"payment:{payment}") if payment else None,
        "confirmation_key": confirmation_key(tokens, shop_id, paid.confirmation),
        "ordered_before": paid.ordered_before or None,
        "relayed": is_relay(email) if (email := email_identity(paid.person.email)) else None,
        "test": paid.test,
        "placed_at": paid.placed_at if paid.placed_at_stated else None,
        "paid_at": paid.paid_at,
    }
    return version_of(paid.version_at or paid.placed_at, paid.placed_at, values)


def buyer_key(tokens: Tokens, shop_id: UUID, external_id: str | None) -> bytes | None:
    """A keyed hash of a shop's own id of a person; None for none, and for the `0` of guests."""
    plain = one_line_or_none(external_id, limit=256)
    return None if plain in (None, "0") else tokens.address_key(f"buyer:{shop_id}:{plain}")


def confirmation_key(tokens: Tokens, shop_id: UUID, confirmation: str | None) -> bytes | None:
    """A keyed hash of what proves an order to its buyer, in any case; None for none."""
    plain = one_line_or_none(confirmation, limit=64)
    return None if plain is None else tokens.address_key(f"confirmation:{shop_id}:{plain.casefold()}")


def discount_key(tokens: Tokens, brand_id: int, code: str) -> str:
    """Names a code in `Order.discount_amounts`: a keyed hash, since a code may hold a name."""
    return tokens.address_key(f"code:{brand_id}:{plain_code(code)}").hex()[:24]


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
    arrays = arrays_of([_shortened(row) for row in rows], _ORDER)
    return dict(await _INSERT.all(session, of_brand=brand_id, of_shop=shop_id, **arrays))


def _shortened(row: Mapping[str, object]) -> dict[str, object]:
    """The row without what most orders have alike, which `_INSERT` puts back.

    An array without elements costs nothing; a text to parse does, even that of an empty list.
    """
    shortened = dict(row)
    for name in _EMPTY_LISTS:
        shortened[name] = row[name] or None
    for name in _AS_PLACED:
        if row[name] == row["placed_at"]:
            shortened[name] = None
    return shortened


_EMPTY_LISTS = ("discount_codes", "tags")
_AS_PLACED = ("paid_at", "version_at")
_EMPTY_LIST: ColumnElement[list[str]] = literal_column("'[]'::jsonb", JSONB)
_given = bound_recordset(_ORDER)
_values = {
    **_given.c,
    **{name: func.coalesce(_given.c[name], _EMPTY_LIST) for name in _EMPTY_LISTS},
    **{name: func.coalesce(_given.c[name], _given.c.placed_at) for name in _AS_PLACED},
}
_INSERT = Prepared(
    insert(Order)
    .from_select(
        ["brand_id", "shop_id", *_values],
        select(
            bindparam("of_brand", type_=Integer), bindparam("of_shop", type_=Uuid), *_values.values()
        ).order_by(_given.c.external_id),
        include_defaults=False,
    )
    .on_conflict_do_nothing(index_elements=[Order.brand_id, Order.shop_id, Order.external_id])
    .returning(Order.external_id, Order.id),
    lambda external_id, order_id: (external_id, order_id),
)


async def lock_order(session: AsyncSession, brand_id: int, shop_id: UUID, external_id: str) -> bool:
    """Lock the order with this external id until the commit; returns False where there is none."""
    order_id = external_order_id(external_id)
    found = await session.execute(
        select(Order.id)
        .where(Order.brand_id == brand_id, Order.shop_id == shop_id, Order.external_id == order_id)
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
    order_id = external_order_id(external_id)
    key = (Order.brand_id == brand_id, Order.shop_id == shop_id, Order.external_id == order_id)
    codes = await session.scalar(select(Order.discount_codes).where(*key))
    if codes is None or plain_code(code) in {plain_code(each) for each in codes}:
        return
    await session.execute(update(Order).where(*key).values(discount_codes=[code, *codes]))
