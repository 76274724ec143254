"""Files of orders out of WooCommerce: its own analytics' export, and those of export plugins.

Columns are found by any of the names that these use. An order is read as an order's body, by the
same functions. A file does not show when an order was changed last, so what it shows counts as of
the time it was placed: a webhook's word is newer.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from app.base.months import YEARS
from app.base.text import quoted
from app.platforms.delivery_types import RawDelivery
from app.platforms.events import OrderCancelled, OrderRefunded, PlatformEvent, Unparseable
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
from app.platforms.woocommerce.file_lines import coupon_lines, line_items
from app.platforms.woocommerce.order import read_order
from app.platforms.woocommerce.settings import WooCommerceSettings

COLUMNS = {
    "id": ("order_id", "id", "order", "order_number", "order_no"),
    "number": ("order_number_formatted", "order_number", "number"),
    "status": ("order_status", "status", "order_status_name"),
    "created": ("order_date", "date", "date_created", "order_created_date", "created_date"),
    "created_gmt": ("date_created_gmt", "order_date_gmt"),
    "paid": ("paid_date", "date_paid", "order_paid_date"),
    "paid_gmt": ("date_paid_gmt",),
    "completed": ("completed_date", "date_completed", "order_completed_date"),
    "completed_gmt": ("date_completed_gmt",),
    "total": ("order_total", "order_total_amount", "total", "order_total_incl_tax", "net_sales", "n_revenue"),
    "currency": ("order_currency", "currency", "currency_code"),
    "shipping_total": ("shipping_total", "order_shipping_amount", "order_shipping"),
    "shipping_tax": ("shipping_tax_total", "order_shipping_tax_amount", "order_shipping_tax", "shipping_tax"),
    "discount_total": ("discount_total", "cart_discount_amount", "cart_discount", "order_discount"),
    "discount_tax": ("discount_tax", "cart_discount_tax_amount", "cart_discount_tax"),
    "refunded": (
        "refunded_total",
        "order_refund_amount",
        "total_refunded",
        "refund_amount",
        "refunded_amount",
    ),
    "customer_id": ("customer_id", "customer_user_id", "customer_user", "user_id"),
    "name": ("customer", "customer_name", "billing_full_name", "full_name_billing"),
}
"""What is read, each by the names of its column in the order in which they are tried."""
_PERSON = {
    "first_name": ("billing_first_name", "first_name_billing", "first_name"),
    "last_name": ("billing_last_name", "last_name_billing", "last_name"),
    "email": ("billing_email", "email_billing", "customer_email", "email", "billing_email_address"),
    "phone": ("billing_phone", "phone_billing", "phone", "billing_phone_number"),
}
_ADDRESS = {
    "first_name": ("first_name",),
    "last_name": ("last_name",),
    "address_1": ("address_1", "address_line_1", "address1", "address_1_2"),
    "address_2": ("address_2", "address_line_2", "address2"),
    "postcode": ("postcode", "zip", "post_code"),
    "city": ("city",),
    "country": ("country", "country_code", "country_name"),
}
_OF_FIELD = {"total": "Order total", "currency": "Order currency", "status": "Order status", "id": "Order id"}
_STATUSES = frozenset(
    {
        *("checkout-draft", "auto-draft", "draft", "pending", "on-hold", "failed", "trash"),
        *("processing", "completed", "refunded", "cancelled"),
    }
)
_UNSETTLED = frozenset({"failed", "on-hold"})
"""Statuses that a payment changes, of which a file does not say since when they are so."""
_LABELS = {
    "pending-payment": "pending",
    "in-bearbeitung": "processing",
    "abgeschlossen": "completed",
    "fertiggestellt": "completed",
    "erstattet": "refunded",
    "rückerstattet": "refunded",
    "storniert": "cancelled",
    "fehlgeschlagen": "failed",
    "in-wartestellung": "on-hold",
    "zahlung-ausstehend": "pending",
    "ausstehende-zahlung": "pending",
}
"""How some exports write a status: as the admin shows it, in English or German."""
_DATE = "as 2026-03-10 12:00"
_NO_DATE = ("0000", "0001-01-01")
"""How some exports write that there is none."""


def _problem(columns: Collection[str]) -> str | None:
    missing = [
        label
        for name, label in (
            ("id", "an order id"),
            ("status", "a status"),
            ("created", "a date"),
            ("total", "a total"),
        )
        if not any(each in columns for each in (*COLUMNS[name], *COLUMNS.get(f"{name}_gmt", ())))
    ]
    if not missing:
        return None
    return (
        f"The file has no column with {', nor one with '.join(missing)}; docs/operations.md lists the columns"
        " that are read of WooCommerce's exports."
    )


def names_people(columns: Collection[str]) -> bool:
    """Whether a table with these columns can say who ordered."""
    names = (*_PERSON["email"], *_PERSON["phone"], *COLUMNS["customer_id"])
    return any(name in columns for name in names)


def _order_of(row: TableRow) -> str | None:
    return row.first(*COLUMNS["id"])


def _read(rows: Sequence[TableRow], shop: FileShop) -> list[PlatformEvent]:
    settings = shop.settings if isinstance(shop.settings, WooCommerceSettings) else WooCommerceSettings()
    try:
        body = Fields(_body(rows, shop, settings))
        if body.values["status"] in _UNSETTLED:
            return []
        events = read_order(RawDelivery("order.updated", b"", shop.received_at), body, settings)
    except Unparseable as error:
        raise in_words_of_file(error, _OF_FIELD) from None
    # When it was cancelled the file does not say, nor when the shop would have taken it up again.
    events = [replace(each, revocable=False) if isinstance(each, OrderCancelled) else each for each in events]
    refunded = amount_of(rows[0].first(*COLUMNS["refunded"]), "Order refund amount")
    if events and refunded:
        known = body.informational
        times = [known.moment(f"date_{each}_gmt", zone=UTC) for each in ("created", "paid", "completed")]
        at = max(filter(None, times), default=shop.received_at)
        events.append(OrderRefunded(body.id("id"), "", abs(refunded), at))
    return events


def _body(rows: Sequence[TableRow], shop: FileShop, settings: WooCommerceSettings) -> dict[str, Any]:
    """The order as WooCommerce's API would show it, as far as the file does."""
    first = rows[0]
    created = _gmt(first, "created", shop)
    if created is None:
        raise Unparseable("Order date is missing.")
    amounts = {
        name: None if (amount := known_amount(first.first(*COLUMNS[name]))) is None else str(amount)
        for name in ("shipping_total", "shipping_tax", "discount_total", "discount_tax")
    }
    total = amount_of(first.first(*COLUMNS["total"]), "Order total")
    return {
        **amounts,
        "total": None if total is None else str(total),
        "id": (_order_of(first) or "").lstrip("#"),
        "number": first.first(*COLUMNS["number"]),
        "status": _status(first),
        "currency": first.first(*COLUMNS["currency"]) or shop.currency,
        "date_created_gmt": created,
        "date_modified_gmt": created,
        "date_paid_gmt": _gmt(first, "paid", shop),
        "date_completed_gmt": _gmt(first, "completed", shop),
        "customer_id": first.first(*COLUMNS["customer_id"]),
        "billing": _billing(first),
        "shipping": _address(first, "shipping"),
        "line_items": line_items(rows),
        "coupon_lines": coupon_lines(first),
        "meta_data": _meta(first, settings),
    }


