"""What an order is worth after it was edited, in Shopify's bodies.

`total_price` includes what was removed; `current_total_price` has lost what was removed and what
was refunded. What an order is worth before refunds is therefore the current total and all money
that went back, and no more than all its lines.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.base import money
from app.base.frozen import quick
from app.platforms.fields import LIST_LIMIT, Fields
from app.platforms.shopify.refunds import ShopMoney, has_money, money_back


@quick
@dataclass(frozen=True, slots=True)
class KeptLine:
    """A line of an order and how much of it was not removed; None where that is unknown."""

    fields: Fields
    quantity: float | None


def present_total(body: Fields, currency: str) -> int:
    """What the order is worth before refunds, in minor units. Raises `Unparseable`."""
    placed = body.amount("total_price", currency)
    known = body.informational
    current = known.amount_or_none("current_total_price", currency)
    if current is None or known.moment("cancelled_at") is not None:
        return placed
    refunds = known.objects("refunds")
    if current == placed and not refunds:
        return placed
    shop = ShopMoney.of_order(known)
    back = [money_back(refund, shop, pending=True) for refund in refunds]
    total = current + money.parse_rounded(sum((each.amount for each in back if each), Decimal(0)), currency)
    most = placed + _added(known, currency)
    if current <= most:
        total = min(total, most)
    # A refund in the buyer's currency is converted, which may be off by a cent.
    is_near = any(each is not None and each.converted for each in back) and abs(total - placed) <= len(back)
    return placed if is_near or total == 0 else total


def _added(body: Fields, currency: str) -> int:
    """The lines that `total_price` lacks, where the order's totals were not raised with them."""
    stated = body.amount_or_none("total_line_items_price", currency)
    lines = _worth([KeptLine(line, _quantity(line)) for line in body.objects("line_items")], currency)
    return 0 if stated is None or lines is None else max(0, lines - stated)


def _worth(lines: Sequence[KeptLine], currency: str) -> int | None:
    """What these lines cost in minor units; None where that is not known of all."""
    prices = [(line.fields.signed_amount("price", currency), line.quantity) for line in lines]
    if not prices or len(prices) == LIST_LIMIT:
        return None
    worth = Decimal(0)
    for price, quantity in prices:
        if price is None or quantity is None:
            return None
        worth += price * Decimal(str(quantity))
    return money.round_half_up(worth)


def _quantity(line: Fields) -> float | None:
    return 1 if line.values.get("quantity") is None else line.quantity("quantity")


def placed_subtotal(body: Fields, currency: str, total: int, lines: Sequence[KeptLine]) -> int | None:
    """The goods before discounts, without what was removed from the order, in minor units."""
    given = body.amount_or_none("total_line_items_price", currency)
    if given is None:
        given = body.amount_or_none("subtotal_price", currency)
    placed = body.amount_or_none("total_price", currency)
    if given is None or placed is None or total == placed:
        return given
    worth = _worth(lines, currency)
    return max(0, given + total - placed if worth is None else worth)


def kept_lines(body: Fields) -> list[KeptLine]:
    """The order's lines without what was removed: returned lines whose money came back stay."""
    removed: Counter[str] = Counter()
    for refund in body.objects("refunds"):
        if not has_money(refund):
            for line in refund.objects("refund_line_items"):
                line_id = line.id_or_none("line_item_id")
                removed[line_id or ""] += line.quantity("quantity") or 0  # type: ignore[assignment]  # halves
    kept = []
    for line in body.objects("line_items"):
        quantity = _quantity(line)
        gone = removed.get(line.id_or_none("id") or "-", 0)
        if quantity is None or not gone or quantity > gone:
            kept.append(KeptLine(line, quantity if quantity is None else quantity - gone))
    return kept


def shipping_total(body: Fields, currency: str) -> int | None:
    """What was paid for shipping after its discounts, in minor units."""
    lines = [line for line in body.objects("shipping_lines") if line.values.get("is_removed") is not True]
    prices = [_shipping_price(line, taxed=body.values.get("taxes_included") is not True) for line in lines]
    if prices and None not in prices:
        return money.parse_rounded(sum((price or Decimal(0) for price in prices), Decimal(0)), currency)
    given = body.object_or_empty("total_shipping_price_set").object_or_empty("shop_money")
    return given.amount_or_none("amount", currency)


def _shipping_price(line: Fields, *, taxed: bool) -> Decimal | None:
    price = line.decimal_or_none("discounted_price")
    if price is None:
        price = line.decimal_or_none("price")
    taxes = (tax.decimal_or_none("price") for tax in line.objects("tax_lines")) if taxed else ()
    return None if price is None else price + sum(filter(None, taxes), Decimal(0))
