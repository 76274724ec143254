"""Lines and coupons of an order in a file: in rows of their own, or written into one cell.

Plugins write a cell as `name:Mug|quantity:2|total:16.00`, several parted by `;`; WooCommerce's
analytics as `2× Mug, 1× Cup`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from app.platforms.order_files import TableRow, known_amount

_NAME = ("item_name", "product_name", "product_name_main", "line_item_name")
_SKU = ("item_sku", "sku", "product_sku")
_QUANTITY = ("item_quantity", "quantity", "quantity_refund", "qty")
_SUBTOTAL = ("item_subtotal", "order_line_subtotal", "line_subtotal")
_SUBTOTAL_TAX = ("item_subtotal_tax", "order_line_subtotal_tax", "line_subtotal_tax")
_PRICE = ("item_cost", "item_price", "item_cost_inc_tax")
_CODES = ("coupon_code", "coupon_codes", "coupons", "coupon_s", "coupon")
_CODE_CELLS = ("coupon_items", "coupon_lines")
_NUMBERED = re.compile(r"line_item_[0-9]+")
_COUNTED = re.compile(r"\s*(\d+)\s*[×x]\s*(.+?)\s*")
_MOST = 500


def line_items(rows: Sequence[TableRow]) -> list[dict[str, Any]]:
    """The lines as WooCommerce's API shows them, as far as the file does."""
    found = [line for row in rows[:_MOST] if (line := _of_row(row)) is not None]
    if found:
        return found
    cells = [value for name, value in rows[0].values.items() if _NUMBERED.fullmatch(name)]
    if lines := rows[0].first("line_items"):
        cells.append(lines)
    found = [_of_parts(parts) for cell in cells for parts in _parts(cell)]
    if not found and (products := rows[0].first("product_s", "products")):
        counted = (_COUNTED.fullmatch(each) for each in products.split(","))
        found = [{"name": each[2], "quantity": each[1]} for each in counted if each]
    return found[:_MOST]


def _of_row(row: TableRow) -> dict[str, Any] | None:
    name = row.first(*_NAME) or _named_item(row) or row.first(*_SKU)
    if name is None:
        return None
    quantity, subtotal = row.first(*_QUANTITY), _amount(row.first(*_SUBTOTAL))
    price, count = known_amount(row.first(*_PRICE)), known_amount(quantity or "1")
    if subtotal is None and price is not None and count is not None:
        subtotal = str(price * count)
    return {
        "name": name,
        "sku": row.first(*_SKU),
        "quantity": quantity,
        "subtotal": subtotal,
        "subtotal_tax": _amount(row.first(*_SUBTOTAL_TAX)),
    }


def _named_item(row: TableRow) -> str | None:
    """The name of a product beside its place in the order, which one plugin calls `Item #`.

    `Name` alone could be the customer's.
    """
    item = row.first("item")
    return row.first("name") if item is not None and item.isdigit() else item


def _of_parts(parts: dict[str, str]) -> dict[str, Any]:
    return {
        "name": parts.get("name") or parts.get("sku") or "",
        "sku": parts.get("sku"),
        "quantity": parts.get("quantity") or parts.get("qty"),
        "subtotal": _amount(parts.get("subtotal") or parts.get("sub_total")),
        "subtotal_tax": _amount(parts.get("subtotal_tax")),
    }


def _amount(text: str | None) -> str | None:
    amount = known_amount(text)
    return None if amount is None else str(amount)


def coupon_lines(row: TableRow) -> list[dict[str, Any]]:
    """The coupons as WooCommerce's API shows them: what each took off only where the file says."""
    found: list[dict[str, Any]] = []
    if cell := row.first(*_CODE_CELLS):
        found = [
            {"code": parts.get("code"), "discount": _amount(parts.get("amount"))} for parts in _parts(cell)
        ]
    if not found and (codes := row.first(*_CODES)):
        found = [{"code": code.strip()} for code in re.split(r"[,;|\n]", codes)]
    return [each for each in found if each["code"]][:_MOST]


def _parts(cell: str) -> Iterator[dict[str, str]]:
    """The objects that are written into one cell, in one of the two ways in use."""
    if cell.lstrip().startswith("["):
        try:
            entries = json.loads(cell)
        except (ValueError, RecursionError):
            return
        for entry in entries:
            if isinstance(entry, dict):
                yield {str(name): str(value) for name, value in entry.items() if value is not None}
        return
    for entry in cell.split(";"):
        pairs = (part.partition(":") for part in entry.split("|"))
        found = {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}
        if found:
            yield found
