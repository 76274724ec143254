"""Orders of the fake: bodies of webhooks, shown by the GraphQL API as Shopify shows its orders."""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo

from app.demo.fakes.shopify.paging import MOST, page
from app.demo.fakes.shopify.state import FakeShop, new_gid

_SINCE = re.compile(r"updated_at:>='([^']+)'")
_STATUSES = {"fulfilled": "FULFILLED", "partial": "PARTIALLY_FULFILLED"}
Body = Mapping[str, Any]


def _orders(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any]:
    """`orders`: by the time of the last change where a query asks for it, else as placed."""
    shop: FakeShop = info.context
    if given.get("query"):
        return _changed(shop, given)
    buyers = Buyers(shop)
    rows = [order_node(each, buyers) for each in shop.orders if shop.shows(each)]
    return page(rows[::-1] if given["reverse"] else rows, given)


def _changed(shop: FakeShop, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A page whose cursor is a place in time: an order that changes meanwhile comes once more.

    Orders of which only the buyer matters have no time, and are in no such page.
    """
    since = _SINCE.fullmatch(asked["query"])
    if since is None or asked["sortKey"] != "UPDATED_AT":
        raise GraphQLError("the fake knows orders by updated_at alone", extensions={"code": "BAD_REQUEST"})
    if not 0 < asked["first"] <= MOST:
        raise GraphQLError(f"first must be between 1 and {MOST}", extensions={"code": "BAD_REQUEST"})
    after = json.loads(base64.b64decode(asked["after"])) if asked.get("after") else ["", 0]
    dated = [
        (place, each) for place, each in enumerate(shop.orders) if "updated_at" in each and shop.shows(each)
    ]
    rows = sorted((_utc(each["updated_at"]), each["id"], place) for place, each in dated)
    rows = [row for row in rows if str(row[0]) >= since[1] and [row[0], row[1]] > after]
    taken, buyers = rows[: asked["first"]], Buyers(shop)
    cursor = base64.b64encode(json.dumps(taken[-1][:2]).encode()).decode() if taken else None
    return {
        "nodes": [order_node(shop.orders[place], buyers) for _, _, place in taken],
        "pageInfo": {"hasNextPage": len(taken) < len(rows), "endCursor": cursor},
    }


def _order(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any] | None:
    """`order`: None for one that the shop does not have."""
    shop: FakeShop = info.context
    found = (each for each in shop.orders if given["id"] == f"gid://shopify/Order/{each.get('id')}")
    order = next(found, None)
    return None if order is None or not shop.shows(order) else order_node(order, Buyers(shop))


RESOLVERS: dict[str, Callable[..., Any]] = {"QueryRoot.orders": _orders, "QueryRoot.order": _order}
"""By type and field."""


class Buyers:
    """Whose orders are whose, read once for all nodes of a response."""

    def __init__(self, shop: FakeShop) -> None:
        self._shop = shop

    @cached_property
    def _orders(self) -> Mapping[int, Sequence[Body]]:
        found: dict[int, list[Body]] = {}
        for each in self._shop.orders:
            if each.get("customer"):
                found.setdefault(each["customer"]["id"], []).append(each)
        return found

    def fields_of(self, customer: Body) -> dict[str, Any]:
        """A customer's orders as the API shows them, and how many there are."""

        def shown(_info: Any, **given: Any) -> dict[str, Any]:
            theirs = self._orders[customer["id"]]
            ids = [{"id": f"gid://shopify/Order/{each['id']}"} for each in theirs if self._shop.shows(each)]
            return page(ids, given)

        return {"numberOfOrders": lambda _info: str(len(self._orders[customer["id"]])), "orders": shown}


def order_node(body: Body, buyers: Buyers) -> dict[str, Any]:
    """An order of the API, made of the body that its webhooks have; what that lacks is null."""
    customer = body.get("customer")
    if "total_price" not in body:  # an order of which only its buyer matters
        return {"id": new_gid("Order"), "email": None, "phone": None, "customer": None, **body}
    codes = [each for each in body.get("discount_codes", []) if each.get("code")]
    return {
        "id": f"gid://shopify/Order/{body['id']}",
        "legacyResourceId": str(body["id"]),
        "name": body["name"],
        "confirmationNumber": body.get("confirmation_number"),
        "createdAt": _utc(body["created_at"]),
        "updatedAt": _utc(body["updated_at"]),
        "processedAt": _utc(body.get("processed_at") or body["created_at"]),
        "cancelledAt": _utc(body.get("cancelled_at")),
        "currencyCode": body["currency"],
        "taxesIncluded": body.get("taxes_included", False),
        "displayFinancialStatus": body["financial_status"].upper(),
        "displayFulfillmentStatus": _STATUSES.get(body.get("fulfillment_status") or "", "UNFULFILLED"),
        "test": body.get("test", False),
        "tags": [each.strip() for each in (body.get("tags") or "").split(",") if each.strip()],
        "sourceName": body.get("source_name"),
        "email": body.get("email"),
        "phone": body.get("phone"),
        "customerLocale": body.get("customer_locale"),
        "customerAcceptsMarketing": bool(body.get("buyer_accepts_marketing")),
        "discountCodes": [each["code"] for each in codes],
        **_amounts(body),
        "customAttributes": [
            {"key": each["name"], "value": each["value"]} for each in body.get("note_attributes", [])
        ],
        "customerJourneySummary": {"lastVisit": _visit(body.get("landing_site"))},
        "customer": _customer(customer, buyers),
        "billingAddress": _address(body.get("billing_address")),
        "shippingAddress": _address(body.get("shipping_address")),
        "discountApplications": _pages(
            [
                {"__typename": "DiscountCodeApplication", "index": place, "code": each["code"]}
                for place, each in enumerate(codes)
            ]
        ),
        "shippingLines": _pages([_shipping_line(each) for each in body.get("shipping_lines", [])]),
        "lineItems": _pages([_line(each) for each in body.get("line_items", [])]),
        "refunds": _list([_refund(each) for each in body.get("refunds", [])]),
        "fulfillments": _list([_parcel(each) for each in body.get("fulfillments", [])]),
    }


def _amounts(body: Body) -> dict[str, Any]:
    discounted = Decimal(body.get("total_discounts") or 0)
    return {
        "totalPriceSet": _money(body["total_price"]),
        "currentTotalPriceSet": _money(body.get("current_total_price") or body["total_price"]),
        "subtotalPriceSet": _money(body.get("subtotal_price")),
        "totalDiscountsSet": _money(str(discounted)),
        "totalShippingPriceSet": _shipping(body),
    }


def _pages(rows: Sequence[Any]) -> Callable[..., dict[str, Any]]:
    return lambda _info, **given: page(rows, given)


def _list(rows: Sequence[Any]) -> Callable[..., Sequence[Any]]:
    """A plain list, of which `first` takes the beginning."""
    return lambda _info, **given: rows[: given.get("first")]


def _utc(at: str | None) -> str | None:
    """A time as the API writes it."""
    return None if at is None else f"{datetime.fromisoformat(at).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _money(amount: str | None) -> dict[str, Any] | None:
    return (
        None if amount is None else {"shopMoney": {"amount": amount}, "presentmentMoney": {"amount": amount}}
    )


def _visit(landing_site: str | None) -> dict[str, Any] | None:
    return {"landingPage": f"https://acme.example{landing_site}"} if landing_site else None


def _shipping(body: Body) -> dict[str, Any] | None:
    """What shipping costs in all, as the body states it, or its lines add up."""
    stated = ((body.get("total_shipping_price_set") or {}).get("shop_money") or {}).get("amount")
    return _money(stated or str(sum(_shipping_price(each) for each in body.get("shipping_lines", []))))


def _shipping_price(line: Body) -> Decimal:
    return Decimal(line.get("discounted_price") or line["price"])


def _shipping_line(line: Body) -> dict[str, Any]:
    taxes = [{"priceSet": _money(tax["price"])} for tax in line.get("tax_lines", [])]
    return {"isRemoved": False, "discountedPriceSet": _money(str(_shipping_price(line))), "taxLines": taxes}


def _line(line: Body) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/LineItem/{line.get('id', 1)}",
        "title": line["title"],
        "sku": line.get("sku"),
        "quantity": line["quantity"],
        "requiresShipping": line.get("requires_shipping", True),
        "unfulfilledQuantity": line.get("fulfillable_quantity", line["quantity"]),
        "originalUnitPriceSet": _money(line["price"]),
    }


