"""An order of Shopify's GraphQL API as its webhooks write it, so that one function reads both."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

Node = Mapping[str, Any]
SHOWN_ORDERS = 3
"""Orders of a customer that our documents ask for."""
_FULFILLED = {"FULFILLED": "fulfilled", "PARTIALLY_FULFILLED": "partial"}
_ARRIVED = ("DELIVERED", "PICKED_UP")


def order_resource(order_id: str) -> str:
    """What is to be fetched for an order of this number."""
    return f"orders/{order_id}"


def order_body(node: Node) -> dict[str, Any]:
    """The body of `orders/updated` for an order, without what is not read of it.

    A list that is not whole is left out where half of it would be wrong.
    """
    lines = [_line(each) for each in nodes(node, "lineItems")]
    return {
        "id": _number(node),
        "name": node.get("name"),
        "confirmation_number": node.get("confirmationNumber"),
        "created_at": node.get("createdAt"),
        "updated_at": node.get("updatedAt"),
        "processed_at": node.get("processedAt"),
        "cancelled_at": node.get("cancelledAt"),
        "currency": node.get("currencyCode"),
        "taxes_included": node.get("taxesIncluded"),
        "financial_status": (node.get("displayFinancialStatus") or "").lower(),
        "fulfillment_status": _FULFILLED.get(node.get("displayFulfillmentStatus") or ""),
        "test": node.get("test"),
        "tags": node.get("tags") or [],
        "source_name": node.get("sourceName"),
        "email": node.get("email"),
        "phone": node.get("phone"),
        "customer_locale": node.get("customerLocale"),
        "buyer_accepts_marketing": node.get("customerAcceptsMarketing"),
        "landing_site": _landing_site(node),
        "note_attributes": [
            {"name": each["key"], "value": each.get("value")} for each in node.get("customAttributes") or []
        ],
        **_amounts(node, lines),
        "discount_codes": _codes(node),
        "shipping_lines": [_shipping(each) for each in nodes(node, "shippingLines")],
        "line_items": lines,
        "refunds": [_refund(each, node.get("currencyCode")) for each in node.get("refunds") or []],
        "fulfillments": [_parcel(each) for each in node.get("fulfillments") or []],
        "customer": _customer(node.get("customer")),
        "billing_address": _address(node.get("billingAddress")),
        "shipping_address": _address(node.get("shippingAddress")),
    }


def _amounts(node: Node, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    total = node.get("totalPriceSet") or {}
    return {
        "total_price": money(total),
        "total_price_set": {
            "shop_money": {"amount": money(total)},
            "presentment_money": {"amount": (total.get("presentmentMoney") or {}).get("amount")},
        },
        "current_total_price": money(node.get("currentTotalPriceSet")),
        "subtotal_price": money(node.get("subtotalPriceSet")),
        "total_line_items_price": _goods(lines) if is_whole(node, "lineItems") else None,
        "total_discounts": money(node.get("totalDiscountsSet")),
        "total_shipping_price_set": {"shop_money": {"amount": money(node.get("totalShippingPriceSet"))}},
    }


def nodes(node: Node, name: str) -> Sequence[Node]:
    """The nodes of a connection; none where access to it is denied."""
    connection = node.get(name) or {}
    return [each for each in connection.get("nodes") or [] if each]


def is_whole(node: Node, name: str) -> bool:
    """Whether a connection has no further nodes."""
    page = (node.get(name) or {}).get("pageInfo") or {}
    return not page.get("hasNextPage")


def money(bag: Node | None) -> str | None:
    """The amount in the shop's currency."""
    return ((bag or {}).get("shopMoney") or {}).get("amount")


def _number(node: Node) -> int | None:
    """The id as webhooks write it."""
    value = node.get("legacyResourceId")
    return None if value is None else int(value)


def _tail(gid: str) -> int | None:
    tail = gid.rsplit("/", maxsplit=1)[-1]
    return int(tail) if tail.isdecimal() else None


def _line(line: Node) -> dict[str, Any]:
    return {
        "id": _tail(line["id"]),
        "title": line.get("title"),
        "sku": line.get("sku"),
        "quantity": line.get("quantity"),
        "requires_shipping": line.get("requiresShipping"),
        "fulfillable_quantity": line.get("unfulfilledQuantity"),
        "price": money(line.get("originalUnitPriceSet")),
    }


def _goods(lines: Iterable[Node]) -> str | None:
    """What all lines cost before discounts; None where one has no price."""
    worth = Decimal(0)
    for line in lines:
        if line["price"] is None:
            return None
        worth += Decimal(line["price"]) * (line["quantity"] or 0)
    return str(worth)


