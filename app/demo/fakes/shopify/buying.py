"""Orders as people make them, and their outcome: bodies as the shop's webhooks have them."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from app.demo.fakes.shopify.carts import AppliedCode, apply_code
from app.demo.fakes.shopify.state import FakeShop, count_use, new_number


@dataclass(frozen=True)
class FakeBuyer:
    """Somebody who orders. A consent is True, False, or None where nothing was asked."""

    customer_id: int
    email: str | None
    first_name: str = "Ben"
    last_name: str = "Ito"
    country: str = "DE"
    locale: str = "en"
    phone: str | None = None
    address: Mapping[str, str] = field(default_factory=dict)
    email_consent: bool | None = None
    sms_consent: bool | None = None


@dataclass(frozen=True)
class FakeLine:
    """A line of a cart."""

    title: str
    price: Decimal
    quantity: int = 1
    sku: str = ""


def place_order(
    shop: FakeShop,
    buyer: FakeBuyer,
    lines: Sequence[FakeLine],
    *,
    number: int,
    at: datetime,
    codes: Sequence[str] = (),
    shipping: Decimal = Decimal(0),
    landing_site: str | None = None,
) -> dict[str, Any]:
    """A paid order whose prices include taxes, `number` its id. Raises `CartRefusal` for a code."""
    goods = sum((each.price * each.quantity for each in lines), Decimal(0))
    others = len(codes) - 1
    applied = [
        apply_code(shop, code, customer_id=buyer.customer_id, goods=goods, others=others) for code in codes
    ]
    off = min(sum((each.amount for each in applied), Decimal(0)), goods)
    order = _order(shop, buyer, number, shop_time(shop, at)) | _totals(shop, goods, off, shipping)
    order |= {
        "landing_site": landing_site,
        "discount_codes": [
            {"code": each.code.code, "amount": f"{each.amount:.2f}", "type": _type(each)} for each in applied
        ],
        "line_items": [_line(each) for each in lines],
        "shipping_lines": [_shipping_line(shipping)] if shipping else [],
    }
    for each in applied:
        count_use(each.code, buyer.customer_id)
    shop.orders.append(order)
    return order


def pay_with_credit(shop: FakeShop, order: dict[str, Any], amount: Decimal, *, at: datetime) -> None:
    """Let so much of a new order be paid with its buyer's store credit.

    An order names its means of payment and not what each paid. Shopify publishes no list of their
    names; store credit's is the one that shops' programmes read. Nothing of ours reads it.
    Raises `ValueError` where the buyer has less.
    """
    account = shop.credit.account(f"gid://shopify/Customer/{order['customer']['id']}", shop.currency)
    if account is None or account.pay(amount, at) is None:
        raise ValueError("the customer has less store credit")
    order["payment_gateway_names"] = ["shopify_store_credit", *order.get("payment_gateway_names", [])]


def shop_time(shop: FakeShop, at: datetime) -> str:
    """A time as webhooks write it: in the shop's zone, to the second."""
    return at.astimezone(ZoneInfo(shop.time_zone)).isoformat(timespec="seconds")


def send_parcel(shop: FakeShop, order: dict[str, Any], *, at: datetime) -> dict[str, Any]:
    """Send all of an order in one parcel, and return that."""
    sent_at = shop_time(shop, at)
    pieces = [{"id": each["id"], "quantity": each["quantity"]} for each in order["line_items"]]
    parcel = {
        "id": new_number(),
        "order_id": order["id"],
        "name": f"{order['name']}.1",
        "status": "success",
        "service": "manual",
        "shipment_status": None,
        "created_at": sent_at,
        "updated_at": sent_at,
        "line_items": pieces,
    }
    order["fulfillments"] = [parcel]
    order |= {"fulfillment_status": "fulfilled", "updated_at": sent_at}
    return parcel


def deliver_parcel(shop: FakeShop, order: dict[str, Any], *, at: datetime) -> dict[str, Any]:
    """Let the order's parcel arrive; returns the carrier's event."""
    (parcel,) = order["fulfillments"]
    arrived_at = shop_time(shop, at)
    parcel |= {"shipment_status": "delivered", "updated_at": arrived_at}
    order["updated_at"] = arrived_at
    return {
        "id": new_number(),
        "order_id": order["id"],
        "fulfillment_id": parcel["id"],
        "status": "delivered",
        "happened_at": arrived_at,
        "created_at": arrived_at,
        "updated_at": arrived_at,
    }


def cancel_order(shop: FakeShop, order: dict[str, Any], *, at: datetime) -> None:
    """Cancel an order without a refund."""
    cancelled_at = shop_time(shop, at)
    order |= {"cancelled_at": cancelled_at, "cancel_reason": "customer", "updated_at": cancelled_at}


