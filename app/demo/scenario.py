"""A scenario: a shop's deliveries, its customers' responses, and the phases of the report. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

from app.brands.programme import Programme

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """One webhook delivery of the checkout platform, sent at the time `at`.

    `code_choice` in [0, 1) marks a friend's order: it picks one of the codes active by then.
    `reward_choice` in [0, 1) marks the order of a referrer who spends a reward: it picks one that
    is unspent by then, or credit, and its owner is the buyer; where there is none it is an order
    like others.
    """

    at: datetime
    delivery_id: str
    topic: str
    data: Mapping[str, Any]
    code_choice: float | None = None
    reward_choice: float | None = None


@dataclass(frozen=True, slots=True)
class PlannedResponse:
    """The response of an order's customer, if a survey is sent.

    It is given at the earliest at a fixed time, and `after` the survey was sent.
    """

    score: int
    comment: str
    not_before: datetime | None = None
    after: timedelta = timedelta(0)

    def due(self, sent_at: datetime) -> datetime:
        """When a survey sent at this time gets its response."""
        soonest = sent_at + self.after
        return max(soonest, self.not_before) if self.not_before else soonest


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the scenario, reported in one line when its time is over."""

    title: str
    until: datetime


@dataclass(frozen=True)
class ShopSetup:
    """The brand and shop of a scenario."""

    name: str
    postal_address: str
    currency: str
    time_zone: str
    locale: str
    url: str
    programme: Programme
    has_look: bool = False
    """Whether it is the brand whose images lie in `app/demo/look/`."""


@dataclass(frozen=True)
class Scenario:
    """Everything that happens.

    `deliveries` are sorted by time; `responses` are keyed by the shop's order id.

    The simulated clock stops only at `offset` past a multiple of `grain`, counted from the epoch.
    """

    setup: ShopSetup
    deliveries: Sequence[PlannedDelivery]
    responses: Mapping[str, PlannedResponse]
    phases: Sequence[Phase]
    grain: timedelta
    offset: timedelta = timedelta(0)
    note: str | None = None
    """What is generated or assumed in it."""

    @property
    def begin(self) -> datetime:
        """One tick before the first delivery."""
        return self.tick(self.deliveries[0].at) - self.grain

    def tick(self, moment: datetime) -> datetime:
        """The first time at or after `moment` at which the simulated clock may stop."""
        epoch = datetime(1970, 1, 1, tzinfo=UTC) + self.offset
        return epoch + -((epoch - moment) // self.grain) * self.grain

    def tick_before(self, moment: datetime) -> datetime:
        """The last time at or before `moment` at which the simulated clock may stop."""
        after = self.tick(moment)
        return after if after == moment else after - self.grain


def order_number(order_id: str) -> int:
    """The number in a generated order's id."""
    return int(order_id.removeprefix("order-"))


def buyer_number(customer: Mapping[str, Any]) -> int:
    """The number of a generated buyer, by the customer object of a delivery."""
    return int(customer["id"].removeprefix("buyer-"))


def shipping_of(order: Mapping[str, Any]) -> Decimal:
    """What an order pays for shipping."""
    return Decimal(order["total"]) + Decimal(order["discount_total"]) - Decimal(order["subtotal"])


def with_code(order: Mapping[str, Any], code: str, *, slug: str | None, percent: Decimal) -> dict[str, Any]:
    """The order of a friend who came by a share link: with the code and the discount in percent."""
    off = (Decimal(order["subtotal"]) * percent / 100).quantize(CENT, ROUND_DOWN)
    return {**_discounted(order, code, off), "referral": slug}


def with_reward(
    order: Mapping[str, Any], code: str, *, amount: Decimal, customer: Mapping[str, Any]
) -> dict[str, Any]:
    """The order of a referrer who spends a reward of this amount by its code."""
    off = min(amount, Decimal(order["subtotal"])).quantize(CENT)
    return {**_discounted(order, code, off), "customer": customer}


def with_credit(order: Mapping[str, Any], *, amount: Decimal, customer: Mapping[str, Any]) -> dict[str, Any]:
    """The order of a referrer who pays with the credit in their account, of which this is there."""
    return {**order, "customer": customer, "store_credit": str(min(amount, Decimal(order["total"])))}


def of_little(order: Mapping[str, Any]) -> dict[str, Any]:
    """The order with one thing in it that costs little."""
    subtotal = sum((Decimal(each["unit_price"]) for each in _LITTLE), Decimal(0))
    total = subtotal + shipping_of(order)
    return {**order, "items": _LITTLE, "subtotal": str(subtotal), "total": str(total)}


_LITTLE: Sequence[Mapping[str, Any]] = (
    {"sku": "HP-20", "title": "Beeswax candle", "quantity": 1, "unit_price": "3.00"},
)


def _discounted(order: Mapping[str, Any], code: str, off: Decimal) -> dict[str, Any]:
    total = Decimal(order["total"]) - off
    return {**order, "discount_codes": [code], "discount_total": str(off), "total": str(total)}
