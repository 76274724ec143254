"""Whether a code counts for an order."""

from dataclasses import dataclass
from decimal import Decimal

from app.brands.programme import DiscountKind
from app.referrals.amount_rules import minor_of
from app.referrals.rules import RefusalReason


@dataclass(frozen=True, slots=True)
class EligibilityInput:
    """Everything that decides whether a code counts for an order.

    Amounts are minor units of `currency`, the order's. `expired` is computed for the time the order
    was placed, so that a late webhook refuses nobody. `granted` counts the
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

    A friend who used a code before is also an existing customer; the more specific reason
    is returned.
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
