"""An order's state is a fold of its facts: their order, duplicates and lateness cannot matter."""

from enum import StrEnum


class FactKind(StrEnum):
    """What can be reported about an order besides that it was paid."""

    fulfilled = "fulfilled"
    delivered = "delivered"
    cancelled = "cancelled"
    refunded = "refunded"


class OrderStatus(StrEnum):
    """How far an order has come; the last one that applies."""

    paid = "paid"
    fulfilled = "fulfilled"
    delivered = "delivered"
    refunded = "refunded"
    cancelled = "cancelled"


def remaining_total(total: int, refunded: int, *, cancelled: bool) -> int:
    """What is left of an order in minor units: its total less all refunds, never below 0, and 0 when cancelled."""
    return 0 if cancelled else max(0, total - refunded)


def order_status(*, fulfilled: bool, delivered: bool, cancelled: bool, total: int, refunded: int) -> OrderStatus:
    """The status people see. `refunded` means wholly: a partial refund leaves the order where it was."""
    if cancelled:
        return OrderStatus.cancelled
    if refunded > 0 and remaining_total(total, refunded, cancelled=False) == 0:
        return OrderStatus.refunded
    if delivered:
        return OrderStatus.delivered
    return OrderStatus.fulfilled if fulfilled else OrderStatus.paid
