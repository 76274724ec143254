"""Pure decisions about codes, redemptions and rewards."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import assert_never
from zoneinfo import ZoneInfo

from app.base import money
from app.brands.programme import DiscountKind, HoldFrom, PartialRefund
from app.orders.rules import remaining_total


class CodeStatus(StrEnum):
    """What a code is good for at a moment; reckoned, not stored."""

    active = "active"
    expired = "expired"
    disabled = "disabled"
    exhausted = "exhausted"


class RedemptionStatus(StrEnum):
    """Where a friend's use of a code stands."""

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
    """Where a referrer's reward stands."""

    pending = "pending"
    granted = "granted"
    used = "used"
    expired = "expired"
    reversed = "reversed"


class LedgerAccount(StrEnum):
    """The ledger's accounts. Every transaction adds up to zero."""

    discount_cost = "discount_cost"
    """What friends' discounts cost the shop, for redemptions that count."""
    leaked_discount = "leaked_discount"
    """What discounts cost on orders whose redemption was refused."""
    friends = "friends"
    """The other side of discounts: what friends got."""
    reward_cost = "reward_cost"
    """What rewards cost the shop."""
    referrers = "referrers"
    """The other side of rewards: what is owed or was given to referrers."""


_STEPS: dict[RedemptionStatus, frozenset[RedemptionStatus]] = {
    RedemptionStatus.pending: frozenset({RedemptionStatus.approved, RedemptionStatus.reversed}),
    RedemptionStatus.in_review: frozenset(
        {RedemptionStatus.approved, RedemptionStatus.rejected, RedemptionStatus.reversed}
    ),
    RedemptionStatus.approved: frozenset({RedemptionStatus.reversed}),
    RedemptionStatus.rejected: frozenset({RedemptionStatus.approved}),
}


def may_become(status: RedemptionStatus, wanted: RedemptionStatus) -> bool:
    """Whether a redemption may go from one status to another; `refused` and `reversed` are ends."""
    return wanted in _STEPS.get(status, frozenset())


def code_status(
    *, disabled: bool, expires_at: datetime, uses: int, max_uses: int, now: datetime
) -> CodeStatus:
    """What a code is good for at `now`; it no longer works at the very moment it expires."""
    if disabled:
        return CodeStatus.disabled
    if expires_at <= now:
        return CodeStatus.expired
    return CodeStatus.exhausted if uses >= max_uses else CodeStatus.active


@dataclass(frozen=True, slots=True)
class EligibilityInput:
    """Everything that decides whether a code counts for an order.

    Amounts are minor units of `currency`, the order's. `expired` is judged at the time the order was placed, so that a late
    webhook takes nothing from an honest friend. `granted` counts the referrer's redemptions that are rewarded or may yet be;
    `spent` is what those of the brand's present budget period cost, `reward` what this one would add.
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
    """The first reason against it, from what lies with the code to what lies with the friend, the order and the purse; or None.

    A friend who used a code before is also an existing customer; the more special reason is told.
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
    """A percentage without a minimum is the same in every currency; an amount is not, and we convert nothing."""
    speaks_of_money = given.discount_kind is DiscountKind.amount or given.minimum_subtotal is not None
    return speaks_of_money and given.currency != given.code_currency


def _below_minimum(given: EligibilityInput) -> bool:
    return given.minimum_subtotal is not None and given.subtotal < minor_of(
        given.minimum_subtotal, given.code_currency
    )


def minor_of(value: Decimal, currency: str) -> int:
    """A decimal of the terms in minor units, rounded down where the currency has fewer decimals."""
    return int(value.scaleb(money.exponent(currency)))


def amount_text(value: Decimal, currency: str) -> str:
    """A decimal of the terms as people read it: `10.00 EUR`, `800 JPY`."""
    return str(money.Money(minor_of(value, currency), currency))


def amount_off(
    kind: DiscountKind, value: Decimal, subtotal: int, currency: str, *, discounted: int = 0
) -> int:
    """What the terms take off a subtotal, in minor units of `currency`; never more than there is.

    `discounted` is what the shop says it took off the order in all. Where it says anything, we never count more than that: a
    platform that sends the subtotal after discounts, or took less, knows better. 0 says nothing (our own checkout asks before).
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
    """What a refused code took off all the same, as far as the shop reports a discount; 0 where it reports none."""
    if kind is DiscountKind.amount and code_currency != currency:
        return discounted
    return min(discounted, amount_off(kind, value, subtotal, currency))


def net_reward(
    reward: int, total: int, refunded: int, *, cancelled: bool, how: PartialRefund, minimum: int | None
) -> int:
    """What is left of a reward, in minor units, whatever the order in which the facts came.

    Proportional: `floor(reward × remaining ÷ total)`. Threshold: whole while `remaining` ≥ `minimum` (none: while anything
    remains), else 0. An order of nothing earns its reward until it is cancelled.
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
    """Whether nothing is left of an order: it was cancelled, or all of it refunded. A free order is not refunded by nothing."""
    return cancelled or (refunded > 0 and remaining_total(total, refunded, cancelled=False) == 0)


def hold_end(
    paid_at: datetime, delivered_at: datetime | None, hold_from: HoldFrom, hold_days: int
) -> datetime | None:
    """When a redemption may be approved; None while the fact that its hold is counted from has not come."""
    match hold_from:
        case HoldFrom.paid:
            start: datetime | None = paid_at
        case HoldFrom.delivered:
            start = delivered_at
        case _:
            assert_never(hold_from)
    return None if start is None else start + timedelta(days=hold_days)


def period_of(at: datetime, period: str, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """The budget's `day week month year` that holds `at`, from its start to before its end, in the brand's zone; None for `total`."""
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