def refund_order(shop: FakeShop, order: dict[str, Any], amount: Decimal, *, at: datetime) -> dict[str, Any]:
    """Pay back an amount, of what is left of the order at most, and return the refund."""
    refunded_at, left = shop_time(shop, at), Decimal(order["current_total_price"])
    back = min(amount, left)
    refund = {
        "id": new_number(),
        "order_id": order["id"],
        "created_at": refunded_at,
        "processed_at": refunded_at,
        "note": "",
        "restock": False,
        "duties": [],
        "refund_line_items": [],
        "order_adjustments": [
            {"id": new_number(), "kind": "refund_discrepancy", "amount": f"{-back:.2f}", "tax_amount": "0.00"}
        ],
        "transactions": [
            {
                "id": new_number(),
                "order_id": order["id"],
                "kind": "refund",
                "status": "success",
                "amount": f"{back:.2f}",
                "currency": order["currency"],
            }
        ],
    }
    state = "refunded" if back == left else "partially_refunded"
    order["refunds"] = [*order["refunds"], refund]
    order |= {"financial_status": state, "current_total_price": f"{left - back:.2f}"}
    order["updated_at"] = refunded_at
    return refund


def _order(shop: FakeShop, buyer: FakeBuyer, number: int, at: str) -> dict[str, Any]:
    address = _address(buyer)
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Order/{number}",
        "name": f"#{1000 + len(shop.orders) + 1}",
        "confirmation_number": secrets.token_hex(5).upper()[:9],
        "order_number": 1000 + len(shop.orders) + 1,
        "created_at": at,
        "updated_at": at,
        "processed_at": at,
        "cancelled_at": None,
        "cancel_reason": None,
        "currency": shop.currency,
        "presentment_currency": shop.currency,
        "financial_status": "paid",
        "fulfillment_status": None,
        "taxes_included": True,
        "test": False,
        "tags": "",
        "source_name": "web",
        "note_attributes": [],
        "email": buyer.email,
        "contact_email": buyer.email,
        "phone": None,
        "customer_locale": buyer.locale,
        "buyer_accepts_marketing": buyer.email_consent is True,
        "customer": _customer(buyer, at),
        "billing_address": address,
        "shipping_address": address,
        "refunds": [],
        "fulfillments": [],
    }


def _customer(buyer: FakeBuyer, at: str) -> dict[str, Any]:
    email = {"state": _state(buyer.email_consent), "opt_in_level": "single_opt_in", "consent_updated_at": at}
    texts = {**email, "state": _state(buyer.sms_consent), "consent_collected_from": "SHOPIFY"}
    return {
        "id": buyer.customer_id,
        "admin_graphql_api_id": f"gid://shopify/Customer/{buyer.customer_id}",
        "email": buyer.email,
        "phone": buyer.phone,
        "first_name": buyer.first_name,
        "last_name": buyer.last_name,
        "state": "disabled",
        "email_marketing_consent": email if buyer.email else None,
        "sms_marketing_consent": texts if buyer.phone else None,
        "default_address": {**_address(buyer), "customer_id": buyer.customer_id, "default": True},
    }


def _state(consent: bool | None) -> str:
    return {True: "subscribed", False: "unsubscribed", None: "not_subscribed"}[consent]


def _address(buyer: FakeBuyer) -> dict[str, Any]:
    names = {"first_name": buyer.first_name, "last_name": buyer.last_name, "phone": None}
    places = {name: buyer.address.get(name) for name in ("address1", "address2", "city", "zip")}
    return {**names, **places, "country_code": buyer.country}


def _totals(shop: FakeShop, goods: Decimal, off: Decimal, shipping: Decimal) -> dict[str, Any]:
    total = goods - off + shipping
    amounts = {
        "total_price": total,
        "current_total_price": total,
        "subtotal_price": goods - off,
        "total_line_items_price": goods,
        "total_discounts": off,
        "total_tax": Decimal(0),
    }
    texts: dict[str, Any] = {name: f"{amount:.2f}" for name, amount in amounts.items()}
    for name, amount in (("total_price", total), ("total_shipping_price", shipping)):
        price = {"amount": f"{amount:.2f}", "currency_code": shop.currency}
        texts[f"{name}_set"] = {"shop_money": price, "presentment_money": price}
    return texts


def _line(line: FakeLine) -> dict[str, Any]:
    return {
        "id": new_number(),
        "title": line.title,
        "name": line.title,
        "sku": line.sku,
        "quantity": line.quantity,
        "current_quantity": line.quantity,
        "price": f"{line.price:.2f}",
        "taxable": True,
        "requires_shipping": True,
        "gift_card": False,
    }


def _shipping_line(price: Decimal) -> dict[str, Any]:
    texts = dict.fromkeys(("price", "discounted_price"), f"{price:.2f}")
    return {"id": new_number(), "title": "Parcel", "code": "parcel", "tax_lines": [], **texts}


def _type(applied: AppliedCode) -> str:
    return "percentage" if applied.is_percentage else "fixed_amount"