def _status(row: TableRow) -> str:
    """The status as the API has it. Raises `Unparseable` for one that does not show a payment."""
    label = row.first(*COLUMNS["status"]) or ""
    word = label.lower().removeprefix("wc-").replace(" ", "-")
    status = _LABELS.get(word, word)
    if status not in _STATUSES and row.first(*COLUMNS["paid"], *COLUMNS["paid_gmt"]) is None:
        raise Unparseable(
            f"Order status {quoted(label)} is none of WooCommerce's own, and no column has the date of payment."
        )
    return status


def _gmt(row: TableRow, name: str, shop: FileShop) -> str | None:
    """A time in UTC; one without a zone is the shop's. Raises `Unparseable`."""
    gmt = row.first(*COLUMNS[f"{name}_gmt"])
    text = gmt or row.first(*COLUMNS[name])
    if text is None or text.startswith(_NO_DATE):
        return None
    unreadable = Unparseable(f"The order's {name} date cannot be read; write dates {_DATE}.")
    try:
        at = datetime.fromisoformat(iso_time(text))
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC if gmt else shop.zone)
        at = at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise unreadable from None
    if at.year not in YEARS:
        raise unreadable
    return at.isoformat()


def _billing(row: TableRow) -> dict[str, str | None]:
    found = _address(row, "billing") | {name: row.first(*columns) for name, columns in _PERSON.items()}
    if not found["first_name"] and not found["last_name"]:
        found["first_name"], found["last_name"] = split_name(row.first(*COLUMNS["name"]))
    return found


def _address(row: TableRow, kind: str) -> dict[str, str | None]:
    """By `billing_city` and `city_billing`; `address_1_2` is what one plugin calls both lines."""
    return {
        name: row.first(*(column for each in names for column in (f"{kind}_{each}", f"{each}_{kind}")))
        for name, names in _ADDRESS.items()
    }


def _meta(row: TableRow, settings: WooCommerceSettings) -> list[dict[str, str]]:
    """The shop's own meta fields, in columns called as they are, or with `meta:` before."""
    keys = (
        settings.referral_meta_key,
        settings.locale_meta_key,
        settings.consent_meta_key,
        settings.sms_consent_meta_key,
    )
    found = []
    for key in filter(None, keys):
        plain = "_".join(part for part in key.casefold().replace("-", "_").split("_") if part)
        if value := row.first(f"meta_{plain}", plain):
            found.append({"key": key, "value": value})
    return found


WOOCOMMERCE_FILE = TableFormat(FileFormat.woocommerce, _problem, _order_of, _read)
