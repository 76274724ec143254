"""Shopify's export of orders: a table with several rows an order, its first one with all data.

It is read as an order's body, by the same functions. A file does not show when an order was changed
last, so what it shows counts as of the time it was placed: a webhook's word is newer.
"""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.base.replace import replaced
from app.platforms.delivery_types import RawDelivery
from app.platforms.events import OrderFulfilled, OrderPaid, OrderRefunded, PlatformEvent, Unparseable
from app.platforms.fields import Fields
from app.platforms.order_files import (
    FileFormat,
    FileShop,
    TableFormat,
    TableRow,
    amount_of,
    in_words_of_file,
    iso_time,
    known_amount,
    split_name,
)
from app.platforms.shopify.order import PAID, read_order

NEEDED = {
    "id": "Id",
    "name": "Name",
    "financial_status": "Financial Status",
    "currency": "Currency",
    "total": "Total",
    "created_at": "Created at",
    "lineitem_name": "Lineitem name",
}
"""Columns without which a table is none of Shopify's, by their names in it."""
_OF_FIELD = {"total_price": "Total", "currency": "Currency", "id": "Id", "created_at": "Created at"}
_ID = re.compile(r"[0-9]{6,20}")
_TIMES = ("created_at", "paid_at", "fulfilled_at", "cancelled_at")


def _problem(columns: Collection[str]) -> str | None:
    missing = [name for column, name in NEEDED.items() if column not in columns]
    if not missing:
        return None
    return (
        f"The file lacks columns of Shopify's export: {', '.join(missing)}. Export orders in the admin"
        " (Orders > Export > CSV for Excel, Numbers, or other spreadsheet programs), and leave the file as it is."
    )


def _order_of(row: TableRow) -> str | None:
    return row.first("name")


def _read(rows: Sequence[TableRow], shop: FileShop) -> list[PlatformEvent]:
    try:
        return _events(rows, shop)
    except Unparseable as error:
        raise in_words_of_file(error, _OF_FIELD) from None


def _events(rows: Sequence[TableRow], shop: FileShop) -> list[PlatformEvent]:
    first = rows[0].values
    order_id = first.get("id", "")
    if _ID.fullmatch(order_id) is None:
        raise Unparseable(
            "Id is no whole number of Shopify's; a spreadsheet shortens it. Import the file as it was exported."
        )
    if first.get("financial_status") not in PAID:
        return []
    body = Fields(_body(rows, order_id))
    if body.moment("created_at") is None:
        raise body.wrong("created_at", "is missing")
    known = body.informational
    times = {name: known.moment(name) for name in _TIMES}
    paid, *others = read_order(RawDelivery("orders/updated", b"", shop.received_at), body)
    events: list[PlatformEvent] = [*others]
    if isinstance(paid, OrderPaid):
        events.insert(0, replaced(paid, paid_at=times["paid_at"]))
    fulfilled_at = times["fulfilled_at"]
    if fulfilled_at and first.get("fulfillment_status") == "fulfilled":
        events.append(OrderFulfilled(order_id, fulfilled_at))
    refunded = amount_of(first.get("refunded_amount"), "Refunded Amount")
    if refunded is not None and refunded > 0:
        shown: list[datetime] = [at for at in times.values() if at is not None]
        events.append(OrderRefunded(order_id, "", refunded, max(shown)))
    return events


def _body(rows: Sequence[TableRow], order_id: str) -> dict[str, Any]:
    """The order as Shopify's API would show it, as far as the file does."""
    first = rows[0].values
    lines = [line for row in rows if (line := _line(row)) is not None]
    times = {name: iso_time(first[name]) for name in _TIMES if name in first}
    codes = [code.strip() for code in first.get("discount_code", "").split(",")]
    return {
        **times,
        "id": order_id,
        "name": first.get("name"),
        "updated_at": times.get("created_at"),
        "currency": first.get("currency"),
        "financial_status": first.get("financial_status"),
        "total_price": first.get("total"),
        "subtotal_price": first.get("subtotal"),
        "total_line_items_price": _goods(lines),
        "total_discounts": first.get("discount_amount"),
        "discount_codes": [{"code": code} for code in codes if code],
        "total_shipping_price_set": {"shop_money": {"amount": first.get("shipping")}},
        "email": first.get("email"),
        "phone": first.get("phone"),
        "buyer_accepts_marketing": first.get("accepts_marketing", "").lower() in {"yes", "true"},
        "billing_address": _address(first, "billing"),
        "shipping_address": _address(first, "shipping"),
        "line_items": lines,
        "source_name": first.get("source"),
        "tags": first.get("tags"),
        "note_attributes": _notes(first.get("note_attributes", "")),
    }


def _line(row: TableRow) -> dict[str, Any] | None:
    title = row.first("lineitem_name", "lineitem_sku")
    if title is None:
        return None
    return {
        "title": title,
        "sku": row.first("lineitem_sku"),
        "quantity": row.first("lineitem_quantity"),
        "price": row.first("lineitem_price"),
    }


def _goods(lines: Sequence[dict[str, Any]]) -> str | None:
    """What the lines cost before discounts; None where that is not known of all."""
    worth = Decimal(0)
    for line in lines:
        price, count = known_amount(line["price"]), known_amount(line["quantity"] or "1")
        if price is None or count is None:
            return None
        worth += price * count
    return str(worth) if lines else None


def _address(values: Any, kind: str) -> dict[str, Any]:
    first_name, last_name = split_name(values.get(f"{kind}_name"))
    return {
        "first_name": first_name,
        "last_name": last_name,
        "address1": values.get(f"{kind}_address1") or values.get(f"{kind}_street"),
        "address2": values.get(f"{kind}_address2"),
        "zip": values.get(f"{kind}_zip"),
        "city": values.get(f"{kind}_city"),
        "country_code": values.get(f"{kind}_country"),
        "phone": values.get(f"{kind}_phone"),
    }


def _notes(cell: str) -> list[dict[str, str]]:
    """`name: value` a line."""
    pairs = (line.partition(":") for line in cell.splitlines())
    return [{"name": name.strip(), "value": value.strip()} for name, colon, value in pairs if colon]


SHOPIFY_FILE = TableFormat(FileFormat.shopify, _problem, _order_of, _read)
