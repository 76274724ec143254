"""Pure decisions about codes, redemptions and rewards."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import assert_never
from zoneinfo import ZoneInfo

from app.base import money
from app.brands.programme import DiscountKind, HoldFrom, PartialRefund
from app.brands.rules import Platform
from app.orders.rules import remaining_total


class CodeKind(StrEnum):
    """What a code is for."""

    share = "share"
    """Handed on by a referrer, for several friends."""
    friend = "friend"
    """For one friend, made from the share link; its parent is the share code."""
    reward = "reward"
    """The referrer's own, which a reward is paid with."""


class PublicationState(StrEnum):
    """Whether a shop knows a code. A code works in a shop where it is `live`."""

    wanted = "wanted"
    sending = "sending"
    live = "live"
    revoked = "revoked"
    failed = "failed"


class CodeStatus(StrEnum):
    """Whether a code can be used at a moment; computed, not stored."""

    active = "active"
    expired = "expired"
    disabled = "disabled"
    exhausted = "exhausted"


class RedemptionStatus(StrEnum):
    """The state of a friend's use of a code."""

    pending = "pending"
    in_review = "in_review"
    approved = "approved"
    rejected = "rejected"
    reversed = "reversed"
    refused = "refused"


class RefusalReason(StrEnum):
    """Why a code does not count for an order; shown to people."""

    unknown_code = "unknown_code"
    expired = "expired"
    disabled = "disabled"
    exhausted = "exhausted"
    own_order = "own_order"
    existing_customer = "existing_customer"
    already_used_by_friend = "already_used_by_friend"
    minimum_not_met = "minimum_not_met"
    budget_spent = "budget_spent"
    cap_reached = "cap_reached"
    currency_mismatch = "currency_mismatch"
    not_active = "not_active"
    suspected_fraud = "suspected_fraud"


class RewardStatus(StrEnum):
    """The state of a referrer's reward."""

    pending = "pending"
    """Its redemption is in the holding period or in review."""
    granted = "granted"
    used = "used"
    expired = "expired"
    reversed = "reversed"
    """Granted, and taken back wholly."""
    cancelled = "cancelled"
    """Never granted: its redemption was reversed or rejected before."""


COUNTED = (RedemptionStatus.pending, RedemptionStatus.in_review, RedemptionStatus.approved)
"""Redemptions that are rewarded or may yet be: they count against a referrer's cap and the
budget."""
EARNED = (RewardStatus.granted, RewardStatus.used)
"""Rewards that a referrer has."""
_TRANSITIONS: dict[RedemptionStatus, frozenset[RedemptionStatus]] = {
    RedemptionStatus.pending: frozenset(
        {RedemptionStatus.approved, RedemptionStatus.rejected, RedemptionStatus.reversed}
    ),
    RedemptionStatus.in_review: frozenset(
        {RedemptionStatus.approved, RedemptionStatus.rejected, RedemptionStatus.reversed}
    ),
    RedemptionStatus.approved: frozenset({RedemptionStatus.reversed}),
    RedemptionStatus.rejected: frozenset({RedemptionStatus.approved}),
}
_PUBLISHED_BY_THEMSELVES = frozenset({Platform.checkout, Platform.shopify})
"""Platforms that ask us about a code, or report it with the order: nothing has to be published
there."""


def may_become(status: RedemptionStatus, wanted: RedemptionStatus) -> bool:
    """Whether a redemption may go from one status to another.

    `refused` and `reversed` are final.
    """
    return wanted in _TRANSITIONS.get(status, frozenset())


def first_publication_state(platform: Platform) -> PublicationState:
    """The first state of a new code's publication: `live` where nothing has to be published."""
    return PublicationState.live if platform in _PUBLISHED_BY_THEMSELVES else PublicationState.wanted


def code_status(
    *, disabled: bool, expires_at: datetime, uses: int, max_uses: int, now: datetime
) -> CodeStatus:
    """Whether a code can be used at `now`; it cannot at the very moment it expires."""
    if disabled:
        return CodeStatus.disabled
    if expires_at <= now:
        return CodeStatus.expired
    return CodeStatus.exhausted if uses >= max_uses else CodeStatus.active


@dataclass(frozen=True, slots=True)
class EligibilityInput:
    """Everything that decides whether a code counts for an order.

    Amounts are minor units of `currency`, the order's. `expired` is judged at the time the order
    was placed, so that a late webhook takes nothing from an honest friend. `granted` counts the
    referrer's redemptions that are rewarded or may yet be; `spent` is what the rewards of the
    brand's present budget period cost, `reward` what this one would add.
    """

    redemptions_enabled: bool
    disabled: bool
    expired: bool
    uses_left: int
    own_order: bool
    used_before: bool
    existing_customer: bool
    subtotal: int
    currency: str
    discount_kind: DiscountKind
    code_currency: str
    minimum_subtotal: Decimal | None
    new_customers_only: bool
    one_per_friend: bool
    granted: int = 0
    cap: int | None = None
    reward: int = 0
    spent: int = 0
    budget: int | None = None


