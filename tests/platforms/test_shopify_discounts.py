"""A discount as Shopify wants it, and what is noticed of one that somebody has changed."""

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from app.brands.programme import DiscountKind
from app.platforms.discounts import Discount
from app.platforms.shopify.discount_shape import differences, discount_input, is_stopped

PERCENT = Discount(
    terms_id=UUID(int=0xABC),
    title="Tenfold: 12.5% for friends",
    kind=DiscountKind.percent,
    value=Decimal("12.50"),
    currency="EUR",
    minimum_subtotal=Decimal("25.00"),
    max_uses=5,
    one_per_friend=True,
    combines_with=frozenset({"shipping"}),
)
AMOUNT = replace(
    PERCENT,
    kind=DiscountKind.amount,
    value=Decimal("150.50"),
    minimum_subtotal=None,
    one_per_friend=False,
    combines_with=frozenset({"order", "product"}),
)
COMBINES = {"orderDiscounts": False, "productDiscounts": False, "shippingDiscounts": True}
SHOWN: dict[str, Any] = {
    "status": "ACTIVE",
    "usageLimit": 5,
    "appliesOncePerCustomer": True,
    "combinesWith": COMBINES,
    "minimumRequirement": {"greaterThanOrEqualToSubtotal": {"amount": "25.0", "currencyCode": "EUR"}},
    "customerGets": {"value": {"percentage": 0.125}},
}
"""What the shop shows of `PERCENT`."""


def minimum_of(subtotal: str | None) -> dict[str, Any]:
    return {
        "subtotal": {"greaterThanOrEqualToSubtotal": subtotal},
        "quantity": {"greaterThanOrEqualToQuantity": None},
    }


def test_a_discount_is_given_with_all_its_terms_and_no_end():
    assert discount_input(PERCENT) == {
        "title": "Tenfold: 12.5% for friends",
        "endsAt": None,
        "usageLimit": 5,
        "appliesOncePerCustomer": True,
        "minimumRequirement": minimum_of("25.00"),
        "combinesWith": COMBINES,
        "customerGets": {"items": {"all": True}, "value": {"percentage": 0.125}},
        "context": {"all": "ALL"},
        "tags": ["tenfold", f"tenfold-{PERCENT.terms_id.hex}"],
    }
    amount = {"discountAmount": {"amount": "150.50", "appliesOnEachItem": False}}
    given = discount_input(AMOUNT)
    assert (given["minimumRequirement"], given["appliesOncePerCustomer"]) == (minimum_of(None), False)
    assert given["customerGets"] == {"items": {"all": True}, "value": amount}
    assert given["combinesWith"] == {
        "orderDiscounts": True,
        "productDiscounts": True,
        "shippingDiscounts": False,
    }


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, ()),
        ({"usageLimit": None}, ("the limit of uses",)),
        ({"appliesOncePerCustomer": False}, ("once per customer",)),
        ({"combinesWith": COMBINES | {"orderDiscounts": True}}, ("what it combines with",)),
        ({"minimumRequirement": None}, ("the minimum",)),
        ({"minimumRequirement": {"greaterThanOrEqualToQuantity": "2"}}, ("the minimum",)),
        ({"minimumRequirement": {"greaterThanOrEqualToSubtotal": {"amount": "25.01"}}}, ("the minimum",)),
        ({"minimumRequirement": {"greaterThanOrEqualToSubtotal": {"amount": "much"}}}, ("the minimum",)),
        ({"customerGets": {"value": {"percentage": 0.1250000001}}}, ()),
        ({"customerGets": {"value": {"percentage": 0.12501}}}, ("the discount",)),
        ({"customerGets": {"value": {"percentage": None}}}, ("the discount",)),
        ({"customerGets": {"value": {"amount": {"amount": "12.5"}}}}, ("the discount",)),
        ({"customerGets": {"value": None}}, ("the discount",)),
        ({"customerGets": None}, ("the discount",)),
    ],
)
def test_whatever_somebody_changed_of_a_percentage_is_named(changes: dict[str, Any], found: tuple[str, ...]):
    assert differences(PERCENT, SHOWN | changes, subscriptions=False) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"amount": {"amount": "150.5"}}, ()),
        ({"amount": {"amount": "150.51"}}, ("the discount",)),
        ({"amount": "150.5"}, ("the discount",)),
        ({"percentage": 0.1}, ("the discount",)),
    ],
)
def test_whatever_somebody_changed_of_an_amount_is_named(value: dict[str, Any], found: tuple[str, ...]):
    shown = SHOWN | {
        "appliesOncePerCustomer": False,
        "combinesWith": {"orderDiscounts": True, "productDiscounts": True, "shippingDiscounts": False},
        "minimumRequirement": None,
        "customerGets": {"value": value},
    }
    assert differences(AMOUNT, shown, subscriptions=False) == found


def test_where_subscriptions_are_sold_a_discount_must_be_for_them_too():
    too = SHOWN | {"customerGets": SHOWN["customerGets"] | {"appliesOnSubscription": True}}
    assert [
        bool(differences(PERCENT, shown, subscriptions=sold))
        for shown in (SHOWN, too)
        for sold in (True, False)
    ] == [True, False, False, False]


@pytest.mark.parametrize(("status", "stopped"), [("ACTIVE", False), ("SCHEDULED", False), ("EXPIRED", True)])
def test_a_discount_that_somebody_ended_is_stopped(status: str, *, stopped: bool):
    assert is_stopped({"status": status}) is stopped
