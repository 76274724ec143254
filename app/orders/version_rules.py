"""Versions of an order, and what they add up to, whatever order they come in. Pure.

A shop reports an order again when it changes. Of each field the newest version that states it
counts, so what one version leaves out is taken from an older one.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from app.base.frozen import quick
from app.base.replace import replaced

DEFAULTED = ("number", "subtotal", "discount_total", "shipping_total", "relayed", "placed_at", "paid_at")
"""Fields that a row has a value of even where no version states them."""
TRUE_ALONE = "ordered_before"
"""A field that a version states where it is true, and no later one takes back."""
FIELDS = (
    *DEFAULTED,
    "customer_id",
    "buyer_key",
    "currency",
    "total",
    "refunded_wholly",
    "discount_codes",
    "discount_amounts",
    "referral",
    "source",
    "tags",
    "items",
    "country",
    "address_key",
    "payment_key",
    "confirmation_key",
    TRUE_ALONE,
    "test",
    "stood_at",
)
"""Everything that a version may state, named as the columns of an order."""
COLUMNS = (*FIELDS, "version_at", "stated_at")
"""The columns of what is stated of an order."""
values_of = itemgetter(*COLUMNS)
"""A row's values of these columns, in their order."""


class Statement(NamedTuple):
    """The value of one field, and when it was stated."""

    at: datetime
    value: object


@quick
@dataclass(frozen=True, slots=True)
class OrderVersion:
    """What is stated of an order; `at` is the time of its newest version.

    `reported_at` stands for the time it was placed while no version states that.
    """

    at: datetime
    reported_at: datetime
    values: Mapping[str, object]
    """By field, what was stated. Every order passes through here, so no object is made of each."""
    times: Mapping[str, datetime]
    """When a value was stated, where not at `at`; of a value that was emptied since, always."""

    def statement(self, name: str) -> Statement | None:
        """What is stated of a field; None for nothing."""
        return Statement(self.times.get(name, self.at), self.values[name]) if name in self.values else None


def version_of(at: datetime, reported_at: datetime, values: Mapping[str, object]) -> OrderVersion:
    """A version that states these values; what is None or empty it does not state."""
    # As `_is_empty`: a call less for each of two dozen fields of every order.
    stated = {
        name: value
        for name, value in values.items()
        if value or not (value is None or isinstance(value, _CONTAINERS))
    }
    return OrderVersion(at, reported_at, stated, {})


def merged(versions: Iterable[OrderVersion]) -> OrderVersion:
    """What several versions of one order add up to. Raises `TypeError` without any."""
    return reduce(_merge, versions)


def _merge(one: OrderVersion, other: OrderVersion) -> OrderVersion:
    at = max(one.at, other.at)
    if one.at == other.at and one.values == other.values and one.times == other.times:
        # A version that is reported again, as most of what is imported twice.
        return OrderVersion(at, min(one.reported_at, other.reported_at), one.values, one.times)
    values: dict[str, object] = {}
    times: dict[str, datetime] = {}
    for name in one.values.keys() | other.values.keys():
        stated_at, value = _newer(name, one.statement(name), other.statement(name))
        values[name] = value
        if stated_at != at or _is_empty(value):
            times[name] = stated_at
    return OrderVersion(at, min(one.reported_at, other.reported_at), values, times)


def _newer(name: str, one: Statement | None, other: Statement | None) -> Statement:
    if one is None or other is None:
        return one or other or _unstated(name)
    if name == "paid_at":
        # An order is paid once; of later reports only some state the time, and that of the report.
        return min(one, other, key=lambda each: (each.value, each.at))
    if name == "stood_at":
        # The last time that the shop said so; a later report may only know of an earlier time.
        return max(one, other, key=lambda each: (each.value, each.at))
    if one == other:
        return one
    # Two that are stated at one time differ by their content alone.
    return max(one, other, key=lambda each: (each.at, _canonical(each.value)))


def _unstated(name: str) -> Statement:
    raise ValueError(f"neither version states {name}")


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


_NOTHING: Mapping[str, None] = dict.fromkeys(FIELDS)


def to_row(version: OrderVersion, external_id: str) -> dict[str, Any]:
    """The columns of the order, its `version_at` and its `stated_at`."""
    row: dict[str, Any] = {**_NOTHING, **version.values}
    for name in ("discount_codes", "tags", "items"):
        row[name] = row[name] or []
    row["number"] = row["number"] or external_id
    row["subtotal"] = row["total"] if row["subtotal"] is None else row["subtotal"]
    row["discount_total"], row["shipping_total"] = row["discount_total"] or 0, row["shipping_total"] or 0
    row["placed_at"] = row["placed_at"] or version.reported_at
    row["paid_at"] = row["paid_at"] or row["placed_at"]
    for name in ("test", "refunded_wholly", "relayed", TRUE_ALONE):
        row[name] = bool(row[name])
    row["version_at"], row["stated_at"] = version.at, _stated_at(version) or None
    return row


def _stated_at(version: OrderVersion) -> dict[str, str | None]:
    """Of the fields whose row does not show it: when they were stated, None for a default."""
    found: dict[str, str | None] = {name: None for name in DEFAULTED if name not in version.values}
    for name, at in version.times.items():
        found[name] = at.isoformat()
    return found


@quick
@dataclass(frozen=True, slots=True)
class StatedOrder:
    """What is stated of an order, by its external id."""

    external_id: str
    version: OrderVersion
    row: Mapping[str, Any]
    """The version by `to_row`."""

    def of_customer(self, customer_id: UUID | None) -> "StatedOrder":
        """The order as that of this customer; unchanged for none."""
        if customer_id is None:
            return self
        values = {**self.version.values, "customer_id": customer_id}
        row = {**self.row, "customer_id": customer_id}
        return StatedOrder(self.external_id, replaced(self.version, values=values), row)


def stated(external_id: str, version: OrderVersion) -> StatedOrder:
    """The order that a version is of."""
    return StatedOrder(external_id, version, to_row(version, external_id))


def from_row(row: Mapping[str, Any]) -> OrderVersion:
    """The version that `to_row` made these columns of."""
    at, stated_at = row["version_at"], row["stated_at"] or {}
    values: dict[str, object] = {}
    times: dict[str, datetime] = {}
    for name in FIELDS:
        value = row[name]
        if name in stated_at:
            if stated_at[name] is not None:
                values[name], times[name] = value, datetime.fromisoformat(stated_at[name])
        elif value or not (_is_empty(value) or name == TRUE_ALONE):
            values[name] = value
    return OrderVersion(at, row["placed_at"], values, times)


def _is_empty(value: object) -> bool:
    return value is None or (not value and isinstance(value, _CONTAINERS))


_CONTAINERS = (list, tuple, dict, str)
