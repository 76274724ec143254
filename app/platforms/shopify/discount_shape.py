"""A discount as Shopify wants it, and what differs in the one that a shop has."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from app.brands.programme import DiscountKind
from app.platforms.discounts import Discount

STARTS_AT = "2020-01-01T00:00:00Z"
"""Long ago: codes begin to work when they are made."""
TAG = "tenfold"
"""By which people find our discounts in the admin."""


APPLIES = "appliesOnSubscription"
"""The field by which a discount counts for subscriptions too."""


def sells_subscriptions(data: Mapping[str, Any]) -> bool:
    """Whether the shop that a response is of sells subscriptions."""
    features = (data.get("shop") or {}).get("features") or {}
    return features.get("sellsSubscriptions") is True


def tag_of(discount: Discount) -> str:
    """The tag by which a discount is known as ours under these terms."""
    return f"{TAG}-{discount.terms_id.hex}"


def discount_input(discount: Discount) -> dict[str, object]:
    """The `DiscountCodeBasicInput` without a code and a start.

    Shopify counts `usageLimit` for each code of a discount. Codes end by being deleted, since each
    has an end of its own and the discount would have one for all.
    """
    return {
        "title": discount.title,
        "endsAt": None,
        "usageLimit": discount.max_uses,
        "appliesOncePerCustomer": discount.one_per_friend,
        "minimumRequirement": _minimum(discount),
        "combinesWith": _combines(discount),
        "customerGets": {"items": {"all": True}, "value": _value(discount)},
        "context": {"all": "ALL"},
        "tags": [TAG, tag_of(discount)],
    }


def _minimum(discount: Discount) -> dict[str, object]:
    """Written out where there is none: what an update leaves out stays as somebody set it."""
    least = None if discount.minimum_subtotal is None else f"{discount.minimum_subtotal:f}"
    return {
        "subtotal": {"greaterThanOrEqualToSubtotal": least},
        "quantity": {"greaterThanOrEqualToQuantity": None},
    }


def _combines(discount: Discount) -> dict[str, bool]:
    return {f"{each}Discounts": each in discount.combines_with for each in ("order", "product", "shipping")}


def _value(discount: Discount) -> dict[str, object]:
    if discount.kind is DiscountKind.percent:
        return {"percentage": float(discount.value / 100)}
    return {"discountAmount": {"amount": f"{discount.value:f}", "appliesOnEachItem": False}}


def differences(discount: Discount, found: Mapping[str, Any], *, subscriptions: bool) -> tuple[str, ...]:
    """What the shop's discount has other than ours, in words; a stopped one is `is_stopped`.

    `subscriptions` is whether the shop sells such.
    """
    gets = found.get("customerGets")
    applies = isinstance(gets, Mapping) and gets.get(APPLIES) is True
    wanted = {
        "the limit of uses": (found.get("usageLimit"), discount.max_uses),
        "once per customer": (found.get("appliesOncePerCustomer"), discount.one_per_friend),
        "what it combines with": (found.get("combinesWith"), _combines(discount)),
        "the minimum": (_least(found), (discount.minimum_subtotal, None)),
        "the discount": _values(discount, found),
        "that it is for subscriptions too": (applies, applies or subscriptions),
    }
    return tuple(name for name, (there, ours) in wanted.items() if there != ours)


def is_stopped(found: Mapping[str, Any]) -> bool:
    """Whether somebody has ended the discount in the shop's admin."""
    return found.get("status") == "EXPIRED"


def _values(discount: Discount, found: Mapping[str, Any]) -> tuple[Decimal | None, Decimal]:
    gets = found.get("customerGets")
    value = gets.get("value") if isinstance(gets, Mapping) else None
    if not isinstance(value, Mapping):
        return None, discount.value
    if discount.kind is DiscountKind.percent:
        share = _decimal(value.get("percentage"))
        return None if share is None else round(share * 100, 6), round(discount.value, 6)
    amount = value.get("amount")
    return _decimal(amount.get("amount") if isinstance(amount, Mapping) else None), discount.value


def _least(found: Mapping[str, Any]) -> tuple[Decimal | None, object]:
    """The subtotal and the number of items that the shop's discount wants."""
    given = found.get("minimumRequirement")
    if not isinstance(given, Mapping):
        return None, None
    subtotal = given.get("greaterThanOrEqualToSubtotal")
    amount = subtotal.get("amount") if isinstance(subtotal, Mapping) else None
    return _decimal(amount), given.get("greaterThanOrEqualToQuantity")


def _decimal(given: object) -> Decimal | None:
    try:
        return None if given is None else Decimal(str(given))
    except InvalidOperation:
        return None
