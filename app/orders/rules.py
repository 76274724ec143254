"""An order's state is a fold of its facts: their order, duplicates and lateness cannot matter."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from app.base.frozen import quick
from app.base.money import MAX_MINOR, exponent, round_half_up
from app.base.text import one_line
from app.orders.facts_rules import (
    ReportedFact,
    cancelled_at,
    dispute_status,
    each_once,
    refunded_amount,
    standing_refunds,
)
from app.orders.parcel_rules import fulfilled_and_delivered
from app.platforms.events import DisputeStatus

_MAX_ID = 255


class OrderStatus(StrEnum):
    """How far an order has come; the last one that applies."""

    paid = "paid"
    fulfilled = "fulfilled"
    delivered = "delivered"
    refunded = "refunded"
    cancelled = "cancelled"


@quick
@dataclass(frozen=True, slots=True)
class OrderMoney:
    """What an order is worth and what went back, in minor units.

    `total` was paid with shipping, which is `shipping_total`; `refunded` went back, of which
    `refunded_shipping` for shipping.
    """

    total: int
    shipping_total: int = 0
    refunded: int = 0
    refunded_shipping: int = 0
    cancelled: bool = False

    @property
    def goods(self) -> int:
        """What was paid for goods."""
        return max(0, self.total - self.shipping_total)

    @property
    def remaining(self) -> int:
        """The goods less all refunds of goods: never below 0, and 0 when cancelled."""
        if self.cancelled:
            return 0
        shipping = min(self.refunded_shipping, self.shipping_total, self.refunded)
        return max(0, self.goods - (self.refunded - shipping))

    @property
    def is_refunded(self) -> bool:
        """Whether nothing is left of the goods by refunds; a free order without refunds is not."""
        if self.refunded <= 0:
            return False
        if self.goods == 0:
            return self.refunded >= self.total
        money = OrderMoney(self.total, self.shipping_total, self.refunded, self.refunded_shipping)
        return money.remaining == 0

    @property
    def is_undone(self) -> bool:
        """Whether nothing is left of the order: cancelled, or refunded wholly."""
        return self.cancelled or self.is_refunded


@quick
@dataclass(frozen=True, slots=True)
class OrderState:
    """The state of an order, as its row stores it.

    `refunded` and `refunded_shipping` are in minor units. `dispute` None: its payment was never
    disputed.
    """

    fulfilled_at: datetime | None = None
    delivered_at: datetime | None = None
    cancelled_at: datetime | None = None
    refunded: int = 0
    refunded_shipping: int = 0
    status: OrderStatus = OrderStatus.paid
    dispute: DisputeStatus | None = None


def external_order_id(given: str) -> str:
    """A shop's id of an order or refund as it is stored: one line of at most 255 characters."""
    return one_line(given, limit=_MAX_ID)


def fold(
    facts: Iterable[ReportedFact],
    *,
    total: int,
    currency: str,
    shipping_total: int = 0,
    refunded_wholly: bool = False,
    pieces: Decimal | None = None,
    stood_at: datetime | None = None,
) -> OrderState:
    """The state that the facts of one order add up to.

    Of each kind the earliest time counts, and each refund once; with `refunded_wholly` they are the
    total at least. `pieces` is how many the order has, None where that is unknown; `stood_at` as
    `OrderPaid.stood_at`.
    """
    once = each_once(facts)
    if not once and not refunded_wholly:
        return OrderState()
    fulfilled_at, delivered_at = fulfilled_and_delivered(once, pieces)
    cancelled = cancelled_at(once, stood_at)
    refunds = standing_refunds(once)
    refunded = refund_minor(refunded_amount(refunds), currency)
    if refunded_wholly:
        refunded = max(refunded, total)
    shipping = refund_minor(sum((fact.shipping or Decimal(0) for fact in refunds), Decimal(0)), currency)
    money = OrderMoney(total, shipping_total, refunded, min(shipping, refunded))
    return OrderState(
        fulfilled_at,
        delivered_at,
        cancelled,
        refunded,
        money.refunded_shipping,
        order_status(
            money,
            fulfilled=fulfilled_at is not None,
            delivered=delivered_at is not None,
            cancelled=cancelled is not None,
        ),
        dispute_status(once, stood_at),
    )


def refund_minor(amount: Decimal, currency: str) -> int:
    """Refunds in minor units of their order's currency: never negative, at most `MAX_MINOR`.

    Decimals beyond the currency's are rounded half up, as the order's are.
    """
    return max(0, min(round_half_up(amount.scaleb(exponent(currency))), MAX_MINOR))


def order_status(money: OrderMoney, *, fulfilled: bool, delivered: bool, cancelled: bool) -> OrderStatus:
    """The status that is shown. `refunded` means in full: a partial refund changes no status."""
    if cancelled:
        return OrderStatus.cancelled
    if money.is_refunded:
        return OrderStatus.refunded
    if delivered:
        return OrderStatus.delivered
    return OrderStatus.fulfilled if fulfilled else OrderStatus.paid


_UNIT = re.compile(
    r"\b(?:apt|apartment|apto|app|appt|unit|flat|suite|ste|room|rm|floor|fl|wohnung|whg|etage|og|stock|top"
    r"|tur|lgh|piso|planta|puerta|pta|depto|dpto|interno|int|scala|batiment|bat|esc|lok)\b\.?\s*\w"
    r"|#\s*\w|\d\s*/\s*\w|\d\.?\s*(?:og|etage|stock|floor|piso)\b"
)
"""A dwelling within a building, in a street line that is folded."""
_WORD, _LETTER, _BETWEEN_WORDS = re.compile(r"\w"), re.compile(r"[^\W\d_]"), re.compile(r"[\W_]+")


def comparable_address(parts: Sequence[str]) -> str | None:
    """A shipping address on one line in comparable form, or None where it names no dwelling.

    `parts` are first and second line, postal code, city and country. Case, accents, punctuation and
    spaces are dropped. A whole building is shared by many people, so an address needs a number and
    a second line, or a unit in the first one.
    """
    street, extra = (*map(_folded, parts[:2]), "", "")[:2]
    names_a_dwelling = _WORD.search(extra) or _UNIT.search(street)
    if not names_a_dwelling:
        return None
    has_number = any(letter.isdigit() for letter in street + extra)
    if not (has_number and _LETTER.search(street + extra)):
        return None
    plain = [_BETWEEN_WORDS.sub("", _folded(part)) for part in parts]
    return "|".join(part for part in plain if part)


def _folded(text: str) -> str:
    """Case folded, without accents."""
    if text.isascii():
        return text.casefold()
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))
