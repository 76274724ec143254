"""Refunds in Shopify's bodies: what went back, in the shop's currency.

A transaction is in the buyer's currency. What was returned is priced in both: lines, adjustments
(shipping among them) and duties.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from app.base.frozen import quick
from app.platforms.events import OrderRefunded
from app.platforms.fields import Fields

_SMALLEST = Decimal("0.0001")
_NOTHING = Decimal(0)


@quick
@dataclass(frozen=True, slots=True)
class ShopMoney:
    """What an order shows of its currencies; None and False where there is only a refund."""

    currency: str | None = None
    rate: Decimal | None = None
    """The shop's money for one of the buyer's."""
    taxes_included: bool = False

    @classmethod
    def of_order(cls, body: Fields) -> "ShopMoney":
        """Read it from an order."""
        prices = body.object_or_empty("total_price_set")
        shop = prices.object_or_empty("shop_money").decimal_or_none("amount")
        buyer = prices.object_or_empty("presentment_money").decimal_or_none("amount")
        rate = shop / buyer if shop and buyer else None
        return cls(body.text("currency"), rate, body.values.get("taxes_included") is True)


@quick
@dataclass(frozen=True, slots=True)
class MoneyBack:
    """What a refund paid back, and what of it for shipping: major units of the shop's currency."""

    amount: Decimal
    shipping: Decimal
    converted: bool
    """Whether it went back in another currency."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of what was returned: the shop's price, and the buyer's where it is known."""

    shop: Decimal
    buyer: Decimal | None
    tax: bool = False
    shipping: bool = False


def read_refund(
    refund: Fields, order_id: str, received_at: datetime, order: ShopMoney | None = None
) -> list[OrderRefunded]:
    """The refund, or none where goods were returned and no money.

    Raises `Unparseable` where the amount in the shop's currency cannot be known; within a lenient
    order such a refund is left out, and its own delivery has the reason.
    """
    back = money_back(refund, order or ShopMoney())
    refund_id = refund.id_or_none("id")
    if back is None or not back.amount or (refund_id is None and refund.lenient):
        return []
    known = refund.informational
    at = known.moment("processed_at") or known.moment("created_at") or received_at
    return [OrderRefunded(order_id, refund.id("id"), back.amount, at, back.shipping)]


def has_money(refund: Fields) -> bool:
    """Whether money goes back with it, or only goods."""
    return bool(_transactions(refund, pending=True))


def money_back(refund: Fields, order: ShopMoney, *, pending: bool = False) -> MoneyBack | None:
    """What went back, with `pending` also what is on its way.

    None in a lenient object where the amount in the shop's currency cannot be known; else that
    raises `Unparseable`.
    """
    transactions = _transactions(refund, pending=pending)
    if not transactions:
        return MoneyBack(_NOTHING, _NOTHING, converted=False)
    known = refund.informational
    parts = list(_parts(known))
    shipping = max(_NOTHING, sum((part.shop for part in parts if part.shipping), _NOTHING))
    currency = order.currency or _shop_currency(known)
    foreign = [each for each in transactions if currency and each.text("currency") not in (None, currency)]
    amounts = [each.decimal_or_none("amount") or _NOTHING for each in transactions if each not in foreign]
    amount: Decimal | None = sum(amounts, _NOTHING)
    if foreign:
        converted = _converted(sum((each.decimal("amount") for each in foreign), _NOTHING), parts, order)
        amount = None if converted is None else sum(amounts, converted)
    if amount is None:
        if refund.lenient:
            return None
        raise refund.wrong(
            "transactions",
            "are in another currency than the shop's, and nothing that was returned shows how much that is",
        )
    return MoneyBack(amount, min(shipping, amount), converted=bool(foreign))


def _transactions(refund: Fields, *, pending: bool) -> list[Fields]:
    states = ("success", "pending") if pending else ("success",)
    return [
        part
        for part in refund.objects("transactions")
        if part.text("kind") == "refund" and part.text("status") in states
    ]


def _converted(paid: Decimal, parts: Sequence[_Part], order: ShopMoney) -> Decimal | None:
    """Money of the buyer in the shop's currency, by the prices of what was returned.

    Where nothing shows those, by the order's rate; None without one.
    """
    untaxed = [part for part in parts if not part.tax]
    shop = sum((part.shop for part in untaxed), _NOTHING)
    buyer = [part.buyer for part in untaxed]
    if shop > 0 and None not in buyer and (theirs := sum(filter(None, buyer), _NOTHING)) > 0:
        return (paid * shop / theirs).quantize(_SMALLEST)
    taxes = _NOTHING if order.taxes_included else sum((part.shop for part in parts if part.tax), _NOTHING)
    if shop + taxes > 0:
        return shop + taxes
    return (paid * order.rate).quantize(_SMALLEST) if order.rate else None


def _parts(refund: Fields) -> Iterator[_Part]:
    """Everything that was returned. Adjustments are written below zero where money went back."""
    for line in refund.objects("refund_line_items"):
        yield from _part(line, "subtotal")
        yield from _part(line, "total_tax", tax=True)
    has_shipping = False
    for adjustment in refund.objects("order_adjustments"):
        shipping = adjustment.text("kind") == "shipping_refund"
        has_shipping |= shipping
        yield from _part(adjustment, "amount", sign=-1, shipping=shipping)
        yield from _part(adjustment, "tax_amount", sign=-1, tax=True, shipping=shipping)
    if not has_shipping:
        for line in refund.objects("refund_shipping_lines"):
            yield from _part(line, "subtotal_amount", shipping=True)
    yield from _part(refund, "total_duties")


def _part(
    holder: Fields, name: str, *, sign: int = 1, tax: bool = False, shipping: bool = False
) -> Iterator[_Part]:
    prices = holder.object_or_empty(f"{name}_set")
    shop = prices.object_or_empty("shop_money").signed_decimal("amount")
    if shop is None:
        shop = holder.signed_decimal(name)
    if not shop:
        return
    buyer = prices.object_or_empty("presentment_money").signed_decimal("amount")
    yield _Part(sign * shop, None if buyer is None else sign * buyer, tax, shipping)


def _shop_currency(refund: Fields) -> str | None:
    """The currency of the shop's prices in a refund."""
    holders = [
        (refund, "total_duties_set"),
        *((line, "subtotal_set") for line in refund.objects("refund_line_items")),
        *((line, "amount_set") for line in refund.objects("order_adjustments")),
    ]
    found = (
        holder.object_or_empty(name).object_or_empty("shop_money").text("currency_code")
        for holder, name in holders
    )
    return next(filter(None, found), None)
