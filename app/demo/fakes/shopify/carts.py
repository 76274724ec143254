"""Codes in carts: which of them apply, and what they take off."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from app.demo.fakes.shopify.state import FakeCode, FakeDiscount, FakeShop, is_used_up

_CENT = Decimal("0.01")


class CartRefusal(Exception):
    """Why a code does not apply to a cart, as its customer reads it."""


@dataclass(frozen=True, slots=True)
class AppliedCode:
    """A code in a cart, and what it takes off."""

    discount: FakeDiscount
    code: FakeCode
    amount: Decimal
    is_percentage: bool


def apply_code(
    shop: FakeShop, code: str, *, customer_id: int, goods: Decimal, others: int = 0
) -> AppliedCode:
    """What the code takes off a cart of these goods. Raises `CartRefusal` where it does not apply.

    `others` is how many other codes are in the cart. Each of ours is a discount on the order, so
    two of them need each other's leave.
    """
    found = shop.find_code(code)
    if found is None or found[0].has_ended:
        raise CartRefusal("Enter a valid discount code")
    discount, kept = found
    given = discount.given
    if is_used_up(discount, kept):
        raise CartRefusal("Discount code usage limit has been reached")
    if given.get("appliesOncePerCustomer") and customer_id in kept.used_by:
        raise CartRefusal("You have already used this discount code")
    owners = ((given["context"].get("customers") or {}).get("add")) or []
    if owners and f"gid://shopify/Customer/{customer_id}" not in owners:
        raise CartRefusal("This discount code isn’t available to you")
    minimum = (given.get("minimumRequirement") or {}).get("subtotal") or {}
    if goods < Decimal(str(minimum.get("greaterThanOrEqualToSubtotal") or 0)):
        raise CartRefusal("The minimum purchase for this discount code has not been reached")
    if others and not (given.get("combinesWith") or {}).get("orderDiscounts"):
        raise CartRefusal("This discount code can’t be combined with others")
    value = given["customerGets"]["value"]
    percentage = value.get("percentage")
    if percentage is None:
        amount = Decimal(str(value["discountAmount"]["amount"]))
    else:
        amount = (goods * Decimal(str(percentage))).quantize(_CENT, ROUND_HALF_UP)
    return AppliedCode(discount, kept, min(amount, goods), percentage is not None)
