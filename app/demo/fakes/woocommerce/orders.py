"""Orders and refunds: made by buyers, listed by the API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from app.base import clock
from app.demo.fakes.woocommerce.coupons import discount_of
from app.demo.fakes.woocommerce.errors import RestError, invalid_parameters
from app.demo.fakes.woocommerce.state import FakeShop, decimals, page_of, stamp

_ADDRESS = ("first_name", "last_name", "company", "address_1", "address_2", "city", "state", "postcode")


@dataclass(frozen=True)
class FakeBuyer:
    """Somebody who orders; without a `customer_id` as a guest."""

    email: str
    first_name: str = "Ben"
    last_name: str = "Ito"
    country: str = "DE"
    phone: str = ""
    customer_id: int = 0
    meta: Mapping[str, str] = field(default_factory=dict)
    """What plugins write into `meta_data`."""


@dataclass(frozen=True)
class FakeLine:
    """A line of a cart."""

    name: str
    price: Decimal
    quantity: int = 1
    sku: str = ""


def place_order(
    shop: FakeShop,
    buyer: FakeBuyer,
    goods: Decimal | Sequence[FakeLine],
    *,
    codes: Sequence[str] = (),
    shipping: Decimal = Decimal(0),
    number: int | None = None,
    at: datetime | None = None,
) -> dict[str, Any]:
    """A paid order without taxes, as the API shows it. Raises `CartRefusal` for a coupon.

    Each coupon counts one use by the e-mail address, as for a guest.
    """
    now = at or clock.now()
    lines = [FakeLine("Mug", goods, sku="MUG")] if isinstance(goods, Decimal) else goods
    total = sum((each.price * each.quantity for each in lines), Decimal(0))
    found = [
        discount_of(shop, code, email=buyer.email, goods=total, others=len(codes) - 1, now=now)
        for code in codes
    ]
    off = min(sum((each for _, each in found), Decimal(0)), total)
    order = _order(shop, buyer, number or shop.new_id())
    order |= {
        "total": decimals(total - off + shipping),
        "discount_total": decimals(off),
        "shipping_total": decimals(shipping),
        "line_items": [_line(shop, each, (total - off) / total if total else Decimal(1)) for each in lines],
        "coupon_lines": [
            {"id": shop.new_id(), "code": coupon.code, "discount": decimals(each), "discount_tax": "0.00"}
            for coupon, each in found
        ],
        "meta_data": [{"id": shop.new_id(), "key": key, "value": value} for key, value in buyer.meta.items()],
    }
    order |= _dates(shop, date_created=now, date_modified=now, date_paid=now, date_completed=None)
    for coupon, _ in found:
        coupon.used_by.append(buyer.email)
    shop.orders[order["id"]] = order
    return order


def _line(shop: FakeShop, line: FakeLine, paid: Decimal) -> dict[str, Any]:
    """A line item; `paid` is the part of its price that is left after discounts."""
    subtotal = line.price * line.quantity
    return {
        "id": shop.new_id(),
        "name": line.name,
        "product_id": 93,
        "variation_id": 0,
        "quantity": line.quantity,
        "tax_class": "",
        "subtotal": decimals(subtotal),
        "subtotal_tax": "0.00",
        "total": decimals(subtotal * paid),
        "total_tax": "0.00",
        "taxes": [],
        "meta_data": [],
        "sku": line.sku,
        "price": float(line.price * paid),
    }


_VOID = ("cancelled", "failed", "trash")


def change_order(shop: FakeShop, number: int, status: str, *, at: datetime | None = None) -> dict[str, Any]:
    """Give an order another status; `completed` has its time."""
    now = at or clock.now()
    order = shop.orders[number]
    if status in _VOID and order["status"] not in _VOID:
        # WooCommerce takes the uses of its coupons back.
        for line in order["coupon_lines"]:
            coupon = shop.find_coupon(line["code"])
            if coupon is not None and order["billing"]["email"] in coupon.used_by:
                coupon.used_by.remove(order["billing"]["email"])
    order |= {"status": status, **_dates(shop, date_modified=now)}
    if status == "completed":
        order |= _dates(shop, date_completed=now)
    return order


def refund_order(
    shop: FakeShop,
    number: int,
    amount: Decimal,
    *,
    shipping: Decimal = Decimal(0),
    at: datetime | None = None,
) -> dict[str, Any]:
    """Refund a part of an order, of which `shipping` is for its shipping; returns the order."""
    now = at or clock.now()
    order = shop.orders[number]
    lines = []
    if shipping:
        lines = [{"id": shop.new_id(), "method_title": "Parcel", "method_id": "flat_rate"}]
        lines[0] |= {"total": decimals(-shipping), "total_tax": "0.00", "taxes": [], "meta_data": []}
    refund = {"id": shop.new_id(), "amount": decimals(amount), "reason": "", "refunded_by": 1}
    refund |= {"refunded_payment": False, "meta_data": [], "line_items": [], "shipping_lines": lines}
    refund |= {"tax_lines": [], "fee_lines": [], **_dates(shop, date_created=now)}
    shop.refunds.setdefault(number, []).append(refund)
    order["refunds"] = [*order["refunds"], {"id": refund["id"], "reason": "", "total": decimals(-amount)}]
    return order | _dates(shop, date_modified=now)


def _order(shop: FakeShop, buyer: FakeBuyer, number: int) -> dict[str, Any]:
    address = dict.fromkeys(_ADDRESS, "")
    address |= {name: getattr(buyer, name) for name in ("first_name", "last_name", "country")}
    texts = ("created_via", "customer_ip_address", "customer_user_agent", "customer_note", "payment_method")
    order: dict[str, Any] = dict.fromkeys((*texts, "payment_method_title", "transaction_id", "cart_hash"), "")
    order |= dict.fromkeys(("discount_tax", "shipping_tax", "cart_tax", "total_tax"), "0.00")
    order |= {name: [] for name in ("tax_lines", "shipping_lines", "fee_lines", "refunds")}
    return order | {
        "id": number,
        "parent_id": 0,
        "number": str(number),
        "order_key": f"wc_order_{number}",
        "created_via": "checkout",
        "version": "10.2.0",
        "status": "processing",
        "currency": shop.currency,
        "prices_include_tax": True,
        "customer_id": buyer.customer_id,
        "billing": {**address, "email": buyer.email, "phone": buyer.phone},
        "shipping": {**address, "phone": ""},
    }


def _dates(shop: FakeShop, **times: datetime | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, at in times.items():
        found |= {name: stamp(at, shop.time_zone), f"{name}_gmt": stamp(at, "UTC")}
    return found


def list_orders(shop: FakeShop, query: Mapping[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """A page of orders, and how many there are."""
    rows = [
        each
        for each in shop.orders.values()
        if ("any" in query["status"] or each["status"] in query["status"])
        and (not query["include"] or each["id"] in query["include"])
        and _is_between(each, query, shop.time_zone)
    ]
    fields = {"id": "id", "modified": "date_modified_gmt"}
    field = fields.get(query["orderby"], "date_created_gmt")
    rows.sort(key=lambda each: (each[field], each["id"]), reverse=query["order"] == "desc")
    return page_of(rows, query["page"], query["per_page"])


def _is_between(order: Mapping[str, Any], query: Mapping[str, Any], zone: str) -> bool:
    """Whether the order is within the times asked for, which are the site's unless they say GMT."""
    limits = (("after", "date_created"), ("modified_after", "date_modified"))
    untils = (("before", "date_created"), ("modified_before", "date_modified"))
    asked = "UTC" if query["dates_are_gmt"] else zone
    return all(
        _at(order[f"{field}_gmt"]) > _limit(query[name], asked) for name, field in limits if name in query
    ) and all(
        _at(order[f"{field}_gmt"]) < _limit(query[name], asked) for name, field in untils if name in query
    )


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _limit(text: str, zone: str) -> datetime:
    """A time to compare with. Raises `RestError` for one with an offset: WordPress misreads it."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is not None:
        raise invalid_parameters([f"{text} has an offset"])
    return at.replace(tzinfo=ZoneInfo(zone))


def find_order(shop: FakeShop, number: int) -> dict[str, Any]:
    """An order. Raises `RestError` where there is none."""
    order = shop.orders.get(number)
    if order is None:
        raise RestError("woocommerce_rest_shop_order_invalid_id", "Invalid ID.", 404)
    return order


def list_refunds(shop: FakeShop, number: int, query: Mapping[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """A page of an order's refunds, the newest first, and how many there are."""
    if number not in shop.orders:
        # WooCommerce gives the status as a bare number, from which WordPress makes 500.
        raise RestError("woocommerce_rest_invalid_order_id", "Invalid order ID.", 500)
    return page_of(shop.refunds.get(number, [])[::-1], query["page"], query["per_page"])