def _refund(refund: Body) -> dict[str, Any]:
    return {
        "legacyResourceId": str(refund["id"]),
        "createdAt": _utc(refund["created_at"]),
        "processedAt": _utc(refund.get("processed_at") or refund["created_at"]),
        "refundLineItems": _pages(
            [
                {
                    "quantity": each["quantity"],
                    "lineItem": {"id": f"gid://shopify/LineItem/{each['line_item_id']}"},
                }
                for each in refund.get("refund_line_items", [])
            ]
        ),
        "refundShippingLines": _pages(
            [
                {
                    "subtotalAmountSet": _money(str(-Decimal(each["amount"]))),
                    "taxAmountSet": _money(str(-Decimal(each.get("tax_amount") or 0))),
                }
                for each in refund.get("order_adjustments", [])
                if each["kind"] == "shipping_refund"
            ]
        ),
        "transactions": _pages(
            [
                {
                    "kind": each["kind"].upper(),
                    "status": each["status"].upper(),
                    "amountSet": _money(each["amount"]),
                }
                for each in refund.get("transactions", [])
            ]
        ),
    }


def _parcel(parcel: Body) -> dict[str, Any]:
    is_delivered = parcel.get("shipment_status") == "delivered"
    return {
        "legacyResourceId": str(parcel["id"]),
        "status": parcel["status"].upper(),
        "displayStatus": "DELIVERED" if is_delivered else "FULFILLED",
        "createdAt": _utc(parcel["created_at"]),
        "updatedAt": _utc(parcel["updated_at"]),
        "deliveredAt": _utc(parcel["updated_at"]) if is_delivered else None,
        "totalQuantity": sum(each["quantity"] for each in parcel.get("line_items", [])),
        "requiresShipping": any(each.get("requires_shipping", True) for each in parcel.get("line_items", [])),
    }


