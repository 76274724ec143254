"""How the fake shows a discount."""

from datetime import datetime
from typing import Any

from app.base import clock
from app.demo.fakes.shopify.paging import page
from app.demo.fakes.shopify.state import FakeDiscount, FakeShop


def show_count(count: int, limit: int | None = None) -> dict[str, Any]:
    """The number as a `Count`, cut to a limit."""
    is_cut = limit is not None and count > limit
    return {"count": limit if is_cut else count, "precision": "AT_LEAST" if is_cut else "EXACT"}


def show_discount(shop: FakeShop, discount: FakeDiscount) -> dict[str, Any]:
    """The discount as a `DiscountCodeBasic`."""
    given = discount.given
    codes = discount.codes
    return {
        "__typename": "DiscountCodeBasic",
        **{name: given.get(name) for name in ("title", "startsAt", "endsAt", "usageLimit")},
        "appliesOncePerCustomer": bool(given.get("appliesOncePerCustomer")),
        "tags": given.get("tags") or [],
        "status": _status(discount),
        "createdAt": discount.created_at.isoformat(),
        "updatedAt": discount.created_at.isoformat(),
        "asyncUsageCount": lambda _info: sum(map(shop.counted_uses, codes.values())),
        "codesCount": show_count(len(codes)),
        "combinesWith": _combines(given),
        "customerGets": {
            "appliesOnSubscription": bool(given["customerGets"].get("appliesOnSubscription")),
            "value": _value(shop, given),
        },
        "minimumRequirement": _minimum(shop, given),
        "codes": lambda _info, **asked: _codes(shop, discount, asked),
    }


def _codes(shop: FakeShop, discount: FakeDiscount, asked: dict[str, Any]) -> dict[str, Any]:
    """A page of the discount's codes; a query finds those that have its text in them."""
    wanted = str(asked.get("query") or "").lower()
    is_hidden = bool(wanted) and shop.search_lags
    found = [each for key, each in discount.codes.items() if wanted in key and not is_hidden]
    rows = [
        {"id": each.id, "code": each.code, "asyncUsageCount": shop.counted_uses(each)}
        for each in (reversed(found) if asked.get("reverse") else found)
    ]
    return page(rows, asked)


def _status(discount: FakeDiscount) -> str:
    if discount.has_ended:
        return "EXPIRED"
    starts_at = datetime.fromisoformat(discount.given["startsAt"])
    return "SCHEDULED" if starts_at > clock.now() else "ACTIVE"


def _combines(given: dict[str, Any]) -> dict[str, bool]:
    asked = given.get("combinesWith") or {}
    return {
        name: bool(asked.get(name)) for name in ("orderDiscounts", "productDiscounts", "shippingDiscounts")
    }


def _value(shop: FakeShop, given: dict[str, Any]) -> dict[str, Any]:
    value = given["customerGets"]["value"]
    if value.get("percentage") is not None:
        return {"__typename": "DiscountPercentage", "percentage": value["percentage"]}
    amount = value["discountAmount"]
    return {
        "__typename": "DiscountAmount",
        "amount": {"amount": amount["amount"], "currencyCode": shop.currency},
        "appliesOnEachItem": bool(amount.get("appliesOnEachItem")),
    }


def _minimum(shop: FakeShop, given: dict[str, Any]) -> dict[str, Any] | None:
    asked = given.get("minimumRequirement") or {}
    count = (asked.get("quantity") or {}).get("greaterThanOrEqualToQuantity")
    if count is not None:
        return {"__typename": "DiscountMinimumQuantity", "greaterThanOrEqualToQuantity": count}
    amount = (asked.get("subtotal") or {}).get("greaterThanOrEqualToSubtotal")
    if amount is None:
        return None
    money = {"amount": amount, "currencyCode": shop.currency}
    return {"__typename": "DiscountMinimumSubtotal", "greaterThanOrEqualToSubtotal": money}