def may_redeem(given: EligibilityInput) -> RefusalReason | None:
    """The first reason against it, or None: code, friend, order and budget in this order.

    A friend who used a code before is also an existing customer; the more special reason is
    returned.
    """
    checks = (
        (not given.redemptions_enabled, RefusalReason.not_active),
        (given.disabled, RefusalReason.disabled),
        (given.expired, RefusalReason.expired),
        (given.uses_left <= 0, RefusalReason.exhausted),
        (given.own_order, RefusalReason.own_order),
        (given.one_per_friend and given.used_before, RefusalReason.already_used_by_friend),
        (given.new_customers_only and given.existing_customer, RefusalReason.existing_customer),
        (_currencies_differ(given), RefusalReason.currency_mismatch),
        (_below_minimum(given), RefusalReason.minimum_not_met),
        (
            given.cap is not None and given.reward > 0 and given.granted >= given.cap,
            RefusalReason.cap_reached,
        ),
        (
            given.budget is not None and given.reward > 0 and given.spent + given.reward > given.budget,
            RefusalReason.budget_spent,
        ),
    )
    return next((reason for refused, reason in checks if refused), None)


def _currencies_differ(given: EligibilityInput) -> bool:
    """A percentage without a minimum is the same in every currency; amounts are never converted."""
    has_amount = given.discount_kind is DiscountKind.amount or given.minimum_subtotal is not None
    return has_amount and given.currency != given.code_currency


def _below_minimum(given: EligibilityInput) -> bool:
    return given.minimum_subtotal is not None and given.subtotal < minor_of(
        given.minimum_subtotal, given.code_currency
    )


def minor_of(value: Decimal, currency: str) -> int:
    """A decimal of the terms in minor units, rounded down where the currency has fewer decimals."""
    return int(value.scaleb(money.exponent(currency)))


def amount_text(value: Decimal, currency: str) -> str:
    """A decimal of the terms as text: `10.00 EUR`, `800 JPY`."""
    return str(money.Money(minor_of(value, currency), currency))


def amount_off(
    kind: DiscountKind, value: Decimal, subtotal: int, currency: str, *, discounted: int = 0
) -> int:
    """What the terms take off a subtotal, in minor units of `currency`; never more than there is.

    `discounted` is what the shop took off the order in all; more than that is never counted, since
    a platform may send the subtotal after discounts or take less. 0 means unknown: a checkout that
    asks before the order has no discount yet.
    """
    match kind:
        case DiscountKind.percent:
            off = money.percent_of(subtotal, value)
        case DiscountKind.amount:
            off = min(subtotal, minor_of(value, currency))
        case _:
            assert_never(kind)
    return min(off, discounted) if discounted > 0 else off


def leaked(
    kind: DiscountKind, value: Decimal, subtotal: int, discounted: int, *, code_currency: str, currency: str
) -> int:
    """What a refused code took off nevertheless; 0 where the shop reports no discount."""
    if kind is DiscountKind.amount and code_currency != currency:
        return discounted
    return min(discounted, amount_off(kind, value, subtotal, currency))


def net_reward(
    reward: int, total: int, refunded: int, *, cancelled: bool, how: PartialRefund, minimum: int | None
) -> int:
    """What is left of a reward, in minor units, whatever the order in which the facts came.

    Proportional: `floor(reward × remaining ÷ total)`. Threshold: whole while `remaining` ≥
    `minimum` (None: while anything remains), else 0. An order with a total of 0 keeps its reward
    until it is cancelled.
    """
    remaining = remaining_total(total, refunded, cancelled=cancelled)
    if cancelled:
        return 0
    match how:
        case PartialRefund.proportional:
            return reward * remaining // total if total > 0 else reward
        case PartialRefund.threshold:
            wanted = max(minimum or 0, min(total, 1))
            return reward if remaining >= wanted else 0
        case _:
            assert_never(how)


def is_undone(total: int, refunded: int, *, cancelled: bool) -> bool:
    """Whether nothing is left of an order: cancelled, or refunded wholly.

    A free order without refunds is not.
    """
    return cancelled or (refunded > 0 and remaining_total(total, refunded, cancelled=False) == 0)


def hold_end(
    paid_at: datetime, delivered_at: datetime | None, hold_from: HoldFrom, hold_days: int
) -> datetime | None:
    """The end of the holding period; None while the fact from which it is counted has not come."""
    match hold_from:
        case HoldFrom.paid:
            start: datetime | None = paid_at
        case HoldFrom.delivered:
            start = delivered_at
        case _:
            assert_never(hold_from)
    return None if start is None else start + timedelta(days=hold_days)


def period_of(at: datetime, period: str, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """The budget period that contains `at`, as start and (exclusive) end in the brand's zone.

    `period` is `day week month year`; None for `total`, which has neither.
    """
    day = at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    match period:
        case "day":
            return day, day + timedelta(days=1)
        case "week":
            monday = day - timedelta(days=day.weekday())
            return monday, monday + timedelta(days=7)
        case "month":
            first = day.replace(day=1)
            return first, (first + timedelta(days=32)).replace(day=1)
        case "year":
            return day.replace(month=1, day=1), day.replace(year=day.year + 1, month=1, day=1)
        case _:
            return None