def _codes(node: Node) -> list[dict[str, Any]]:
    """The codes; what one took off only where it is all that was taken off."""
    codes = node.get("discountCodes") or []
    applied = nodes(node, "discountApplications")
    is_alone = len(codes) == len(applied) == 1 and applied[0].get("code") is not None
    amount = money(node.get("totalDiscountsSet")) if is_alone else None
    return [{"code": code, "amount": amount} for code in codes]


def _shipping(line: Node) -> dict[str, Any]:
    taxes = [{"price": money(tax.get("priceSet"))} for tax in line.get("taxLines") or []]
    price = money(line.get("discountedPriceSet"))
    return {"discounted_price": price, "is_removed": line.get("isRemoved"), "tax_lines": taxes}


def _refund(refund: Node, currency: str | None) -> dict[str, Any]:
    """Money went back in the shop's currency here, whatever the buyer paid in."""
    return {
        "id": _number(refund),
        "created_at": refund.get("createdAt"),
        "processed_at": refund.get("processedAt"),
        "transactions": [
            {
                "kind": each["kind"].lower(),
                "status": each["status"].lower(),
                "amount": money(each.get("amountSet")),
                "currency": currency,
            }
            for each in nodes(refund, "transactions")
        ],
        "refund_line_items": [
            {
                "line_item_id": _tail((each.get("lineItem") or {}).get("id") or ""),
                "quantity": each["quantity"],
            }
            for each in nodes(refund, "refundLineItems")
        ],
        "order_adjustments": [
            {
                "kind": "shipping_refund",
                "amount": _below_zero(money(each.get("subtotalAmountSet"))),
                "tax_amount": _below_zero(money(each.get("taxAmountSet"))),
            }
            for each in nodes(refund, "refundShippingLines")
        ],
    }


def _below_zero(amount: str | None) -> str | None:
    """Webhooks write what went back below zero."""
    return None if amount is None else str(-Decimal(amount))


def _parcel(parcel: Node) -> dict[str, Any]:
    has_arrived = parcel.get("displayStatus") in _ARRIVED or parcel.get("deliveredAt") is not None
    return {
        "id": _number(parcel),
        "status": (parcel.get("status") or "").lower(),
        "created_at": parcel.get("createdAt"),
        "updated_at": parcel.get("deliveredAt") or parcel.get("updatedAt"),
        "shipment_status": "delivered" if has_arrived else None,
        "line_items": [
            {
                "quantity": parcel.get("totalQuantity"),
                "requires_shipping": parcel.get("requiresShipping"),
            }
        ],
    }


def _customer(customer: Node | None) -> dict[str, Any] | None:
    if customer is None:
        return None
    email, phone = customer.get("defaultEmailAddress") or {}, customer.get("defaultPhoneNumber") or {}
    country = (customer.get("defaultAddress") or {}).get("countryCodeV2")
    consent = {
        "state": (email.get("marketingState") or "").lower(),
        "opt_in_level": (email.get("marketingOptInLevel") or "").lower() or None,
        "consent_updated_at": email.get("marketingUpdatedAt"),
    }
    return {
        "id": _number(customer),
        "email": email.get("emailAddress"),
        "phone": phone.get("phoneNumber"),
        "first_name": customer.get("firstName"),
        "last_name": customer.get("lastName"),
        "locale": customer.get("locale"),
        "default_address": {"country_code": country},
        "email_marketing_consent": consent if email else None,
        "orders_withheld": _are_withheld(customer),
    }


def _are_withheld(customer: Node) -> bool:
    """Whether Shopify counts orders of the customer that it does not show: those of before 60 days.

    An app without the access scope `read_all_orders` is not shown them. Who has as many others as
    are asked for may have none, and is known by those. Where not even the order that is read is
    among them, they are not known yet.
    """
    shown = nodes(customer, "orders")
    return 0 < len(shown) < SHOWN_ORDERS and int(customer.get("numberOfOrders") or 0) > len(shown)


def _address(address: Node | None) -> dict[str, Any] | None:
    if address is None:
        return None
    return {
        "first_name": address.get("firstName"),
        "last_name": address.get("lastName"),
        "address1": address.get("address1"),
        "address2": address.get("address2"),
        "zip": address.get("zip"),
        "city": address.get("city"),
        "country_code": address.get("countryCodeV2"),
        "phone": address.get("phone"),
    }


def _landing_site(node: Node) -> str | None:
    visit = (node.get("customerJourneySummary") or {}).get("lastVisit") or {}
    found: str | None = visit.get("landingPage")
    return found
