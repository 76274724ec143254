"""What one report states of an order: its version, and the columns of its row.

It is made without the database, and by the import of a file in another process.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from app.base.text import one_line_or_none
from app.base.tokens import Tokens, plain_code
from app.customers.contact import email_identity
from app.customers.places import country_code
from app.customers.relays import is_relay
from app.orders.rules import comparable_address, external_order_id
from app.orders.version_rules import OrderVersion, StatedOrder, stated, version_of
from app.platforms.events import CodeDiscount, Item, OrderPaid

if TYPE_CHECKING:
    from app.orders.models import StoredItem


def state_order(tokens: Tokens, brand_id: int, shop_id: UUID, paid: OrderPaid) -> StatedOrder:
    """What the report states, but for the order's customer."""
    return stated(external_order_id(paid.order_id), _read_version(tokens, brand_id, shop_id, paid))


def _read_version(tokens: Tokens, brand_id: int, shop_id: UUID, paid: OrderPaid) -> OrderVersion:
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
        "discount_amounts": _discount_amounts(tokens, brand_id, paid.discounts),
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
        "stood_at": paid.stood_at,
    }
    return version_of(paid.version_at or paid.placed_at, paid.placed_at, values)


def _discount_amounts(tokens: Tokens, brand_id: int, discounts: Iterable[CodeDiscount]) -> dict[str, int]:
    amounts = {}
    for each in discounts:
        key = discount_key(tokens, brand_id, each.code)
        amounts[key] = each.amount
        if each.spent is not None:
            amounts[spent_key(key)] = each.spent
    return amounts


def spent_key(key: str) -> str:
    """Names `CodeDiscount.spent` in `Order.discount_amounts`, beside the code's `discount_key`."""
    return f"{key}/spent"


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


def _item(item: Item) -> "StoredItem":
    return {
        "sku": one_line_or_none(item.sku),
        "title": one_line_or_none(item.title) or "",
        "quantity": item.quantity,
        "unit_price": item.unit_price,
    }
