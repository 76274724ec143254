"""Amounts in WooCommerce's orders, with the taxes that the buyer paid.

WooCommerce writes amounts without tax and the tax beside them, whether or not the shop's prices
include it; only an order's `total` includes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import unescape

from app.base import money
from app.platforms.events import CodeDiscount, Item
from app.platforms.fields import LIST_LIMIT, Fields


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A line of an order, and what it costs before discounts in major units; None: unknown."""

    fields: Fields
    price: Decimal | None


def taxed(of: Fields, name: str, tax: str) -> Decimal | None:
    """An amount with its tax, in major units; an absent tax is none."""
    net = of.signed_decimal(name)
    return None if net is None else net + (of.signed_decimal(tax) or 0)


def in_minor(amount: Decimal | None, currency: str) -> int | None:
    """An amount in minor units, rounded half up; None where it is negative or cannot be booked."""
    if amount is None or amount < 0:
        return None
    try:
        return money.rounded(amount, currency)
    except money.MoneyError:
        return None


def priced_lines(order: Fields) -> list[PricedLine]:
    """The lines of an order as they were sold, whatever was refunded since."""
    return [PricedLine(line, taxed(line, "subtotal", "subtotal_tax")) for line in order.objects("line_items")]


def goods(lines: Sequence[PricedLine], currency: str) -> int | None:
    """What the goods cost before discounts, in minor units; None where a line is not known."""
    prices = [line.price for line in lines if line.price is not None]
    if not lines or len(prices) < len(lines) or len(lines) == LIST_LIMIT:
        return None
    return in_minor(sum(prices, Decimal(0)), currency)


def items(lines: Sequence[PricedLine], currency: str) -> tuple[Item, ...]:
    """The lines as items, priced by the piece before discounts."""
    return tuple(_item(line, currency) for line in lines)


def _item(line: PricedLine, currency: str) -> Item:
    quantity, price = line.fields.quantity("quantity"), in_minor(line.price, currency)
    pieces = Decimal(str(quantity or 0))
    return Item(
        title=unescape(line.fields.text("name") or ""),
        quantity=quantity,
        sku=line.fields.text("sku", limit=100),
        unit_price=None if price is None or not pieces else money.round_half_up(price / pieces),
    )


def codes_and_discounts(order: Fields, currency: str) -> tuple[tuple[str, ...], tuple[CodeDiscount, ...]]:
    """The codes of the order, in lower case as WooCommerce has them, and what each took off.

    That is its discount and the tax that it saved. A coupon's own amount is taken off prices as the
    shop enters them, so where these are without tax its discount alone is gone of it.
    """
    codes, discounts = [], []
    has_tax_in_prices = order.values.get("prices_include_tax") is not False
    for line in order.objects("coupon_lines"):
        code = line.text("code", limit=100)
        if code is not None:
            codes.append(code)
            amount = in_minor(taxed(line, "discount", "discount_tax"), currency)
            net = None if has_tax_in_prices else in_minor(line.signed_decimal("discount"), currency)
            if amount is not None:
                discounts.append(CodeDiscount(code, amount, None if net == amount else net))
    return tuple(codes), tuple(discounts)