def _customer(customer: Body | None, buyers: Buyers) -> dict[str, Any] | None:
    if customer is None:
        return None
    consent = customer.get("email_marketing_consent") or {}
    email = {
        "emailAddress": customer.get("email"),
        "marketingState": (consent.get("state") or "not_subscribed").upper(),
        "marketingOptInLevel": (consent.get("opt_in_level") or "").upper() or None,
        "marketingUpdatedAt": _utc(consent.get("consent_updated_at")),
    }
    country = (customer.get("default_address") or {}).get("country_code")
    return {
        "id": f"gid://shopify/Customer/{customer['id']}",
        "legacyResourceId": str(customer["id"]),
        "firstName": customer.get("first_name"),
        "lastName": customer.get("last_name"),
        "locale": customer.get("locale") or "en",
        **buyers.fields_of(customer),
        "defaultEmailAddress": email if customer.get("email") else None,
        "defaultPhoneNumber": {"phoneNumber": customer["phone"]} if customer.get("phone") else None,
        "defaultAddress": {"countryCodeV2": country} if country else None,
    }


def _address(address: Body | None) -> dict[str, Any] | None:
    if address is None:
        return None
    names = {"firstName": "first_name", "lastName": "last_name", "countryCodeV2": "country_code"}
    names |= {name: name for name in ("address1", "address2", "zip", "city", "phone")}
    return {field: address.get(name) for field, name in names.items()}
