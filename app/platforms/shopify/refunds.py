"""Refunds in Shopify's bodies."""

from datetime import datetime
from decimal import Decimal

from app.platforms.events import OrderRefunded
from app.platforms.fields import Fields


def read_refund(refund: Fields, order_id: str, received_at: datetime) -> list[OrderRefunded]:
    """The refund, or none where goods were returned and no money. Raises `Unparseable`."""
    amount = _refunded_amount(refund)
    if not amount:
        return []
    at = refund.moment("processed_at") or refund.moment("created_at") or received_at
    return [OrderRefunded(order_id, refund.id("id"), amount, at)]


def _refunded_amount(refund: Fields) -> Decimal:
    """The amount in the shop's currency, in major units.

    Money refunded in the buyer's own currency is counted by the goods that were returned, since
    those are priced in both.
    """
    transactions = [
        part
        for part in refund.objects("transactions")
        if (part.text("kind"), part.text("status")) == ("refund", "success")
    ]
    currency = _shop_currency(refund)
    if currency is None or all(part.text("currency") in (None, currency) for part in transactions):
        return sum((part.decimal("amount") for part in transactions), Decimal(0))
    amount = _returned_goods(refund)
    if not amount:
        raise refund.wrong(
            "transactions",
            "are in another currency than the shop's, and no returned goods show how much that is",
        )
    return amount


def _shop_currency(refund: Fields) -> str | None:
    return refund.object_or_empty("total_duties_set").object_or_empty("shop_money").text("currency_code")


def _returned_goods(refund: Fields) -> Decimal:
    """What the returned goods cost with taxes, in the shop's currency."""
    prices = [
        line.object_or_empty(name).object_("shop_money")
        for line in refund.objects("refund_line_items")
        for name in ("subtotal_set", "total_tax_set")
    ]
    return sum((price.decimal("amount") for price in prices if price), Decimal(0))
